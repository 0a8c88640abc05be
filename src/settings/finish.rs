//! Finish reasons that count as failures.

use std::borrow::Cow;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error};
use tower_llm_layers::FailureKind;

/// A finish reason that counts as a failure: see [`fail_on_finish_reason`](crate::stack::StackBuilder::fail_on_finish_reason).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct FinishReasonSettings {
    /// The finish reason, OpenRouter's value or a server's own, such as `length`.
    pub reason: String,
    /// As which kind of failure an answer counts that ends so.
    pub kind: FailureName,
}

/// A kind of failure, written by its name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FailureName(pub FailureKind);

impl Serialize for FailureName {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.0.as_str())
    }
}

impl<'de> Deserialize<'de> for FailureName {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let name = String::deserialize(deserializer)?;
        name.parse().map(Self).map_err(D::Error::custom)
    }
}

impl JsonSchema for FailureName {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        "FailureName".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        let names: Vec<_> = FailureKind::ALL.into_iter().map(FailureKind::as_str).collect();
        json_schema!({"type": "string", "enum": names})
    }
}
