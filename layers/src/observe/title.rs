//! Values of a span's fields: texts are written only if the span is enabled, since `tracing` may read the fields of a disabled span.

use std::fmt;

use super::settings::Settings;
use crate::Tags;

/// A span's name as OpenTelemetry has it: `chat gpt-5`.
pub(super) struct Title<'a>(pub(super) &'static str, pub(super) Option<&'a str>);

impl fmt::Display for Title<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self(operation, model) = self;
        f.write_str(operation)?;
        model.map_or(Ok(()), |model| write!(f, " {model}"))
    }
}

/// The tags that are recorded: `feature=autocomplete team=search`.
pub(super) struct ToldTags<'a>(&'a Settings, &'a Tags);

impl<'a> ToldTags<'a> {
    /// Empty if there are none.
    pub(super) fn of(settings: &'a Settings, tags: &'a Tags) -> Option<Self> {
        let any = settings.recorded(tags).next().is_some();
        any.then_some(Self(settings, tags))
    }
}

impl fmt::Display for ToldTags<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, (name, value)) in self.0.recorded(self.1).enumerate() {
            let space = if index == 0 { "" } else { " " };
            write!(f, "{space}{name}={value}")?;
        }
        Ok(())
    }
}

/// A count as OpenTelemetry knows it: its exporters write any other integer of `tracing` as a string.
pub(super) fn whole(count: u64) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}
