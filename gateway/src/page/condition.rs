//! What a gateway reports of itself, as the page shows it.

use std::{fmt, sync::Arc};

/// What a gateway reports of itself. By default nothing is wrong.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Condition {
    /// Why it refuses all calls.
    pub unready: Option<Arc<str>>,
    /// Why it refuses some calls, or does not count them.
    pub degraded: Option<Arc<str>>,
    /// Why the settings that were read last are not in force.
    pub settings_refused: Option<Arc<str>>,
}

/// Reads the [`Condition`] of a gateway. It is called every two seconds for each viewer.
#[derive(Clone)]
pub struct ConditionSource(Arc<dyn Fn() -> Condition + Send + Sync>);

impl ConditionSource {
    /// Reads it by this function.
    pub fn new(read: impl Fn() -> Condition + Send + Sync + 'static) -> Self {
        Self(Arc::new(read))
    }

    pub(super) fn read(&self) -> Condition {
        (self.0)()
    }
}

/// Nothing is ever wrong.
impl Default for ConditionSource {
    fn default() -> Self {
        Self::new(Condition::default)
    }
}

impl fmt::Debug for ConditionSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ConditionSource").finish_non_exhaustive()
    }
}
