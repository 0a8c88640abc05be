use std::time::Duration;

use tower_layer::Layer;

use super::{AttemptTimeout, Clocks, PaceFloor};

/// Puts clocks on each attempt. See the [module](super).
#[derive(Debug, Clone, Copy, Default)]
pub struct AttemptTimeoutLayer {
    clocks: Clocks,
}

impl AttemptTimeoutLayer {
    /// The default clocks, with this limit to the first token.
    #[must_use]
    pub fn new(first_token: Duration) -> Self {
        Self::with_clocks(Clocks {
            first_token: Some(first_token),
            ..Clocks::default()
        })
    }

    /// With these clocks.
    #[must_use]
    pub const fn with_clocks(clocks: Clocks) -> Self {
        Self { clocks }
    }

    /// From the start of a plain attempt to its whole answer.
    #[must_use]
    pub const fn answer(mut self, answer: Option<Duration>) -> Self {
        self.clocks.answer = answer;
        self
    }

    /// Added to the first clock for the last candidate of a chain.
    #[must_use]
    pub const fn last_grace(mut self, grace: Duration) -> Self {
        self.clocks.last_grace = grace;
        self
    }

    /// The longest silence once the answer has begun.
    #[must_use]
    pub const fn idle(mut self, idle: Option<Duration>) -> Self {
        self.clocks.idle = idle;
        self
    }

    /// The slowest stream that is still worth waiting for.
    #[must_use]
    pub const fn pace(mut self, pace: Option<PaceFloor>) -> Self {
        self.clocks.pace = pace;
        self
    }
}

impl<S> Layer<S> for AttemptTimeoutLayer {
    type Service = AttemptTimeout<S>;

    fn layer(&self, inner: S) -> Self::Service {
        AttemptTimeout {
            inner,
            clocks: self.clocks,
        }
    }
}
