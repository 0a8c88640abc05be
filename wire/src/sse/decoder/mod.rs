//! From chunks to lines, and from lines to items.

mod limit;
mod line;

use std::fmt;

use bytes::{Buf, Bytes};
use memchr::memchr2;

use super::{SseError, SseItem, block::Block};

/// May stand, once, at the very start of a stream.
const BYTE_ORDER_MARK: &[u8] = b"\xEF\xBB\xBF";

/// Decodes one stream of server-sent events, chunk by chunk.
///
/// Give each chunk to [`decode`](Self::decode) until that returns `None`, then the next one; at the
/// end of the stream ask [`finish`](Self::finish) whether it ended between two events. One decoder
/// serves one stream.
///
/// An event that lies within one chunk is given as slices of that chunk, without copy or
/// allocation. Only a line that is split over chunks, and data of several lines, are copied
/// together. The work is linear in the bytes, however they are cut.
///
/// # Limits
///
/// An event may have [`DEFAULT_LIMIT`](Self::DEFAULT_LIMIT) bytes, or those of
/// [`with_limit`](Self::with_limit). All its lines count as received, unknown fields and the blank
/// line too, each line end as one byte; comments are outside of it, but each comment has the same
/// limit for itself. So the memory held between two chunks is bounded, whatever is sent: by the
/// limit, the slack of a growing buffer, and the chunks in which the pending fields lie, three at
/// most. Whether the limit is passed does not depend on how the stream was cut.
///
/// ```
/// use bytes::Bytes;
/// use openrouter_wire::sse::{SseDecoder, SseError, SseItem};
///
/// # fn main() -> Result<(), SseError> {
/// let mut decoder = SseDecoder::new();
///
/// let mut input = Bytes::from_static(b"data: Hel");
/// assert_eq!(decoder.decode(&mut input)?, None);
/// let mut input = Bytes::from_static(b"lo\n\ndata: cut");
/// let Some(SseItem::Event(event)) = decoder.decode(&mut input)? else { unreachable!() };
/// assert_eq!(event.data, "Hello");
/// assert_eq!(decoder.decode(&mut input)?, None);
///
/// assert_eq!(decoder.finish(), Err(SseError::Truncated { bytes: 9 }));
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct SseDecoder {
    limit: usize,
    /// The event under construction.
    block: Block,
    /// The start of a line whose end has not come yet.
    line: Vec<u8>,
    /// The last byte was a CR: a LF right after it belongs to it.
    after_cr: bool,
    /// A line has ended: a byte order mark is no longer one.
    begun: bool,
    failed: bool,
}

impl SseDecoder {
    /// 64 MiB: generated images come as base64 data URLs within one event, each of some megabytes,
    /// while text never comes near.
    pub const DEFAULT_LIMIT: usize = 64 * 1024 * 1024;

    /// A decoder for a new stream, with the default limit.
    ///
    /// ```
    /// use openrouter_wire::sse::SseDecoder;
    ///
    /// assert_eq!(SseDecoder::new().limit(), SseDecoder::DEFAULT_LIMIT);
    /// ```
    #[must_use]
    pub const fn new() -> Self {
        Self::with_limit(Self::DEFAULT_LIMIT)
    }

    /// A decoder that refuses events of more than `max_event_bytes`. See [Limits](Self#limits) for
    /// what counts.
    ///
    /// ```
    /// use bytes::Bytes;
    /// use openrouter_wire::sse::{SseDecoder, SseError};
    ///
    /// let mut decoder = SseDecoder::with_limit(1024);
    /// let mut endless = Bytes::from(vec![b'x'; 1025]);
    /// assert_eq!(decoder.decode(&mut endless), Err(SseError::EventTooLarge { limit: 1024 }));
    /// ```
    #[must_use]
    pub const fn with_limit(max_event_bytes: usize) -> Self {
        Self {
            limit: max_event_bytes,
            block: Block::new(),
            line: Vec::new(),
            after_cr: false,
            begun: false,
            failed: false,
        }
    }

    /// The most bytes an event may have.
    ///
    /// ```
    /// use openrouter_wire::sse::SseDecoder;
    ///
    /// assert_eq!(SseDecoder::with_limit(1024).limit(), 1024);
    /// ```
    #[must_use]
    pub const fn limit(&self) -> usize {
        self.limit
    }

