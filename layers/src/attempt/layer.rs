//! The layer that makes each exchange an attempt, with a number and a cap.

use tower_layer::Layer;

use super::AttemptService;

/// The default attempt cap of one call: three candidates with two attempts each, the usual chain.
pub const DEFAULT_CAP: u32 = 6;

/// Numbers, caps and writes down each attempt. See the [module](super).
#[derive(Debug, Clone, Copy)]
pub struct AttemptLayer {
    cap: u32,
    router_attempts: bool,
}

impl AttemptLayer {
    /// With [`DEFAULT_CAP`].
    #[must_use]
    pub const fn new() -> Self {
        Self {
            cap: DEFAULT_CAP,
            router_attempts: false,
        }
    }

    /// The most attempts one call may make in all: retries, fallbacks, hedges, other keys. At least one. One that our own budget, price
    /// list or keys refuse counts as well.
    #[must_use]
    pub const fn cap(mut self, cap: u32) -> Self {
        self.cap = if cap == 0 { 1 } else { cap };
        self
    }

    /// Whether the last frames of each answer are read for [what the router tried by itself](crate::Frame::router_attempts). Off by default.
    #[must_use]
    pub const fn router_attempts(mut self, on: bool) -> Self {
        self.router_attempts = on;
        self
    }
}

impl Default for AttemptLayer {
    fn default() -> Self {
        Self::new()
    }
}

impl<S> Layer<S> for AttemptLayer {
    type Service = AttemptService<S>;

    fn layer(&self, inner: S) -> Self::Service {
        AttemptService {
            inner,
            cap: self.cap,
            router_attempts: self.router_attempts,
        }
    }
}
