use tower_layer::Layer;

use super::{Chain, Fallback};

/// Moves on along a chain. See the [module](super).
#[derive(Debug, Clone)]
pub struct FallbackLayer {
    chain: Chain,
}

impl FallbackLayer {
    /// Along this chain.
    #[must_use]
    pub const fn new(chain: Chain) -> Self {
        Self { chain }
    }
}

impl<S> Layer<S> for FallbackLayer {
    type Service = Fallback<S>;

    fn layer(&self, inner: S) -> Self::Service {
        Fallback {
            inner,
            chain: self.chain.clone(),
        }
    }
}
