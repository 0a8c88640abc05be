//! The layer of degraded answers.

use std::{fmt, sync::Arc};

use tower_layer::Layer;

use super::Degrade;
use crate::{DegradedSource, FailureKind};

/// Which kinds of failure may use which degraded source.
type Table = dyn Fn(FailureKind, DegradedSource) -> bool + Send + Sync;

/// Returns a marked degraded response instead of a failure. See the [module](super).
#[derive(Clone)]
pub struct DegradeLayer<L> {
    degradation: L,
    rules: Rules,
}

/// The table, if there is one.
#[derive(Clone)]
pub(super) struct Rules(Option<Arc<Table>>);

impl<L> DegradeLayer<L> {
    /// With these degraded responses.
    pub fn new(degradation: L) -> Self {
        Self {
            degradation,
            rules: Rules(None),
        }
    }

    /// Which kinds of failure may use which degraded source, instead of [`Failure::advice`](crate::Failure::advice).
    #[must_use]
    pub fn table(mut self, reaches: impl Fn(FailureKind, DegradedSource) -> bool + Send + Sync + 'static) -> Self {
        self.rules.0 = Some(Arc::new(reaches));
        self
    }
}

impl Rules {
    /// Whether a failure may use a degraded source: by the table if there is one, else by the failure's advice.
    pub(super) fn reaches(&self, kind: FailureKind, advised: bool, rung: DegradedSource) -> bool {
        self.0.as_ref().map_or(advised, |table| table(kind, rung))
    }
}

impl<S, L: Clone> Layer<S> for DegradeLayer<L> {
    type Service = Degrade<S, L>;

    fn layer(&self, inner: S) -> Self::Service {
        Degrade {
            inner,
            degradation: self.degradation.clone(),
            rules: self.rules.clone(),
        }
    }
}

impl<L> fmt::Debug for DegradeLayer<L> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DegradeLayer")
            .field("has_table", &self.rules.0.is_some())
            .finish_non_exhaustive()
    }
}
