//! How pieces of a message become one.
//!
//! Known members go by their meaning. For the rest, whatever it is called:
//!
//! * null says nothing;
//! * texts are joined; but a text that comes again and again, always the same, is a label, and is taken once;
//! * of numbers and booleans the last one counts;
//! * objects are merged member by member, lists are appended.

use super::{
    entries::{Entries, Kind},
    node::{Joined, Node, Object, inside, is_null, members},
    parts,
};
use crate::chat::is_sealed;
use crate::json::{Cursor, JsonError};

/// Members that come piece by piece, each of which counts, also the same one twice.
const TEXTS: [&str; 10] = [
    "content",
    "text",
    "refusal",
    "transcript",
    "summary",
    "data",
    "arguments",
    "input",
    "partial_json",
    "output_text",
];

/// Members that say what something is: the last one counts, unless it is empty. A name is none of them: some servers send it in pieces.
const LABELS: [&str; 6] = ["role", "type", "object", "model", "format", "status"];

/// How deep objects are merged; below that the last one counts.
const MERGED_LEVELS: u32 = 8;

/// Adds a piece to the member of this name.
pub(super) fn add(object: &mut Object, name: &str, value: &[u8], level: u32) -> Result<(), JsonError> {
    match value.first() {
        None => {}
        Some(b'n') if is_null(value) => {
            object.entry(name.into()).or_insert_with(|| Node::raw(value));
        }
        Some(b'"') => add_text(object, name, value),
        // The one call by itself.
        Some(b'{') if name == "tool_calls" => add_list(object, name, &[b"[", value, b"]"].concat())?,
        Some(b'{') => add_object(object, name, value, level)?,
        Some(b'[') => add_list(object, name, value)?,
        Some(_) => {
            object.insert(name.into(), Node::raw(value));
        }
    }
    Ok(())
}

/// Adds all members of an object.
pub(super) fn add_members(object: &mut Object, more: &[u8], level: u32) -> Result<(), JsonError> {
    members(more)?
        .into_iter()
        .try_for_each(|(name, value)| add(object, &name, value, level))
}

fn add_text(object: &mut Object, name: &str, value: &[u8]) {
    let piece = inside(value).unwrap_or_default();
    let Some(known) = object.get_mut(name).filter(|known| !known.is_null()) else {
        let first = if is_label(name) {
            Node::raw(value)
        } else {
            Node::Text(Joined::once(piece))
        };
        object.insert(name.into(), first);
        return;
    };
    // An empty text says nothing of what is known, and the first id is the one that the pieces before it go by.
    let settled = name == "id" && !matches!(known, Node::Raw(raw) if &**raw == b"\"\"");
    if piece.is_empty() || settled {
        return;
    }
    match known {
        Node::Text(joined) if is_text(name) => joined.join(piece),
        Node::Text(joined) => joined.join_or_repeat(piece),
        Node::Parts(parts) => parts::add_text(parts, piece),
        other => {
            *other = if is_label(name) {
                Node::raw(value)
            } else {
                Node::Text(Joined::once(piece))
            }
        }
    }
}

fn add_object(object: &mut Object, name: &str, value: &[u8], level: u32) -> Result<(), JsonError> {
    let known = match object.remove(name) {
        Some(Node::Object(known)) if level < MERGED_LEVELS => known,
        Some(Node::Raw(first)) if first.first() == Some(&b'{') && level < MERGED_LEVELS => {
            let mut known = Object::new();
            add_members(&mut known, &first, level + 1)?;
            known
        }
        _ => {
            object.insert(name.into(), Node::raw(value));
            return Ok(());
        }
    };
    let mut merged = known;
    let added = add_members(&mut merged, value, level + 1);
    object.insert(name.into(), Node::Object(merged));
    added
}

fn add_list(object: &mut Object, name: &str, value: &[u8]) -> Result<(), JsonError> {
    let kind = match name {
        "tool_calls" => Some(Kind::Calls),
        "reasoning_details" => Some(Kind::Details),
        _ => None,
    };
    let known = object.remove(name);
    let node = match (kind, known) {
        (Some(_), Some(Node::Entries(mut entries))) => {
            entries.add(value)?;
            Node::Entries(entries)
        }
        (Some(kind), _) => {
            let mut entries = Entries::new(kind);
            entries.add(value)?;
            Node::Entries(entries)
        }
        (None, known) if is_text(name) => {
            let mut parts = match known {
                Some(Node::Parts(parts)) => parts,
                Some(Node::Text(text)) => parts::of_text(&text.text),
                _ => Vec::new(),
            };
            parts::add_list(&mut parts, value)?;
            Node::Parts(parts)
        }
        (None, known) => longer(known, value)?,
    };
    object.insert(name.into(), node);
    Ok(())
}

/// The list so far with the items of the next one; anything else that was known is replaced.
pub(super) fn longer(known: Option<Node>, next: &[u8]) -> Result<Node, JsonError> {
    let mut list = match known {
        Some(Node::List(list)) => list,
        _ => Vec::new(),
    };
    Cursor::lenient(next).array_or_skip(|item| {
        list.push(item.raw()?.into());
        Ok(())
    })?;
    Ok(Node::List(list))
}

fn is_label(name: &str) -> bool {
    name == "id" || LABELS.contains(&name)
}

/// Whether each piece of this member counts. Reasoning has many names.
fn is_text(name: &str) -> bool {
    let thought = ["reason", "think", "thought"].iter().any(|word| name.contains(word));
    let told_of_it = ["id", "type", "format", "status", "effort"];
    let label = name
        .rsplit_once('_')
        .is_some_and(|(_, last)| told_of_it.contains(&last))
        || is_sealed(name.as_bytes());
    TEXTS.contains(&name) || (thought && !label)
}
