//! The layer of retries at the same candidate.

use std::{sync::Arc, time::Duration};

use tower_layer::Layer;

use super::{Exponential, Retry, RetryBudget, RetryPolicy, Schedule};

/// Tries the same candidate again. See the [module](super).
#[derive(Debug, Clone)]
pub struct RetryLayer {
    pub(super) policy: RetryPolicy,
    pub(super) schedule: Arc<dyn Schedule>,
}

impl RetryLayer {
    /// The default policy and schedule.
    #[must_use]
    pub fn new() -> Self {
        Self {
            policy: RetryPolicy::default(),
            schedule: Arc::new(Exponential::default()),
        }
    }

    /// Attempts on one candidate, the first included; 2 by default. At least one; one means no retries.
    #[must_use]
    pub fn max_attempts(mut self, attempts: u32) -> Self {
        self.policy.max_attempts = attempts.max(1);
        self
    }

    /// The longest wait for one retry, 20 s by default: a longer back-off is cut to it, and a longer hint is not waited for.
    #[must_use]
    pub const fn max_retry_delay(mut self, wait: Duration) -> Self {
        self.policy.max_retry_delay = wait;
        self
    }

    /// The longest wait for one retry while another candidate could answer instead; 3 s by default, and never more than
    /// [`max_retry_delay`](Self::max_retry_delay).
    #[must_use]
    pub const fn max_retry_delay_with_fallback(mut self, wait: Duration) -> Self {
        self.policy.max_retry_delay_with_fallback = wait;
        self
    }

    /// Whether a silent candidate is tried again if there is no other. Off by default.
    #[must_use]
    pub const fn retry_timeouts(mut self, retry: bool) -> Self {
        self.policy.retry_timeouts = retry;
        self
    }

    /// The process-wide retry ratio. Allows 20 % of calls and 10 retries a second by default. Clones share one count: give all stacks of a
    /// process the same one.
    #[must_use]
    pub fn budget(mut self, budget: RetryBudget) -> Self {
        self.policy.budget = budget;
        self
    }

    /// How long to wait if the upstream gives no hint; [`Exponential`] from 250 ms to 8 s by default.
    #[must_use]
    pub fn schedule(mut self, schedule: impl Schedule + 'static) -> Self {
        self.schedule = Arc::new(schedule);
        self
    }

    /// When a retry is allowed.
    #[must_use]
    pub const fn policy(&self) -> &RetryPolicy {
        &self.policy
    }
}

impl Default for RetryLayer {
    fn default() -> Self {
        Self::new()
    }
}

impl<S> Layer<S> for RetryLayer {
    type Service = Retry<S>;

    fn layer(&self, inner: S) -> Self::Service {
        Retry {
            inner,
            shared: Arc::new(self.clone()),
        }
    }
}
