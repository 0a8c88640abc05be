//! A text that comes as a list of parts.

use super::{
    merge::add_members,
    node::{Joined, Node, Object, members},
};
use crate::json::{Cursor, JsonError};

/// What a part may have to be joined with the one before it.
const JOINED: [&str; 4] = ["type", "text", "thinking", "index"];

/// A text as a list of parts; none if it is empty.
pub(super) fn of_text(text: &[u8]) -> Vec<Node> {
    let mut parts = Vec::new();
    add_text(&mut parts, text);
    parts
}

/// Adds a text to the last part, if that is one.
pub(super) fn add_text(parts: &mut Vec<Node>, piece: &[u8]) {
    if piece.is_empty() {
        return;
    }
    if let Some(Node::Object(last)) = last_object(parts)
        && is_kind(last, b"\"text\"")
        && let Some(Node::Text(text)) = last.get_mut("text")
    {
        text.join(piece);
        return;
    }
    let text = Node::Text(Joined::once(piece));
    parts.push(Node::Object(Object::from([
        ("type".into(), Node::raw(b"\"text\"")),
        ("text".into(), text),
    ])));
}

/// Adds parts. The first continues the last that is known, if both are of one kind and are nothing but text.
pub(super) fn add_list(parts: &mut Vec<Node>, list: &[u8]) -> Result<(), JsonError> {
    let mut first = true;
    Cursor::lenient(list).array_or_skip(|part| {
        let part = part.raw()?;
        if std::mem::take(&mut first)
            && let Some(Node::Object(last)) = last_object(parts)
            && goes_on(last, part)?
        {
            return add_members(last, part, 0);
        }
        parts.push(Node::raw(part));
        Ok(())
    })
}

/// The last part, read if it is an object.
fn last_object(parts: &mut [Node]) -> Option<&mut Node> {
    let last = parts.last_mut()?;
    if let Node::Raw(raw) = last
        && raw.first() == Some(&b'{')
    {
        let mut object = Object::new();
        add_members(&mut object, raw, 0).ok()?;
        *last = Node::Object(object);
    }
    Some(last)
}

fn goes_on(last: &Object, part: &[u8]) -> Result<bool, JsonError> {
    if part.first() != Some(&b'{') {
        return Ok(false);
    }
    let part = members(part)?;
    let text_only =
        last.keys().all(|name| JOINED.contains(&&**name)) && part.keys().all(|name| JOINED.contains(&&**name));
    let kind = part.get("type").copied().unwrap_or_default();
    let place = |node: Option<&Node>| matches!(node, Some(Node::Raw(raw)) if part.get("index") == Some(&&**raw));
    let same_place = !part.contains_key("index") && !last.contains_key("index") || place(last.get("index"));
    Ok(text_only && is_kind(last, kind) && same_place)
}

fn is_kind(part: &Object, kind: &[u8]) -> bool {
    matches!(part.get("type"), Some(Node::Raw(raw)) if **raw == *kind)
}
