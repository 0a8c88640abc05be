use tower_layer::Layer;

use super::AttemptService;

/// The default attempt cap of one call: three candidates with two attempts each, the usual chain.
pub const DEFAULT_CAP: u32 = 6;

/// Numbers, caps and writes down each attempt. See the [module](super).
#[derive(Debug, Clone, Copy)]
pub struct AttemptLayer {
    cap: u32,
}

impl AttemptLayer {
    /// With [`DEFAULT_CAP`].
    #[must_use]
    pub const fn new() -> Self {
        Self { cap: DEFAULT_CAP }
    }

    /// The most attempts one call may make in all: retries, fallbacks, hedges, other keys. At least one. One that our own budget, price
    /// list or keys refuse counts as well.
    #[must_use]
    pub const fn cap(mut self, cap: u32) -> Self {
        self.cap = if cap == 0 { 1 } else { cap };
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
        AttemptService { inner, cap: self.cap }
    }
}
