//! The layer of circuits.

use tower_layer::Layer;

use super::{CircuitBreaker, CircuitError, CircuitPolicy, Circuits};

/// Refuses attempts at candidates that are down. See the [module](super). Clones and all their services share the circuits.
#[derive(Debug, Clone)]
pub struct CircuitBreakerLayer {
    circuits: Circuits,
}

impl CircuitBreakerLayer {
    /// With circuits of its own, under this policy.
    ///
    /// # Errors
    ///
    /// If they would never open, or never close.
    pub fn new(policy: CircuitPolicy) -> Result<Self, CircuitError> {
        Circuits::new(policy).map(Self::shared)
    }

    /// With these circuits.
    #[must_use]
    pub const fn shared(circuits: Circuits) -> Self {
        Self { circuits }
    }

    /// The circuits, to read or to share.
    #[must_use]
    pub const fn circuits(&self) -> &Circuits {
        &self.circuits
    }
}

impl<S> Layer<S> for CircuitBreakerLayer {
    type Service = CircuitBreaker<S>;

    fn layer(&self, inner: S) -> Self::Service {
        CircuitBreaker {
            inner,
            circuits: self.circuits.clone(),
        }
    }
}
