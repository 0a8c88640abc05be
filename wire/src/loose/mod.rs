//! Documents that are written otherwise than the standard has it, and can be read all the same; and the words that stand in place of one.

mod words;

use bytes::{Buf, Bytes};

use crate::{
    Api,
    chat::ChunkProbe,
    embeddings::has_vectors,
    events::{EventProbe, Step},
    finish::End,
    json::{Cursor, Found, lenient_value},
    sse::terminator,
};

pub use words::{event_data, is_markup, summary};

/// Beyond what a [`terminator`] may have.
const LONGEST_LOOK: usize = 64;

const BYTE_ORDER_MARK: &[u8] = b"\xEF\xBB\xBF";

/// `[DONE]`, also where a server wrote more than that, or less: a bare word, a semicolon, a line end as text, a NUL.
#[must_use]
pub fn is_done(data: &[u8]) -> bool {
    let Some(word) = terminator(data) else {
        return false;
    };
    let word = word.strip_prefix(b"[").map_or(word, <[u8]>::trim_ascii);
    let (name, rest) = word.split_at_checked(b"DONE".len()).unwrap_or((word, b""));
    let rest = rest.trim_ascii();
    name.eq_ignore_ascii_case(b"DONE") && (rest.is_empty() || rest.starts_with(b"]"))
}

/// The objects in a text that is one list of them, or several one behind the other, whatever stands between them: blanks, commas, brackets,
/// another `data:`. `None` if there is anything else.
#[must_use]
pub fn documents(text: &Bytes) -> Option<Documents> {
    std::str::from_utf8(text).ok()?;
    let mut walked = Documents {
        rest: text.clone(),
        is_list: false,
        left: 0,
    };
    let left = walked.count_all();
    match walked.rest.first() {
        None => Some(Documents {
            rest: text.clone(),
            left,
            ..walked
        }),
        // Half of an object.
        Some(b'{') => None,
        Some(_) => list(text),
    }
}

/// A list with anything in it says nothing beside its objects.
fn list(text: &Bytes) -> Option<Documents> {
    let mut cursor = Cursor::lenient(text);
    if cursor.peek().ok()? != Found::Array {
        return None;
    }
    let rest = text.slice(cursor.at() + 1..);
    cursor.skip().and_then(|()| cursor.end()).ok()?;
    let all = Documents {
        rest,
        is_list: true,
        left: 0,
    };
    let left = all.clone().count_all();
    Some(Documents { left, ..all })
}

/// The objects in a text, found one after the other: a text of a million of them takes no more memory than its bytes. See [`documents`].
#[derive(Debug, Clone)]
pub struct Documents {
    rest: Bytes,
    /// Whether it is the inside of one list, in which stands more than objects.
    is_list: bool,
    /// How many are yet to come.
    left: usize,
}

impl Documents {
    /// Whether none is left.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.left == 0
    }

    /// Steps over all of them.
    fn count_all(&mut self) -> usize {
        let mut found = 0;
        while self.step().is_some() {
            found += 1;
        }
        found
    }

    fn step(&mut self) -> Option<Bytes> {
        if self.is_list {
            return self.step_in_list();
        }
        let skipped = separator_len(&self.rest);
        self.rest.advance(skipped);
        let length = if *self.rest.first()? == b'{' {
            Cursor::lenient(&self.rest).raw().ok()?.len()
        } else {
            let line = first_line(&self.rest);
            if !is_done(line) {
                return None;
            }
            line.len()
        };
        Some(self.rest.split_to(length))
    }

    fn step_in_list(&mut self) -> Option<Bytes> {
        loop {
            let is_between = |byte: &&u8| byte.is_ascii_whitespace() || **byte == b',';
            let between = self.rest.iter().take_while(is_between).count();
            self.rest.advance(between);
            if matches!(self.rest.first(), None | Some(b']')) {
                return None;
            }
            let length = Cursor::lenient(&self.rest).raw().ok()?.len();
            let item = self.rest.split_to(length);
            if item.first() == Some(&b'{') {
                return Some(item);
            }
        }
    }
}

impl Iterator for Documents {
    type Item = Bytes;

    fn next(&mut self) -> Option<Bytes> {
        self.left = self.left.checked_sub(1)?;
        self.step()
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        (self.left, Some(self.left))
    }
}