    /// Takes the next item off the front of `input`.
    ///
    /// `None` means that `input` is used up and the next chunk is needed; what it held of an
    /// unfinished line is kept.
    ///
    /// ```
    /// use bytes::Bytes;
    /// use openrouter_wire::sse::{SseDecoder, SseError, SseItem};
    ///
    /// # fn main() -> Result<(), SseError> {
    /// let mut decoder = SseDecoder::new();
    /// let mut input = Bytes::from_static(b": still here\ndata: [DONE]\n\n");
    ///
    /// assert_eq!(decoder.decode(&mut input)?, Some(SseItem::Comment));
    /// assert_eq!(decoder.decode(&mut input)?, Some(SseItem::Done));
    /// assert_eq!(decoder.decode(&mut input)?, None);
    /// assert!(input.is_empty());
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// [`SseError::EventTooLarge`] once an event or a line passes the limit. What was held is
    /// dropped, `input` is emptied, and every later call gives the same error.
    pub fn decode(&mut self, input: &mut Bytes) -> Result<Option<SseItem>, SseError> {
        if self.failed {
            input.clear();
            return Err(self.too_large());
        }
        loop {
            if self.after_cr && !input.is_empty() {
                self.after_cr = false;
                if input.first() == Some(&b'\n') {
                    input.advance(1);
                }
            }
            let Some(end) = memchr2(b'\n', b'\r', input) else {
                self.check(input.len(), input)?;
                self.line.extend_from_slice(input);
                input.clear();
                return Ok(None);
            };
            if let Some(data) = self.plain_event(input, end) {
                return Ok(Some(SseItem::of(data, None, None)));
            }
            self.check(end + 1, input)?;
            let item = if self.line.is_empty() {
                self.read_line(input, end)
            } else {
                let mut line = self.complete_line(input, end);
                let length = line.len();
                self.read_line(&mut line, length)
            };
            self.skip_line_end(input);
            if item.is_some() {
                return Ok(item);
            }
        }
    }

    /// Says whether the stream, now over, ended between two events.
    ///
    /// By the standard an event is one only once its blank line has come: an unfinished one is
    /// never given out. Nor is a stream whole because this is `Ok`; a cut may fall between two
    /// events. That [`SseItem::Done`] came says so.
    ///
    /// ```
    /// use bytes::Bytes;
    /// use openrouter_wire::sse::{SseDecoder, SseError};
    ///
    /// # fn main() -> Result<(), SseError> {
    /// let mut decoder = SseDecoder::new();
    /// let mut input = Bytes::from_static(b"data: one line end is not enough\n");
    /// assert_eq!(decoder.decode(&mut input)?, None);
    /// assert_eq!(decoder.finish(), Err(SseError::Truncated { bytes: 33 }));
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// [`SseError::Truncated`] if a line, or an event, was begun and not ended; the error of
    /// [`decode`](Self::decode) if that had one.
    pub fn finish(&self) -> Result<(), SseError> {
        if self.failed {
            return Err(self.too_large());
        }
        let mark_alone = !self.begun && self.line == BYTE_ORDER_MARK;
        match self.block.size().saturating_add(self.line.len()) {
            0 => Ok(()),
            _ if mark_alone => Ok(()),
            bytes => Err(SseError::Truncated { bytes }),
        }
    }
}

impl SseDecoder {
    /// What the unfinished event has so far, as if its blank line had come. The decoder is empty after
    /// that.
    ///
    /// By the standard an event without its blank line is none, and a part of one may be missing. So
    /// call this only if the end of the bytes, or the data itself, shows that it is whole.
    ///
    /// ```
    /// use bytes::Bytes;
    /// use openrouter_wire::sse::{SseDecoder, SseError, SseItem};
    ///
    /// # fn main() -> Result<(), SseError> {
    /// let mut decoder = SseDecoder::new();
    /// let mut input = Bytes::from_static(b"data: [DONE]\n");
    /// assert_eq!(decoder.decode(&mut input)?, None);
    /// assert_eq!(decoder.flush(), [SseItem::Done]);
    /// assert_eq!(decoder.finish(), Ok(()));
    /// # Ok(())
    /// # }
    /// ```
    pub fn flush(&mut self) -> Vec<SseItem> {
        let mut items = Vec::new();
        if self.failed {
            return items;
        }
        let mut line = Bytes::from(std::mem::take(&mut self.line));
        if !line.is_empty() {
            let length = line.len();
            items.extend(self.read_line(&mut line, length));
        }
        items.extend(self.block.dispatch());
        items
    }
}

impl Default for SseDecoder {
    fn default() -> Self {
        Self::new()
    }
}

/// Sizes only: what people ask and models answer has no place in a log.
impl fmt::Debug for SseDecoder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SseDecoder")
            .field("limit", &self.limit)
            .field("event_bytes", &self.block.size())
            .field("line_bytes", &self.line.len())
            .field("failed", &self.failed)
            .finish()
    }
}
