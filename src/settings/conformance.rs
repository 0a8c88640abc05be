//! The check of answers against their schemas.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Settings, SettingsProblem};
use crate::stack::StackBuilder;

/// Whole answers and tool arguments are held to the requested schemas: see
/// [`StackBuilder::conformance`](crate::stack::StackBuilder::conformance).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
#[non_exhaustive]
pub struct ConformanceSettings {
    /// Whether streams are checked as well: then they are read to their end before they are shown.
    pub streams: bool,
}

#[cfg(feature = "conformance")]
pub(super) fn apply(builder: StackBuilder, settings: &Settings, _: &mut Vec<SettingsProblem>) -> StackBuilder {
    use tower_llm_layers::conformance::ConformanceLayer;

    use crate::conformance::JsonSchemaCheck;

    match settings.conformance {
        Some(conformance) => {
            builder.conformance(ConformanceLayer::new(JsonSchemaCheck::new()).streams(conformance.streams))
        }
        None => builder,
    }
}

/// A setting that would do nothing is refused.
#[cfg(not(feature = "conformance"))]
pub(super) fn apply(builder: StackBuilder, settings: &Settings, wrong: &mut Vec<SettingsProblem>) -> StackBuilder {
    use super::WrongSetting;

    if settings.conformance.is_some() {
        let message = "this program was built without the check: build it with the feature `conformance`, or leave the setting out";
        let problem = WrongSetting::Value(message.to_owned());
        wrong.push(SettingsProblem::new(&settings.source, "conformance", problem));
    }
    builder
}
