//! The layer that checks answers against what was requested.

use std::{fmt, sync::Arc};

use tower_layer::Layer;

use super::Conformance;

/// Rejects answers that are not what their requests asked for. See the [module](super).
pub struct ConformanceLayer<C> {
    check: Arc<C>,
    streams: bool,
}

impl<C> ConformanceLayer<C> {
    /// With this check, for whole answers alone.
    pub fn new(check: C) -> Self {
        Self {
            check: Arc::new(check),
            streams: false,
        }
    }

    /// Whether streams are checked as well: then they are read to their end before they are shown. Off by default.
    #[must_use]
    pub const fn streams(mut self, streams: bool) -> Self {
        self.streams = streams;
        self
    }
}

impl<C> Clone for ConformanceLayer<C> {
    fn clone(&self) -> Self {
        Self {
            check: Arc::clone(&self.check),
            streams: self.streams,
        }
    }
}

impl<C> fmt::Debug for ConformanceLayer<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ConformanceLayer")
            .field("streams", &self.streams)
            .finish_non_exhaustive()
    }
}

impl<C> fmt::Display for ConformanceLayer<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("whole answers and tool arguments must fit the requested schemas")?;
        if self.streams {
            f.write_str("; streams are read to their end first")?;
        }
        Ok(())
    }
}

impl<S, C> Layer<S> for ConformanceLayer<C> {
    type Service = Conformance<S, C>;

    fn layer(&self, inner: S) -> Self::Service {
        Conformance {
            inner,
            check: Arc::clone(&self.check),
            streams: self.streams,
        }
    }
}