/// As far as a line can be short. The rest is never looked at: a text may be brackets alone, and each of them begins a line.
fn first_line(text: &[u8]) -> &[u8] {
    let start = text.get(..LONGEST_LOOK).unwrap_or(text);
    start.split(|byte| *byte == b'\n').next().unwrap_or_default()
}

/// How many bytes at the start only part two documents.
#[must_use]
pub fn separator_len(text: &[u8]) -> usize {
    let mut at = 0;
    loop {
        let rest = text.get(at..).unwrap_or_default();
        // `[DONE]` has a bracket, too.
        let parts = match rest {
            [byte, ..] if byte.is_ascii_whitespace() => 1,
            [b',' | b']', ..] => 1,
            [b'[', ..] if !is_done(first_line(rest)) => 1,
            _ if rest.starts_with(BYTE_ORDER_MARK) => BYTE_ORDER_MARK.len(),
            _ if rest.starts_with(b"data:") => b"data:".len(),
            _ => return at,
        };
        at += parts;
    }
}

/// The answer of this API at the start of a text, whatever garbage stands behind it.
#[must_use]
pub fn first_document(api: Api, text: &Bytes) -> Option<Bytes> {
    let start = text
        .get(separator_len(text)..)
        .filter(|rest| rest.first() == Some(&b'{'))?;
    let raw = Cursor::lenient(start).raw().ok()?;
    is_answer(api, raw).then(|| text.slice_ref(raw))
}

/// Whether a document is an answer of this API that has ended, with something to show.
fn is_answer(api: Api, raw: &[u8]) -> bool {
    match api {
        Api::Chat => ChunkProbe::read(raw).is_ok_and(|probe| probe.has_content() && probe.has_finish()),
        Api::Responses | Api::Messages => EventProbe::read(api, raw)
            .is_ok_and(|piece| piece.step == Step::Document && !piece.content.is_nothing() && piece.end() != End::None),
        Api::Embeddings => ChunkProbe::read(raw).is_ok() && has_vectors(raw),
    }
}

/// The same document without what some servers wrap around it: a byte order mark, another `data:`, the quotes of a JSON string. Bytes that
/// are no UTF-8 become U+FFFD, as the standard of events has it, and control characters in strings are escaped. `None` if that does not make
/// it an object.
#[must_use]
pub fn repaired(text: &Bytes) -> Option<Bytes> {
    let mut inner = text.trim_ascii();
    loop {
        let stripped = inner
            .strip_prefix(BYTE_ORDER_MARK)
            .or_else(|| inner.strip_prefix(b"data:"));
        match stripped {
            Some(rest) => inner = rest.trim_ascii(),
            None => break,
        }
    }
    if inner.first() == Some(&b'"') {
        let unquoted = lenient_value(inner)?.0.as_str()?.trim().to_owned();
        return (unquoted.starts_with('{') && ChunkProbe::read(unquoted.as_bytes()).is_ok()).then(|| unquoted.into());
    }
    if inner.len() < text.len() && (is_done(inner) || ChunkProbe::read(inner).is_ok()) {
        return Some(text.slice_ref(inner));
    }
    if inner.first() != Some(&b'{') {
        return None;
    }
    let escaped = with_escaped_controls(&String::from_utf8_lossy(inner));
    ChunkProbe::read(escaped.as_bytes()).is_ok().then(|| escaped.into())
}

