//! What can go wrong between bytes and events.

use std::fmt;

/// Why a stream of server-sent events could not be read to its end.
///
/// ```
/// use bytes::Bytes;
/// use openrouter_wire::sse::{SseDecoder, SseError};
///
/// let mut decoder = SseDecoder::with_limit(16);
/// let mut input = Bytes::from_static(b"data: far more than sixteen bytes\n\n");
/// let error = decoder.decode(&mut input).unwrap_err();
///
/// assert_eq!(error, SseError::EventTooLarge { limit: 16 });
/// assert!(error.to_string().contains("with_limit"));
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum SseError {
    /// An event, or a single line, passed the decoder's limit. The decoder gives this error from
    /// then on.
    EventTooLarge {
        /// The limit in force, in bytes.
        limit: usize,
    },
    /// The stream ended within an event: what came of that event is lost, and the answer is not
    /// whole.
    Truncated {
        /// How many bytes of the unfinished event had arrived.
        bytes: usize,
    },
}

impl fmt::Display for SseError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::EventTooLarge { limit } => write!(
                f,
                "a server-sent event is larger than {limit} bytes: raise the limit (`max_event_bytes` of \
                 the stack or the transport, `SseDecoder::with_limit` by itself) if answers this large \
                 are expected, else check that the upstream really sends text/event-stream"
            ),
            Self::Truncated { bytes } => write!(
                f,
                "the stream ended {bytes} bytes into a server-sent event: the connection was cut, \
                 the answer is not whole"
            ),
        }
    }
}

impl std::error::Error for SseError {}
