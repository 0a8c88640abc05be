//! What is recorded of tags and addresses.

use std::sync::Arc;

use crate::Tags;

/// What the services of one layer share.
#[derive(Debug, Default)]
pub(super) struct Settings {
    /// The tags that are recorded.
    tags: Vec<RecordedTag>,
    /// Requested models that have a label of their own.
    #[cfg(feature = "metrics")]
    pub(super) asked: crate::metering::Bounded,
    /// Models that answered, the same.
    #[cfg(feature = "metrics")]
    pub(super) answered: crate::metering::Bounded,
}

/// A tag that is recorded.
#[derive(Debug)]
struct RecordedTag {
    name: Arc<str>,
    #[cfg(feature = "metrics")]
    label: Arc<str>,
    #[cfg(feature = "metrics")]
    values: crate::metering::Bounded,
}

impl RecordedTag {
    fn new(name: &str) -> Self {
        Self {
            name: name.into(),
            #[cfg(feature = "metrics")]
            label: format!("{}{name}", super::names::TAG_PREFIX).into(),
            #[cfg(feature = "metrics")]
            values: crate::metering::Bounded::of_names(),
        }
    }
}

impl Settings {
    pub(super) fn recording<N: AsRef<str>>(tags: impl IntoIterator<Item = N>) -> Self {
        let mut settings = Self::default();
        settings
            .tags
            .extend(tags.into_iter().map(|name| RecordedTag::new(name.as_ref())));
        settings
    }

    pub(super) fn recorded_names(&self) -> impl Iterator<Item = &str> {
        self.tags.iter().map(|tag| &*tag.name)
    }

    /// Those of the tags that are recorded.
    pub(super) fn recorded<'a>(&'a self, tags: &'a Tags) -> impl Iterator<Item = (&'a str, &'a str)> {
        self.recorded_names().filter_map(|name| Some((name, tags.get(name)?)))
    }

    /// The same, as labels.
    #[cfg(feature = "metrics")]
    pub(super) fn labels<'a>(&'a self, tags: &'a Tags) -> impl Iterator<Item = metrics::Label> + 'a {
        self.tags.iter().filter_map(|tag| {
            let value = tag.values.label(tags.get(&tag.name)?);
            Some(crate::metering::label(Arc::clone(&tag.label), value))
        })
    }
}
