use tower_layer::Layer;

use super::FirstToken;

/// Holds frames back until the answer begins. See the [module](super).
#[derive(Debug, Clone, Copy, Default)]
pub struct FirstTokenLayer;

impl FirstTokenLayer {
    /// There is nothing to set.
    #[must_use]
    pub const fn new() -> Self {
        Self
    }
}

impl<S> Layer<S> for FirstTokenLayer {
    type Service = FirstToken<S>;

    fn layer(&self, inner: S) -> Self::Service {
        FirstToken { inner }
    }
}