/// With the control characters in its strings escaped; NUL bytes outside of them are dropped.
fn with_escaped_controls(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let (mut in_string, mut is_escaped) = (false, false);
    for mark in text.chars() {
        match mark {
            _ if is_escaped => is_escaped = false,
            '\\' if in_string => is_escaped = true,
            '"' => in_string = !in_string,
            mark if in_string && mark.is_ascii_control() && mark != '\u{7f}' => {
                out.push_str(&format!("\\u{:04x}", u32::from(mark)));
                continue;
            }
            '\0' => continue,
            _ => {}
        }
        out.push(mark);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn split(text: &'static str) -> Option<Vec<Bytes>> {
        documents(&Bytes::from_static(text.as_bytes())).map(Iterator::collect)
    }

    #[test]
    fn several_documents_are_found_however_they_are_parted() {
        for text in [
            "[{\"a\":1},{\"b\":2}]",
            "{\"a\":1}\n{\"b\":2}\n",
            "{\"a\":1}{\"b\":2}",
            "{\"a\":1},\n{\"b\":2}]",
            "{\"a\":1}data: {\"b\":2}",
            "\u{feff}{\"a\":1}\r\n\r\n\u{feff}{\"b\":2}",
        ] {
            assert_eq!(split(text).expect(text), ["{\"a\":1}", "{\"b\":2}"], "{text}");
        }
        assert_eq!(split("{\"a\":1}\n[DONE]\n").expect("an end"), ["{\"a\":1}", "[DONE]"]);
        for text in ["[1,{\"a\":1}]", " [ \"x\" , {\"a\":1} , [{}], null ] \n"] {
            assert_eq!(split(text).expect("a list"), ["{\"a\":1}"], "{text}");
        }
        for text in ["[]", "[1]", " [ [], \"x\" ] "] {
            assert_eq!(split(text).expect("a list").len(), 0, "{text}");
        }
        for text in ["{\"a\":1} x", "words", "{\"a\":", "{'a':1}", "[1,{]", "[1] x"] {
            assert_eq!(split(text), None, "{text}");
        }
    }

    #[test]
    fn what_is_wrapped_or_badly_written_is_repaired() {
        for (text, expected) in [
            (&b"data: data: {\"a\":1}"[..], &b"{\"a\":1}"[..]),
            (b"\xEF\xBB\xBF{\"a\":1}", b"{\"a\":1}"),
            (b"\"{\\\"a\\\":1}\"", b"{\"a\":1}"),
            (b"{\"a\":\"b\tc\nd\"}", b"{\"a\":\"b\\u0009c\\u000ad\"}"),
            (b"{\"a\":\"\\\"\t\"}", b"{\"a\":\"\\\"\\u0009\"}"),
            (b"{\"a\":\"\xff\"}", "{\"a\":\"\u{fffd}\"}".as_bytes()),
            (b"{\"a\":1}\0", b"{\"a\":1}"),
            (b"data: [DONE]", b"[DONE]"),
        ] {
            let repaired = repaired(&Bytes::from_static(text));
            assert_eq!(
                repaired.as_deref(),
                Some(expected),
                "{:?}",
                String::from_utf8_lossy(text)
            );
        }
        for text in ["words", "{\"a\":", "\"words\"", "null", "[1]", "{'a':1}"] {
            assert_eq!(repaired(&Bytes::from_static(text.as_bytes())), None, "{text}");
        }
    }

    #[test]
    fn the_first_answer_is_one_of_the_api() {
        let chat = r#"{"choices":[{"message":{"content":"Hi"},"finish_reason":"stop"}]}"#;
        let message = r#"{"type":"message","content":[{"type":"text","text":"Hi"}],"stop_reason":"end_turn"}"#;
        let response = r#"{"object":"response","status":"completed","output":[{"type":"message","content":"Hi"}]}"#;
        let vectors = r#"{"object":"list","data":[{"index":0,"embedding":[0.5]}]}"#;
        for (api, own, unended) in [
            (Api::Chat, chat, r#"{"choices":[{"message":{"content":"Hi"}}]}"#),
            (
                Api::Messages,
                message,
                r#"{"type":"message","content":[{"type":"text","text":"Hi"}]}"#,
            ),
            (
                Api::Responses,
                response,
                r#"{"object":"response","status":"queued","output":[]}"#,
            ),
            (Api::Embeddings, vectors, r#"{"object":"list","data":[]}"#),
        ] {
            for behind in ["", "\n\nx", "\n\nevent: done\ndata: [DONE]\n\n"] {
                let first = |json: &str| first_document(api, &Bytes::from(format!("{json}{behind}")));
                assert_eq!(first(own).as_deref(), Some(own.as_bytes()), "{api}: {behind}");
                assert_eq!(first(unended), None, "{api}: {behind}");
            }
        }
        for (api, other) in [
            (Api::Messages, chat),
            (Api::Responses, chat),
            (Api::Embeddings, message),
        ] {
            assert_eq!(first_document(api, &Bytes::from(other)), None, "{api}");
        }
    }

    /// Each bracket begins a line: a look at the whole rest each time would take minutes here.
    #[test]
    fn a_megabyte_of_brackets_is_looked_at_once() {
        let brackets = "[".repeat(1 << 20);
        assert_eq!(separator_len(brackets.as_bytes()), brackets.len());
        assert_eq!(documents(&brackets.into()).map(Iterator::count), Some(0));
        let nested = "[{},".repeat(1 << 18);
        assert_eq!(documents(&nested.into()).map(Iterator::count), Some(1 << 18));
    }
}
