//! A JSON object that is read by looking at it and changed by patching it.

mod edit;
mod fields;
mod segments;
#[cfg(test)]
mod tests;

use std::collections::HashSet;
use std::fmt;
use std::ops::Range;
use std::sync::Arc;

use bytes::Bytes;

use crate::json::{Cursor, JsonError, MAX_MEMBERS, check_utf8};
use edit::Edit;
pub use fields::openrouter_only_fields;
pub use segments::Segments;

/// What some editors write before a text.
const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";

/// A JSON object kept as the bytes it came in, with an index of its members and the changes made to them.
///
/// What was not changed goes out as it came: the order of the members, the white space, the escapes, unknown fields. A change costs its own bytes
/// and nothing of the rest, so a megabyte of prompt is neither parsed into a tree nor copied.
///
/// If a key occurs twice, the last one counts, as it does for the parsers upstream. Setting or removing a key takes all its copies away, so that
/// none of them remains after a change.
///
/// ```
/// use bytes::Bytes;
/// use openrouter_wire::document::Document;
///
/// let mut document = Document::parse(Bytes::from_static(b"{ \"model\": \"a/b\",  \"x\": 1 }"))?;
/// document.set("model", Bytes::from_static(b"\"c/d\""));
/// document.set("stream", Bytes::from_static(b"true"));
/// assert_eq!(document.to_bytes(), "{ \"model\": \"c/d\",  \"x\": 1,\"stream\":true }");
/// # Ok::<(), openrouter_wire::json::JsonError>(())
/// ```
#[derive(Clone)]
pub struct Document {
    original: Bytes,
    members: Arc<[Member]>,
    /// The [bits](bit_of) of its members' keys: most questions are for a member that is not there.
    keys: u64,
    /// The position of the opening brace.
    open: usize,
    /// The position of the closing brace.
    close: usize,
    /// Changes, each key at most once; those that add a member are in the order they are written.
    edits: Vec<Edit>,
}

#[derive(Debug)]
struct Member {
    /// Between the quotes, as written.
    key: Range<usize>,
    /// The key without escapes, if it has any.
    unescaped: Option<Box<str>>,
    value: Range<usize>,
    /// From behind the comma or brace before it to the comma or brace after it.
    room: Range<usize>,
}

impl Document {
    /// `{}`.
    #[must_use]
    pub fn new() -> Self {
        Self {
            original: Bytes::from_static(b"{}"),
            members: Arc::default(),
            keys: 0,
            open: 0,
            close: 1,
            edits: Vec::new(),
        }
    }

    /// Reads an object in one pass. Nothing is copied, except keys that are written with escapes. A byte order mark before it is dropped.
    ///
    /// # Errors
    ///
    /// If the text is not UTF-8, not JSON, nested deeper than 512 levels, not an object, or an object of more than 4096 members.
    pub fn parse(mut original: Bytes) -> Result<Self, JsonError> {
        if original.starts_with(BYTE_ORDER_MARK) {
            original = original.slice(BYTE_ORDER_MARK.len()..);
        }
        Self::read(original.clone(), &mut Cursor::new(&original), MAX_MEMBERS)
    }

    /// The same of an answer, which may hold what strict JSON does not, and as many members as it likes.
    ///
    /// # Errors
    ///
    /// If the text is not UTF-8, not JSON, nested deeper than 512 levels, or not an object.
    pub fn parse_answer(original: &Bytes) -> Result<Self, JsonError> {
        Self::read(original.clone(), &mut Cursor::lenient(original), usize::MAX)
    }

    fn read(original: Bytes, cursor: &mut Cursor<'_>, most: usize) -> Result<Self, JsonError> {
        check_utf8(&original)?;
        cursor.peek()?;
        let open = cursor.at();
        let mut members: Vec<Member> = Vec::with_capacity(16);
        let mut keys = 0;
        let mut room = open + 1;
        cursor.object(|key, cursor| {
            if members.len() == most {
                return Err(cursor.has_too_many());
            }
            cursor.peek()?;
            let value = cursor.at();
            cursor.skip()?;
            let value = value..cursor.at();
            let from = room;
            room = cursor.separator() + 1;
            let unescaped: Option<Box<str>> = key.plain().is_none().then(|| key.to_str().into());
            keys |= bit_of(
                unescaped
                    .as_deref()
                    .map_or_else(|| key.plain().unwrap_or_default(), str::as_bytes),
            );
            members.push(Member {
                key: key.range(),
                unescaped,
                value,
                room: from..room - 1,
            });
            Ok(())
        })?;
        let close = cursor.at() - 1;
        cursor.end()?;
        Ok(Self {
            original,
            members: members.into(),
            keys,
            open,
            close,
            edits: Vec::new(),
        })
    }

