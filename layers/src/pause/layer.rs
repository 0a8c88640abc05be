//! The layer that remembers pauses.

use std::time::Duration;

use tower_layer::Layer;

use super::{Pause, Pauses};

/// How long a call with no other candidate waits by default: as long as for a retry.
const DEFAULT_WAIT: Duration = Duration::from_secs(20);

/// Remembers what upstreams said of their limits. See the [module](super). Clones and all their services share the state.
#[derive(Debug, Clone)]
pub struct PauseLayer {
    pauses: Pauses,
    max_wait: Duration,
}

impl PauseLayer {
    /// Nothing is remembered yet; a call with no other candidate waits up to 20 s.
    #[must_use]
    pub fn new() -> Self {
        Self::shared(Pauses::new())
    }

    /// The same with what is remembered elsewhere, too: give all stacks of a process the same pauses, and they share their state.
    #[must_use]
    pub const fn shared(pauses: Pauses) -> Self {
        Self {
            pauses,
            max_wait: DEFAULT_WAIT,
        }
    }

    /// How long a call with no other candidate may wait for the end of a pause, 20 s by default; never past its deadline.
    #[must_use]
    pub const fn max_wait(mut self, wait: Duration) -> Self {
        self.max_wait = wait;
        self
    }

    /// What is remembered.
    #[must_use]
    pub const fn pauses(&self) -> &Pauses {
        &self.pauses
    }
}

impl Default for PauseLayer {
    fn default() -> Self {
        Self::new()
    }
}

impl<S> Layer<S> for PauseLayer {
    type Service = Pause<S>;

    fn layer(&self, inner: S) -> Self::Service {
        Pause {
            inner,
            pauses: self.pauses.clone(),
            max_wait: self.max_wait,
        }
    }
}
