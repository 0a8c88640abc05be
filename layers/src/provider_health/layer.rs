//! The layer of providers' health.

use tower_layer::Layer;

use super::{ProviderHealth, ProviderRouted};

/// Leaves failing providers out of requests. See the [module](super).
#[derive(Debug, Clone)]
pub struct ProviderHealthLayer {
    health: ProviderHealth,
}

impl ProviderHealthLayer {
    /// By this health, which other layers may share.
    #[must_use]
    pub const fn new(health: ProviderHealth) -> Self {
        Self { health }
    }

    /// The health.
    #[must_use]
    pub const fn health(&self) -> &ProviderHealth {
        &self.health
    }
}

impl<S> Layer<S> for ProviderHealthLayer {
    type Service = ProviderRouted<S>;

    fn layer(&self, inner: S) -> Self::Service {
        ProviderRouted {
            inner,
            health: self.health.clone(),
        }
    }
}
