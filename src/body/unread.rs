//! A body whose first bytes say what it is.

use std::task::{Context, Poll, ready};

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, header};

use super::wire::Wire;

const BYTE_ORDER_MARK: &[u8] = b"\xEF\xBB\xBF";
/// How much of a JSON text is looked at to find out what it is, in bytes.
const LOOKED_AT: usize = 2048;
/// How often one poll may read.
const READS_A_TURN: usize = 64;

/// What a body is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Form {
    /// Server-sent events.
    Events,
    /// One document: JSON, a page, words.
    Document,
}

/// The header and the first bytes together.
pub(super) struct Unread {
    pub(super) wire: Wire,
    /// What the header says: it decides where the bytes do not.
    declared: Form,
    start: Bytes,
}

impl Unread {
    pub(super) fn new(wire: Wire, declared: Form) -> Self {
        Self {
            wire,
            declared,
            start: Bytes::new(),
        }
    }

    /// What it is, once that is known. What was read is put back, but for white space.
    pub(super) fn poll_form(&mut self, cx: &mut Context<'_>) -> Poll<Form> {
        for _ in 0..READS_A_TURN {
            match ready!(self.wire.poll_bytes(cx)) {
                Some(Ok(bytes)) => {
                    let bytes = self.with_start(bytes);
                    if let Some(form) = form(&bytes, self.declared) {
                        self.wire.put_back(bytes);
                        return Poll::Ready(form);
                    }
                    // White space keeps a connection awake, and says nothing in either form.
                    let is_blank = bytes.trim_ascii().is_empty();
                    self.start = if is_blank { Bytes::new() } else { bytes };
                }
                Some(Err(cause)) => {
                    let form = self.ended();
                    self.wire.fail(cause);
                    self.put_back();
                    return Poll::Ready(form);
                }
                None => {
                    let form = self.ended();
                    self.put_back();
                    return Poll::Ready(form);
                }
            }
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    }

    /// The few bytes that were kept, and these.
    fn with_start(&mut self, bytes: Bytes) -> Bytes {
        if self.start.is_empty() {
            return bytes;
        }
        [std::mem::take(&mut self.start), bytes].concat().into()
    }

    fn put_back(&mut self) {
        self.wire.put_back(std::mem::take(&mut self.start));
    }

    /// What a body is that has ended while more of it was needed.
    fn ended(&self) -> Form {
        match self.start.trim_ascii_start().first() {
            Some(b'{' | b'[') => Form::Document,
            _ => self.declared,
        }
    }
}

/// What a body that begins so is; `None` if more bytes are needed.
fn form(start: &[u8], declared: Form) -> Option<Form> {
    const FIELDS: [&[u8]; 4] = [b"data:", b"event:", b"id:", b"retry:"];
    if BYTE_ORDER_MARK.starts_with(start) {
        return None;
    }
    let start = start.strip_prefix(BYTE_ORDER_MARK).unwrap_or(start).trim_ascii_start();
    match start.first()? {
        b':' => return Some(Form::Events),
        b'{' | b'[' => return documents(start),
        b'<' | b'"' => return Some(Form::Document),
        _ => {}
    }
    if FIELDS.iter().any(|field| start.starts_with(field)) {
        return Some(Form::Events);
    }
    if FIELDS.iter().any(|field| field.starts_with(start)) {
        return None;
    }
    // Words: an error, mostly. In a stream there may be events behind them.
    Some(declared)
}

/// What JSON that begins so is: some servers stream their chunks without `data:`. The member that comes first decides.
fn documents(start: &[u8]) -> Option<Form> {
    const OF_CHUNKS: [&[u8]; 3] = [b"\"delta\":", b"\"delta\" :", b"\"chat.completion.chunk\""];
    const OF_ANSWERS: [&[u8]; 6] = [
        b"\"message\"",
        b"\"chat.completion\"",
        b"\"error\"",
        b"\"data\"",
        b"\"text\"",
        b"\"content\"",
    ];
    let window = start.get(..LOOKED_AT).unwrap_or(start);
    let is_one = |names: &[&[u8]], rest: &[u8]| names.iter().any(|name| rest.starts_with(name));
    // All of them begin with a quote.
    let first = memchr::memchr_iter(b'"', window).find_map(|quote| {
        let rest = window.get(quote..)?;
        // The first letters of them all.
        if !matches!(rest.get(1), Some(b'c' | b'd' | b'e' | b'm' | b't')) {
            return None;
        }
        if is_one(&OF_CHUNKS, rest) {
            return Some(Form::Events);
        }
        is_one(&OF_ANSWERS, rest).then_some(Form::Document)
    });
    match first {
        None if start.len() < LOOKED_AT => None,
        first => Some(first.unwrap_or(Form::Document)),
    }
}

/// What the header says.
pub(super) fn declared(headers: &HeaderMap) -> Form {
    const EVENT_STREAM: &[u8] = b"text/event-stream";
    let value = headers
        .get(header::CONTENT_TYPE)
        .map(HeaderValue::as_bytes)
        .unwrap_or_default();
    let start = value.trim_ascii_start().get(..EVENT_STREAM.len());
    if start.is_some_and(|start| start.eq_ignore_ascii_case(EVENT_STREAM)) {
        Form::Events
    } else {
        Form::Document
    }
}

/// A text without the byte order mark before it.
pub(super) fn without_mark(bytes: Bytes) -> Bytes {
    if bytes.starts_with(BYTE_ORDER_MARK) {
        bytes.slice(BYTE_ORDER_MARK.len()..)
    } else {
        bytes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_bytes_decide_at_whatever_byte_they_are_cut() {
        for (text, expected) in [
            ("data: {}", Form::Events),
            ("\u{feff}\n\r\n data:{}", Form::Events),
            (": hello", Form::Events),
            ("event: x", Form::Events),
            ("retry: 5", Form::Events),
            (
                "{\"id\":1,\"choices\":[{\"message\":{\"content\":\"a\"}}]}",
                Form::Document,
            ),
            ("\u{feff} [{\"error\":{}}]", Form::Document),
            (
                "{\"choices\":[{\"index\":0,\"delta\":{\"content\":\"a\"}}]}",
                Form::Events,
            ),
            ("[{\"object\":\"chat.completion.chunk\",\"choices\"", Form::Events),
            ("<html>", Form::Document),
        ] {
            for end in 0..text.len() {
                let start = form(&text.as_bytes()[..end], Form::Document);
                assert!(start.is_none() || start == Some(expected), "{text} {end}");
            }
            for declared in [Form::Events, Form::Document] {
                assert_eq!(form(text.as_bytes(), declared), Some(expected), "{text}");
            }
        }
        for words in ["upstream connect error", "iffy", "error: busy", "datum"] {
            for declared in [Form::Events, Form::Document] {
                assert_eq!(form(words.as_bytes(), declared), Some(declared), "{words}");
            }
        }
    }
}
