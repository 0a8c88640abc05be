//! Server-sent events: the bytes of a streamed answer in, events out.
//!
//! [`SseDecoder`] follows the [WHATWG standard][standard] and does no I/O: the owner of the
//! connection passes it each chunk as it arrives, cut wherever the network cut it, and takes
//! [`SseItem`]s until the chunk is used up.
//!
//! ```
//! use bytes::Bytes;
//! use openrouter_wire::sse::{SseDecoder, SseError, SseItem};
//!
//! # fn main() -> Result<(), SseError> {
//! let mut decoder = SseDecoder::new();
//! let mut seen = Vec::new();
//! for chunk in [": OPENROUTER PROCESSING\n\nda", "ta: {\"id\":1}\r", "\n\r\ndata: [DONE]\n\n"] {
//!     let mut input = Bytes::from_static(chunk.as_bytes());
//!     while let Some(item) = decoder.decode(&mut input)? {
//!         seen.push(item);
//!     }
//! }
//! decoder.finish()?;
//!
//! let [SseItem::Comment, SseItem::Event(event), SseItem::Done] = &seen[..] else { unreachable!() };
//! assert_eq!(event.data, "{\"id\":1}");
//! # Ok(())
//! # }
//! ```
//!
//! Five things set it apart from a browser's `EventSource`: comments are items, since a keep-alive
//! is a sign of life; `data: [DONE]` is an item of its own; an end of the stream within an
//! event, which the standard passes over in silence, is an error of [`SseDecoder::finish`], since
//! here it means a truncated answer; lines that the standard does not define are items, since an error
//! may stand there; and two lines of data that are a JSON object each are two events, since some
//! servers part their events by one line end.
//!
//! Why not a crate: `eventsource-stream`, `sse-core`, `sseer` and `sse-stream` each lack several of:
//! data as borrowed bytes, without a copy and without a UTF-8 check before the JSON parser's own;
//! comments; a bound; word of a cut.
//!
//! [standard]: https://html.spec.whatwg.org/multipage/server-sent-events.html#event-stream-interpretation

mod block;
mod decoder;
mod error;
mod field;
mod item;
#[cfg(test)]
mod tests;

pub use decoder::SseDecoder;
pub use error::SseError;
pub use item::{SseEvent, SseItem, terminator};
