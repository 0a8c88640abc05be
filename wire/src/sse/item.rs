//! What a stream is made of.

use bytes::Bytes;

/// One thing that a stream of server-sent events said.
///
/// ```
/// use bytes::Bytes;
/// use openrouter_wire::sse::{SseDecoder, SseItem};
///
/// let mut decoder = SseDecoder::new();
/// let mut input = Bytes::from_static(b"event: ping\ndata: {}\n\n");
/// match decoder.decode(&mut input) {
///     Ok(Some(SseItem::Event(event))) => assert_eq!(event.data, "{}"),
///     Ok(Some(SseItem::Comment)) => println!("the upstream is alive"),
///     Ok(Some(SseItem::Done)) => println!("the answer is whole"),
///     Ok(Some(SseItem::Unframed(line))) => println!("no event: {line:?}"),
///     Ok(_) => println!("more bytes are needed"),
///     Err(error) => println!("{error}"),
/// }
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum SseItem {
    /// An event with data.
    Event(SseEvent),
    /// A comment line, such as `: OPENROUTER PROCESSING`. It proves that the connection lives, not
    /// that the model makes progress; its text means nothing and is not kept.
    Comment,
    /// `data: [DONE]`, with which OpenAI's dialect ends a stream; some servers put blanks around it,
    /// or quotes. The decoder continues if more follows.
    Done,
    /// A line that is no field of the standard, which would have it ignored: an error that lacks its
    /// `data:`, or a page or words in the place of a stream.
    Unframed(Bytes),
}

impl SseItem {
    /// What a block with data says.
    #[inline]
    pub(super) fn of(data: Bytes, event: Option<Bytes>, id: Option<Bytes>) -> Self {
        if is_done(&data) {
            Self::Done
        } else {
            Self::Event(SseEvent { data, event, id })
        }
    }
}

/// `[DONE]`, also with blanks or quotes around it.
#[inline]
pub(super) fn is_done(data: &[u8]) -> bool {
    terminator(data).is_some_and(|word| word.eq_ignore_ascii_case(b"[DONE]"))
}

/// What may be a word that ends a stream, without blanks and quotes around it; `None` for an object, or if it is too long.
#[inline]
#[must_use]
pub fn terminator(data: &[u8]) -> Option<&[u8]> {
    const LONGEST: usize = 32;
    // An event is JSON, nearly always.
    if data.first() == Some(&b'{') || data.len() > LONGEST {
        return None;
    }
    let word = data.trim_ascii();
    let quoted = |mark: &[u8]| word.strip_prefix(mark).and_then(|word| word.strip_suffix(mark));
    Some(quoted(b"\"").or_else(|| quoted(b"'")).unwrap_or(word).trim_ascii())
}

/// An event: the fields between two blank lines.
///
/// The bytes are not checked to be UTF-8; their parser does that. A field that lay whole in one
/// chunk is a slice of that chunk, and keeps the chunk's memory alive: copy what is to be kept for
/// long.
///
/// ```
/// use bytes::Bytes;
/// use openrouter_wire::sse::{SseDecoder, SseItem};
///
/// let mut decoder = SseDecoder::new();
/// let mut input = Bytes::from_static(b"event: delta\nid: 7\ndata: one\ndata: two\n\n");
/// let Ok(Some(SseItem::Event(event))) = decoder.decode(&mut input) else { unreachable!() };
///
/// assert_eq!(event.data, "one\ntwo");
/// assert_eq!(event.event.as_deref(), Some(&b"delta"[..]));
/// assert_eq!(event.id.as_deref(), Some(&b"7"[..]));
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct SseEvent {
    /// The value of `data:`; of several such lines, the values joined by line feeds. Empty if the
    /// field was there and empty; a block without a `data` field is no event.
    pub data: Bytes,
    /// The type, from the last `event:` line. `None` if there was none or it was empty: then the
    /// standard's type is `message`.
    pub event: Option<Bytes>,
    /// The last `id:` line of this very event. Unlike a browser's `lastEventId` it is not carried
    /// over from earlier events, and an id in a block without data is ignored.
    pub id: Option<Bytes>,
}

impl SseEvent {
    /// An event with this data, and without a type and an id.
    #[must_use]
    pub const fn new(data: Bytes) -> Self {
        Self {
            data,
            event: None,
            id: None,
        }
    }
}
