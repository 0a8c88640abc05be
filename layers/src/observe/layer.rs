//! The layer of spans and metrics of an operation.

use std::{fmt, sync::Arc};

use tower_layer::Layer;

use super::{Observe, settings::Settings};

/// A span and numbers for each operation: outermost. See the [module](super).
#[derive(Clone, Default)]
pub struct ObserveLayer {
    settings: Arc<Settings>,
}

impl ObserveLayer {
    /// Records no tags.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// The tags that are recorded, by name: on the span, and each as a label of the metrics of operations. No other tag is ever recorded.
    /// A thousand values of each are distinguished, so record a team and not a user. Replaces those named before.
    #[must_use]
    pub fn tags<N: AsRef<str>>(self, names: impl IntoIterator<Item = N>) -> Self {
        Self {
            settings: Arc::new(Settings::recording(names)),
        }
    }

    /// The names of the tags that are recorded.
    pub fn recorded_tags(&self) -> impl Iterator<Item = &str> {
        self.settings.recorded_names()
    }
}

impl<S> Layer<S> for ObserveLayer {
    type Service = Observe<S>;

    fn layer(&self, inner: S) -> Self::Service {
        Observe {
            inner,
            settings: Arc::clone(&self.settings),
        }
    }
}

impl fmt::Debug for ObserveLayer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ObserveLayer").finish_non_exhaustive()
    }
}
