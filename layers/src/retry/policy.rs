//! When a retry is allowed.

use std::time::Duration;

use super::RetryBudget;

/// When a retry is allowed, apart from how long it waits.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct RetryPolicy {
    /// Attempts on one candidate, the first included.
    pub max_attempts: u32,
    /// The longest wait for one retry: a longer back-off is cut to it; a longer hint means that another candidate should
    /// answer.
    pub max_retry_delay: Duration,
    /// The longest wait for one retry while another candidate could answer instead.
    pub max_retry_delay_with_fallback: Duration,
    /// Whether a silent candidate is tried again if there is no other.
    pub retry_timeouts: bool,
    /// The process-wide ratio.
    pub budget: RetryBudget,
}

impl Default for RetryPolicy {
    /// Two attempts on a candidate: the router behind it has already tried several providers, so another model is worth
    /// more than a third attempt. A wait of up to 20 s, or 3 s while another candidate could answer: about what a healthy one takes to begin.
    fn default() -> Self {
        Self {
            max_attempts: 2,
            max_retry_delay: Duration::from_secs(20),
            max_retry_delay_with_fallback: Duration::from_secs(3),
            retry_timeouts: false,
            budget: RetryBudget::default(),
        }
    }
}
