//! The layer that holds frames back, and its setting.

use tower_layer::Layer;

use super::{FirstToken, failing::FailingReasons};
use crate::FailureKind;

/// Holds frames back until the answer begins. See the [module](super).
#[derive(Debug, Clone, Default)]
pub struct FirstTokenLayer {
    failing: FailingReasons,
}

impl FirstTokenLayer {
    /// No finish reason is a failure.
    #[must_use]
    pub const fn new() -> Self {
        Self {
            failing: FailingReasons::none(),
        }
    }

    /// Finish reasons that count as failures: `rule` gets the upstream's word, such as `length`, and gives the kind of failure that an answer
    /// counts as which ends so, or `None`. See the [module](super).
    ///
    /// ```
    /// use tower_llm_layers::{FailureKind, first_token::FirstTokenLayer};
    ///
    /// // Half an answer is none: a model with a larger context may give the whole.
    /// let layer = FirstTokenLayer::new()
    ///     .fail_on_finish_reason(|reason| (reason == "length").then_some(FailureKind::ContextLengthExceeded));
    /// ```
    #[must_use]
    pub fn fail_on_finish_reason(mut self, rule: impl Fn(&str) -> Option<FailureKind> + Send + Sync + 'static) -> Self {
        self.failing = FailingReasons::by(rule);
        self
    }
}

impl<S> Layer<S> for FirstTokenLayer {
    type Service = FirstToken<S>;

    fn layer(&self, inner: S) -> Self::Service {
        FirstToken {
            inner,
            failing: self.failing.clone(),
        }
    }
}
