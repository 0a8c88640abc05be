//! What bounds the reading of an answer.

use std::time::Duration;

use openrouter_wire::sse::SseDecoder;

/// The bounds of one transport.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct ReadLimits {
    /// The largest event of a stream, in bytes.
    pub(crate) max_event_bytes: usize,
    /// How long to wait for the usage, and for the stream's end, after the finish of the answer.
    pub(crate) trailer_timeout: Duration,
}

impl Default for ReadLimits {
    fn default() -> Self {
        Self {
            max_event_bytes: SseDecoder::DEFAULT_LIMIT,
            trailer_timeout: Duration::from_secs(10),
        }
    }
}
