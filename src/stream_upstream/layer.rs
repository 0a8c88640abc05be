//! The layer of plain calls that are streamed upstream.

use std::fmt;

use http::Extensions;
use tower_layer::Layer;

use super::StreamUpstream;

/// Streams plain calls upstream, and puts their answers together. See the [module](super).
#[derive(Debug, Clone, Copy, Default)]
pub struct StreamUpstreamLayer {
    on: bool,
}

/// Whether one call is streamed upstream, in its request's extensions: it overrules the layer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StreamUpstreamMode {
    /// Streamed upstream.
    On,
    /// Plain all the way.
    Off,
}

impl StreamUpstreamLayer {
    /// Streams upstream every plain call that a stream can carry.
    #[must_use]
    pub const fn new() -> Self {
        Self { on: true }
    }

    /// Streams upstream only calls that set [`StreamUpstreamMode::On`].
    #[must_use]
    pub const fn on_request() -> Self {
        Self { on: false }
    }

    pub(super) fn gathers(self, extensions: &Extensions) -> bool {
        extensions
            .get::<StreamUpstreamMode>()
            .map_or(self.on, |asked| *asked == StreamUpstreamMode::On)
    }
}

impl fmt::Display for StreamUpstreamLayer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.on {
            "plain calls are streamed upstream"
        } else {
            "plain calls are streamed upstream if they ask for it"
        })
    }
}

impl<S> Layer<S> for StreamUpstreamLayer {
    type Service = StreamUpstream<S>;

    fn layer(&self, inner: S) -> Self::Service {
        StreamUpstream { inner, layer: *self }
    }
}
