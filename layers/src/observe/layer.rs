use tower_layer::Layer;

use super::{Observe, ObserveAttempt};

/// A span, and numbers, for each operation: outermost. See the [module](super).
#[derive(Debug, Clone, Copy, Default)]
pub struct ObserveLayer(());

impl ObserveLayer {
    /// Tells of operations.
    #[must_use]
    pub const fn new() -> Self {
        Self(())
    }
}

impl<S> Layer<S> for ObserveLayer {
    type Service = Observe<S>;

    fn layer(&self, inner: S) -> Self::Service {
        Observe { inner }
    }
}

/// A span, and numbers, for each attempt: directly around [`AttemptLayer`](crate::attempt::AttemptLayer).
#[derive(Debug, Clone, Copy, Default)]
pub struct ObserveAttemptLayer(());

impl ObserveAttemptLayer {
    /// Tells of attempts.
    #[must_use]
    pub const fn new() -> Self {
        Self(())
    }
}

impl<S> Layer<S> for ObserveAttemptLayer {
    type Service = ObserveAttempt<S>;

    fn layer(&self, inner: S) -> Self::Service {
        ObserveAttempt { inner }
    }
}
