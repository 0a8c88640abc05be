//! Timeouts of one candidate, or of one call.

use std::time::Duration;

/// Timeouts of one candidate or of one call. Each goes before the timeout layer's own; what is not set leaves the layer's.
///
/// ```
/// use std::time::Duration;
/// use tower_llm_layers::{Candidate, TimeoutOverrides};
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let patient = TimeoutOverrides::new().first_token(Duration::from_secs(90));
/// let candidate = Candidate::new("openrouter", "openai/gpt-5")?.with_timeouts(patient);
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct TimeoutOverrides {
    pub(crate) first_token: Option<Duration>,
    pub(crate) response: Option<Duration>,
    pub(crate) idle: Option<Duration>,
}

impl TimeoutOverrides {
    /// None yet.
    #[must_use]
    pub const fn new() -> Self {
        Self {
            first_token: None,
            response: None,
            idle: None,
        }
    }

    /// From the start of a streamed attempt to its first token.
    #[must_use]
    pub const fn first_token(mut self, limit: Duration) -> Self {
        self.first_token = Some(limit);
        self
    }

    /// From the start of a plain attempt to its whole answer.
    #[must_use]
    pub const fn response(mut self, limit: Duration) -> Self {
        self.response = Some(limit);
        self
    }

    /// The longest silence once the answer has begun.
    #[must_use]
    pub const fn idle(mut self, limit: Duration) -> Self {
        self.idle = Some(limit);
        self
    }

    /// These, and for what they leave open the others.
    pub(crate) fn or(self, others: Self) -> Self {
        Self {
            first_token: self.first_token.or(others.first_token),
            response: self.response.or(others.response),
            idle: self.idle.or(others.idle),
        }
    }

    /// Whether one of them is zero, which no attempt could meet.
    #[must_use]
    pub fn has_zero(&self) -> bool {
        [self.first_token, self.response, self.idle].contains(&Some(Duration::ZERO))
    }
}
