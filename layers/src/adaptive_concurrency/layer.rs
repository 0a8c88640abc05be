//! The layer of adaptive concurrency limits.

use tower_layer::Layer;

use super::{AdaptiveConcurrency, ConcurrencyError, ConcurrencyLimits, ConcurrencyPolicy};

/// Bounds the concurrent attempts at each candidate by a learned limit. See the [module](super). Clones and all their services share the
/// limits.
#[derive(Debug, Clone)]
pub struct AdaptiveConcurrencyLayer {
    limits: ConcurrencyLimits,
}

impl AdaptiveConcurrencyLayer {
    /// With limits of its own, under this policy.
    ///
    /// # Errors
    ///
    /// [`ConcurrencyError`]: `floor` is 0, `floor` ≤ `initial` ≤ `ceiling` does not hold, `decrease` is not above 0 and below 1, or `slower` is
    /// below 1.
    pub fn new(policy: ConcurrencyPolicy) -> Result<Self, ConcurrencyError> {
        ConcurrencyLimits::new(policy).map(Self::shared)
    }

    /// With these limits.
    #[must_use]
    pub const fn shared(limits: ConcurrencyLimits) -> Self {
        Self { limits }
    }

    /// The limits, to look at or to share.
    #[must_use]
    pub const fn limits(&self) -> &ConcurrencyLimits {
        &self.limits
    }
}

impl<S> Layer<S> for AdaptiveConcurrencyLayer {
    type Service = AdaptiveConcurrency<S>;

    fn layer(&self, inner: S) -> Self::Service {
        AdaptiveConcurrency {
            inner,
            limits: self.limits.clone(),
        }
    }
}
