//! JSON that is put together from pieces.

use std::{borrow::Cow, collections::BTreeMap};

use super::entries::Entries;
use crate::json::{Cursor, JsonError, strict, strict_text};

/// Members by their names.
pub(super) type Object = BTreeMap<Box<str>, Node>;

/// A value, with what is needed to add the next piece to it.
///
/// Whatever comes once stays the text it came as, so amounts of money keep every digit.
pub(super) enum Node {
    Raw(Box<[u8]>),
    Text(Joined),
    Object(Object),
    /// Elements that came whole.
    List(Vec<Box<[u8]>>),
    /// The parts of a text.
    Parts(Vec<Self>),
    /// Tool calls, or pieces of reasoning.
    Entries(Entries),
}

/// The inside of a JSON string, from pieces. They are joined as they are written: so halves of a surrogate pair become one character.
pub(super) struct Joined {
    pub(super) text: Vec<u8>,
    /// How often the same piece came, if no other came.
    times: usize,
}

impl Joined {
    pub(super) fn once(piece: &[u8]) -> Self {
        Self {
            text: piece.to_vec(),
            times: 1,
        }
    }

    /// Adds a piece.
    pub(super) fn join(&mut self, piece: &[u8]) {
        if self.times > 1 {
            self.text = self.text.repeat(self.times);
        }
        self.text.extend_from_slice(piece);
        self.times = 0;
    }

    /// Adds a piece of what may be a label: one that comes again and again, always the same, is taken once.
    pub(super) fn join_or_repeat(&mut self, piece: &[u8]) {
        if self.times > 0 && self.text == piece {
            self.times += 1;
        } else {
            self.join(piece);
        }
    }
}

/// The members of an object. Of a name that stands twice the last one counts.
pub(super) fn members(object: &[u8]) -> Result<BTreeMap<Cow<'_, str>, &[u8]>, JsonError> {
    let mut members = BTreeMap::new();
    Cursor::lenient(object).object(|name, value| {
        members.insert(name.to_str(), value.raw()?);
        Ok(())
    })?;
    Ok(members)
}

/// The inside of a JSON string; nothing of any other value.
pub(super) fn inside(value: &[u8]) -> Option<&[u8]> {
    value.strip_prefix(b"\"")?.strip_suffix(b"\"")
}

/// What a JSON string says; nothing of any other value.
pub(super) fn said(value: &[u8]) -> Option<Cow<'_, str>> {
    let text = Cursor::lenient(value).string_or_skip().ok()??;
    Some(text.to_str())
}

pub(super) fn is_null(value: &[u8]) -> bool {
    value == b"null"
}

impl Node {
    pub(super) fn raw(value: &[u8]) -> Self {
        Self::Raw(value.into())
    }

    pub(super) fn is_null(&self) -> bool {
        matches!(self, Self::Raw(raw) if is_null(raw))
    }

    /// Writes it as JSON that every parser reads.
    pub(super) fn write(&self, out: &mut Vec<u8>) {
        match self {
            Self::Raw(raw) => out.extend_from_slice(&strict(raw)),
            Self::Text(joined) => {
                out.push(b'"');
                out.extend_from_slice(&strict_text(&joined.text));
                out.push(b'"');
            }
            Self::Object(object) => write_object(object.iter().map(|(name, node)| (&**name, node)), out),
            Self::List(list) => write_list(list, out, |raw, out| out.extend_from_slice(&strict(raw))),
            Self::Parts(parts) => write_list(parts, out, Self::write),
            Self::Entries(entries) => entries.write(out),
        }
    }
}

pub(super) fn write_object<'a>(members: impl IntoIterator<Item = (&'a str, &'a Node)>, out: &mut Vec<u8>) {
    out.push(b'{');
    for (at, (name, node)) in members.into_iter().enumerate() {
        write_name(at == 0, name, out);
        node.write(out);
    }
    out.push(b'}');
}

/// The name of a member with its colon, behind a comma unless it is the first.
pub(super) fn write_name(first: bool, name: &str, out: &mut Vec<u8>) {
    if !first {
        out.push(b',');
    }
    out.extend_from_slice(&crate::json::json_string(name));
    out.push(b':');
}

pub(super) fn write_list<T>(list: impl IntoIterator<Item = T>, out: &mut Vec<u8>, write: impl Fn(T, &mut Vec<u8>)) {
    out.push(b'[');
    for (at, item) in list.into_iter().enumerate() {
        if at > 0 {
            out.push(b',');
        }
        write(item, out);
    }
    out.push(b']');
}
