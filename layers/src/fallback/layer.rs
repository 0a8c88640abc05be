//! The layer of the chain of candidates.

use tower_layer::Layer;

use super::{Chain, Fallback, Hedge};

/// Moves on along a chain. See the [module](super). Clones and all their services share what a [`Hedge`] measures.
#[derive(Debug, Clone)]
pub struct FallbackLayer {
    chain: Chain,
    hedge: Option<Hedge>,
}

impl FallbackLayer {
    /// Along this chain.
    #[must_use]
    pub const fn new(chain: Chain) -> Self {
        Self { chain, hedge: None }
    }

    /// Whether, and when, a hedge is sent to the next candidate. Off by default.
    #[must_use]
    pub fn hedge(mut self, hedge: impl Into<Option<Hedge>>) -> Self {
        self.hedge = hedge.into();
        self
    }
}

impl<S> Layer<S> for FallbackLayer {
    type Service = Fallback<S>;

    fn layer(&self, inner: S) -> Self::Service {
        Fallback {
            inner,
            chain: self.chain.clone(),
            hedge: self.hedge.clone(),
        }
    }
}
