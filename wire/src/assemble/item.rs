//! One item of a response or one block of a message, out of its pieces.

use std::collections::BTreeMap;

use bytes::Bytes;

use super::item_pieces::Piece;
use super::node::{inside, is_null, members};
use crate::document::Document;
use crate::json::{Cursor, JsonError};

/// An item of a response, or a block of a message.
#[derive(Default)]
pub(super) struct Item {
    /// The object as it began, or as it was at its end.
    object: Option<Bytes>,
    named: Named,
    pub(super) is_closed: bool,
    /// Where it stands among the others.
    pub(super) order: u64,
    /// The insides of JSON strings.
    pieces: BTreeMap<Piece, Vec<u8>>,
    citations: Vec<Bytes>,
    /// Other members of deltas, by their names.
    others: BTreeMap<Box<str>, Other>,
}

/// What deltas say of a member that is read nowhere else.
enum Other {
    /// The inside of a JSON string, from pieces.
    Text(Vec<u8>),
    /// Any other value, as it came last.
    Value(Bytes),
}

/// The texts of a block that come in pieces.
const DELTAS: [&str; 4] = ["text", "thinking", "signature", "partial_json"];

/// What an object says that it is. Read once: each piece of it may ask.
#[derive(Default)]
pub(super) struct Named {
    pub(super) id: Option<Bytes>,
    pub(super) kind: Option<Bytes>,
}

impl Named {
    pub(super) fn of(object: &Bytes) -> Self {
        let Ok(members) = members(object) else {
            return Self::default();
        };
        let text = |name: &str| {
            let text = inside(members.get(name)?).filter(|text| !text.is_empty())?;
            Some(object.slice_ref(text))
        };
        Self {
            id: text("id"),
            kind: text("type"),
        }
    }
}

impl Item {
    pub(super) fn set_object(&mut self, object: Bytes, named: Named) {
        self.object = Some(object);
        self.named = named;
    }

    pub(super) fn new(order: u64) -> Self {
        Self {
            order,
            ..Self::default()
        }
    }

    /// Adds the inside of a JSON string.
    pub(super) fn add(&mut self, piece: Piece, text: &[u8]) {
        self.pieces.entry(piece).or_default().extend_from_slice(text);
    }

    /// A piece as it is at its end: it replaces what came of it.
    pub(super) fn settle(&mut self, piece: Piece, text: &[u8]) {
        if !text.is_empty() {
            self.pieces.insert(piece, text.to_vec());
        }
    }

    /// A piece of a message's block.
    pub(super) fn block_delta(&mut self, delta: &Bytes) -> Result<(), JsonError> {
        let members = members(delta)?;
        for member in DELTAS {
            if let Some(text) = members.get(member).copied().and_then(inside) {
                self.add(Piece::of(member), text);
            }
        }
        let citation = members.get("citation").map(|raw| delta.slice_ref(raw));
        self.citations.extend(citation);
        let is_read = |name: &str| name == "type" || name == "citation" || DELTAS.contains(&name);
        for (name, value) in members.iter().filter(|(name, _)| !is_read(name)) {
            self.add_other(name, &delta.slice_ref(value));
        }
        Ok(())
    }

    /// A text continues what came of it; any other value replaces it, and null takes nothing away.
    fn add_other(&mut self, name: &str, value: &Bytes) {
        let known = self.others.get_mut(name);
        let other = match (inside(value), known) {
            (Some(text), Some(Other::Text(known))) => return known.extend_from_slice(text),
            (Some(text), _) => Other::Text(text.to_vec()),
            (None, _) if is_null(value) => return,
            (None, _) => Other::Value(value.clone()),
        };
        self.others.insert(name.into(), other);
    }

    /// Whether an item that is announced now may be this one.
    pub(super) fn may_be(&self, has_index: bool, id: Option<&[u8]>, kind: Option<&[u8]>) -> bool {
        if self.object.is_none() {
            return true;
        }
        match (&self.named.id, id) {
            (Some(own), Some(id)) => **own == *id,
            _ => has_index && self.named.kind.as_deref() == kind,
        }
    }

    /// Whether an item that ends now is this one.
    pub(super) fn is_ended_by(&self, id: Option<&[u8]>, kind: Option<&[u8]>) -> bool {
        let same_id = matches!((&self.named.id, id), (Some(own), Some(id)) if **own == *id);
        let other_kind = matches!((&self.named.kind, kind), (Some(own), Some(kind)) if **own != *kind);
        same_id || (!self.is_closed && !other_kind)
    }

    /// Whether this id is another item's.
    pub(super) fn is_another(&self, id: Option<&[u8]>) -> bool {
        matches!((&self.named.id, id), (Some(own), Some(id)) if **own != *id)
    }

    /// The text of it that came in pieces, or of the item as it was at its end.
    pub(super) fn text(&self) -> Option<String> {
        let texts = self.pieces.iter().filter(|(piece, _)| piece.is("text"));
        let text: String = texts.map(|(_, text)| unescaped(text)).collect();
        if text.is_empty() {
            return crate::events::texts(self.object.as_ref()?);
        }
        Some(text)
    }

    pub(super) fn write(&self, is_block: bool) -> Vec<u8> {
        if is_block {
            return self.block();
        }
        super::output_item::write(self.object.as_ref(), self.is_closed, &self.pieces)
    }

    fn block(&self) -> Vec<u8> {
        let mut document = self
            .object
            .as_ref()
            .and_then(|object| Document::parse_answer(object).ok());
        let document = document.get_or_insert_default();
        set_default(document, "type", b"\"text\"");
        for (piece, text) in &self.pieces {
            if piece.is("partial_json") {
                if !text.is_empty() {
                    document.set("input", input(text).into());
                }
                continue;
            }
            let joined = behind(document, piece.member, text);
            document.set(piece.member, joined);
        }
        for (name, other) in &self.others {
            let value = match other {
                Other::Text(text) => behind(document, name, text),
                Other::Value(value) => value.clone(),
            };
            document.set(name.clone().into_string(), value);
        }
        if !self.citations.is_empty() {
            let list = self.citations.join(&b","[..]);
            document.set("citations", [b"[", list.as_slice(), b"]"].concat().into());
        }
        document.to_bytes().into()
    }
}

/// A text behind what the member of this name began with.
fn behind(document: &Document, name: &str, text: &[u8]) -> Bytes {
    let begun = document.get(name).and_then(inside).unwrap_or_default();
    quoted(&[begun, text].concat()).into()
}

/// The input of a tool; what the limit of tokens has cut stays readable.
fn input(pieces: &[u8]) -> Vec<u8> {
    let input = unescaped(pieces);
    let is_json = serde_json::from_str::<serde::de::IgnoredAny>(&input).is_ok();
    if is_json { input.into_bytes() } else { quoted(pieces) }
}

pub(super) fn set_default(document: &mut Document, name: &'static str, value: &'static [u8]) {
    if !document.has(name) {
        document.set(name, Bytes::from_static(value));
    }
}

/// The inside of a JSON string as one.
pub(super) fn quoted(inside: &[u8]) -> Vec<u8> {
    [b"\"", inside, b"\""].concat()
}

fn unescaped(inside: &[u8]) -> String {
    let json = quoted(inside);
    let text = Cursor::lenient(&json).string_or_skip().ok().flatten();
    text.map(|text| text.to_str().into_owned()).unwrap_or_default()
}
