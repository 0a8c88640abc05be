//! Finish reasons that count as failures.

use std::{fmt, sync::Arc};

use crate::{FailureKind, Frame, LayerError};

/// As which kind of failure a finish reason counts, if it does.
type Rule = dyn Fn(&str) -> Option<FailureKind> + Send + Sync;

/// The rule by which an answer fails although it came to its end; none by default.
#[derive(Clone, Default)]
pub(super) struct FailingReasons(Option<Arc<Rule>>);

impl FailingReasons {
    pub(super) const fn none() -> Self {
        Self(None)
    }

    pub(super) fn by(rule: impl Fn(&str) -> Option<FailureKind> + Send + Sync + 'static) -> Self {
        Self(Some(Arc::new(rule)))
    }

    /// Whether no reason counts as a failure.
    #[inline]
    pub(super) const fn is_off(&self) -> bool {
        self.0.is_none()
    }

    /// The failure that the answer ends with, if this frame says why it ends, and that counts as one. It is rare, hence boxed.
    pub(super) fn failure<D: Frame>(&self, frame: &D) -> Option<Box<LayerError>> {
        let rule = self.0.as_ref()?;
        let reason = frame.finish_reason()?;
        let kind = rule(&reason)?;
        let reason = reason.chars().take(LONGEST_REASON).collect();
        Some(Box::new(LayerError::FinishReason { reason, kind }))
    }
}

/// The most characters of a finish reason that an error tells.
const LONGEST_REASON: usize = 80;

impl fmt::Debug for FailingReasons {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let is_set = self.0.is_some();
        f.debug_struct("FailingReasons").field("is_set", &is_set).finish()
    }
}