    /// The value of a member as JSON text, as it would go out.
    #[must_use]
    pub fn get(&self, key: &str) -> Option<&[u8]> {
        if let Some(edit) = self.edit(key) {
            return edit.value.as_deref();
        }
        self.last(key).map(|member| self.slice(&member.value))
    }

    /// [`get`](Self::get), as a handle on the same memory.
    #[must_use]
    pub fn bytes_of(&self, key: &str) -> Option<Bytes> {
        if let Some(edit) = self.edit(key) {
            return edit.value.clone();
        }
        self.last(key).map(|member| self.original.slice(member.value.clone()))
    }

    /// Whether there is such a member.
    #[must_use]
    pub fn has(&self, key: &str) -> bool {
        self.get(key).is_some()
    }

    /// The keys, each once, in the order they go out.
    pub fn keys(&self) -> impl Iterator<Item = &str> {
        // Of doubles the last one counts.
        let mut seen = HashSet::with_capacity(self.members.len());
        let mut kept: Vec<&str> = Vec::with_capacity(self.members.len());
        for member in self.members.iter().rev() {
            let key = self.key(member);
            if seen.insert(key) && self.edit(key).is_none_or(|edit| edit.value.is_some()) {
                kept.push(key);
            }
        }
        let added = self
            .edits
            .iter()
            .filter(|edit| edit.adds().is_some())
            .map(|edit| edit.key.as_ref());
        kept.into_iter().rev().chain(added)
    }

    /// What goes out, doubles and all: keys, keys as they are written, and values.
    pub fn written(&self) -> impl Iterator<Item = (&str, &[u8], &[u8])> {
        let kept = self.members.iter().filter(|member| self.keeps(member)).map(|member| {
            let key = self.key(member);
            let set = self.edit(key).and_then(|edit| edit.value.as_deref());
            let value = set.unwrap_or_else(|| self.slice(&member.value));
            (key, self.slice(&member.key), value)
        });
        let added = self.edits.iter().filter_map(|edit| {
            let (_, value) = edit.adds()?;
            Some((edit.key.as_ref(), edit.key.as_bytes(), value.as_ref()))
        });
        kept.chain(added)
    }

    fn key<'a>(&'a self, member: &'a Member) -> &'a str {
        match &member.unescaped {
            Some(key) => key,
            None => std::str::from_utf8(self.slice(&member.key)).unwrap_or_default(),
        }
    }

    fn is(&self, member: &Member, key: &str) -> bool {
        match &member.unescaped {
            Some(unescaped) => **unescaped == *key,
            None => self.slice(&member.key) == key.as_bytes(),
        }
    }

    fn last(&self, key: &str) -> Option<&Member> {
        if self.keys & bit_of(key.as_bytes()) == 0 {
            return None;
        }
        self.members.iter().rev().find(|member| self.is(member, key))
    }

    fn slice(&self, range: &Range<usize>) -> &[u8] {
        self.original.get(range.clone()).unwrap_or_default()
    }
}

/// One of 64 bits, by the length of a key and its first and last bytes: another key may have the same.
fn bit_of(key: &[u8]) -> u64 {
    let (first, last) = (key.first().copied(), key.last().copied());
    let sum = key.len() + usize::from(first.unwrap_or_default()) + 5 * usize::from(last.unwrap_or_default());
    1 << (sum % 64)
}

impl Default for Document {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for Document {
    /// The keys and the size: the values are a prompt.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Document")
            .field("len", &self.len())
            .field("keys", &self.keys().collect::<Vec<_>>())
            .finish()
    }
}
