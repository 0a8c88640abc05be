//! The layer of timeouts of one attempt.

use std::time::Duration;

use tower_layer::Layer;

use super::{AttemptTimeout, MinThroughput, Timeouts};

/// Puts timeouts on each attempt. See the [module](super).
#[derive(Debug, Clone, Copy, Default)]
pub struct AttemptTimeoutLayer {
    timeouts: Timeouts,
}

impl AttemptTimeoutLayer {
    /// The default timeouts, with this limit to the first token.
    #[must_use]
    pub fn new(first_token: Duration) -> Self {
        Self::with_timeouts(Timeouts {
            first_token: Some(first_token),
            ..Timeouts::default()
        })
    }

    /// With these timeouts.
    #[must_use]
    pub const fn with_timeouts(timeouts: Timeouts) -> Self {
        Self { timeouts }
    }

    /// From the start of a plain attempt to its whole answer; 90 s by default, `None` for no limit.
    #[must_use]
    pub const fn response_timeout(mut self, answer: Option<Duration>) -> Self {
        self.timeouts.response = answer;
        self
    }

    /// Added to the first-token timeout of a streamed attempt or the response timeout of a plain one, for the last candidate of a chain; 20 s
    /// by default.
    #[must_use]
    pub const fn last_candidate_grace(mut self, grace: Duration) -> Self {
        self.timeouts.last_candidate_grace = grace;
        self
    }

    /// The longest silence once the answer has begun; 30 s by default, `None` for no limit.
    #[must_use]
    pub const fn idle_timeout(mut self, idle: Option<Duration>) -> Self {
        self.timeouts.idle = idle;
        self
    }

    /// The slowest stream that is still worth waiting for. Off by default.
    #[must_use]
    pub const fn min_throughput(mut self, min_throughput: Option<MinThroughput>) -> Self {
        self.timeouts.min_throughput = min_throughput;
        self
    }
}

impl<S> Layer<S> for AttemptTimeoutLayer {
    type Service = AttemptTimeout<S>;

    fn layer(&self, inner: S) -> Self::Service {
        AttemptTimeout {
            inner,
            timeouts: self.timeouts,
        }
    }
}
