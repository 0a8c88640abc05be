//! An item of a response, with what came of it in pieces where the item itself is empty.

use std::collections::BTreeMap;

use bytes::Bytes;

use super::item::{quoted, set_default};
use super::item_pieces::Piece;
use super::node::is_null;
use crate::document::Document;
use crate::events::{ContentSize, all};

type Pieces = BTreeMap<Piece, Vec<u8>>;

/// The item as JSON. What is in it at its end goes before what came in pieces.
pub(super) fn write(object: Option<&Bytes>, is_closed: bool, pieces: &Pieces) -> Vec<u8> {
    if pieces.is_empty() && (is_closed || object.is_some()) {
        return object.map_or_else(|| b"{}".to_vec(), |object| object.to_vec());
    }
    let mut document = object
        .and_then(|object| Document::parse_answer(object).ok())
        .unwrap_or_default();
    for member in ["arguments", "input"] {
        if let Some((_, text)) = pieces.iter().find(|(piece, _)| piece.is(member))
            && is_open(&document, member, is_closed)
        {
            document.set(member, quoted(text).into());
        }
    }
    let content = list(pieces, &["text", "refusal", "reasoning"]);
    if let Some(list) = content
        && (!is_closed || shows_nothing(&document, "content"))
    {
        let is_thought = pieces.keys().all(|piece| piece.is("reasoning") || piece.is("summary"));
        if is_thought {
            set_default(&mut document, "type", b"\"reasoning\"");
        } else {
            set_default(&mut document, "type", b"\"message\"");
            set_default(&mut document, "role", b"\"assistant\"");
        }
        document.set("content", list.into());
    }
    if let Some(list) = list(pieces, &["summary"])
        && (!is_closed || shows_nothing(&document, "summary"))
    {
        set_default(&mut document, "type", b"\"reasoning\"");
        document.set("summary", list.into());
    }
    if !is_closed {
        document.set("status", Bytes::from_static(b"\"completed\""));
    }
    document.to_bytes().into()
}

/// Whether the pieces say what this member is.
fn is_open(document: &Document, member: &'static str, is_closed: bool) -> bool {
    !is_closed || shows_nothing(document, member)
}

/// Whether the list in this member is missing, or all its texts are empty.
fn shows_nothing(document: &Document, member: &'static str) -> bool {
    document.get(member).is_none_or(|value| match value.first() {
        Some(b'[') => all(value).is_ok_and(ContentSize::is_nothing),
        _ => is_null(value) || value == b"\"\"",
    })
}

/// The parts that these pieces make up, in their order; `None` if there are none.
fn list(pieces: &Pieces, members: &[&str]) -> Option<Vec<u8>> {
    let parts: Vec<Vec<u8>> = pieces
        .iter()
        .filter(|(piece, _)| members.contains(&piece.member))
        .map(|(piece, text)| part(piece.member, &quoted(text)))
        .collect();
    (!parts.is_empty()).then(|| [b"[", parts.join(&b","[..]).as_slice(), b"]"].concat())
}

fn part(member: &str, text: &[u8]) -> Vec<u8> {
    let (begin, end): (&[u8], &[u8]) = match member {
        "refusal" => (br#"{"type":"refusal","refusal":"#, b"}"),
        "reasoning" => (br#"{"type":"reasoning_text","text":"#, b"}"),
        "summary" => (br#"{"type":"summary_text","text":"#, b"}"),
        _ => (br#"{"type":"output_text","text":"#, br#","annotations":[]}"#),
    };
    [begin, text, end].concat()
}
