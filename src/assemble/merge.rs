//! How pieces of a message become one.

use serde_json::{Map, Value};

/// Texts that come piece by piece.
const TEXTS: [&str; 4] = ["content", "reasoning", "reasoning_content", "refusal"];

/// Adds what one chunk brings to the message.
pub(super) fn add_delta(message: &mut Map<String, Value>, delta: Map<String, Value>) {
    for (name, value) in delta {
        match (name.as_str(), value) {
            (text, Value::String(more)) if TEXTS.contains(&text) => append(message, name, more),
            ("tool_calls", Value::Array(pieces)) => {
                with_list(message, &name, |calls| add_pieces(calls, pieces, same_call));
            }
            ("reasoning_details", Value::Array(pieces)) => {
                with_list(message, &name, |details| add_pieces(details, pieces, same_detail));
            }
            ("audio", Value::Object(more)) => with_object(message, &name, |audio| add_fields(audio, more)),
            // Pictures, annotations, parts of a text: whatever comes in lists comes whole.
            (_, Value::Array(more)) => with_list(message, &name, |list| list.extend(more)),
            (_, value) => overwrite(message, name, value),
        }
    }
}

/// Adds the log-probabilities of the tokens in one chunk.
pub(super) fn add_logprobs(choice: &mut Map<String, Value>, logprobs: Map<String, Value>) {
    with_object(choice, "logprobs", |known| {
        for (name, value) in logprobs {
            match value {
                Value::Array(more) => with_list(known, &name, |list| list.extend(more)),
                value => overwrite(known, name, value),
            }
        }
    });
}

/// What is said later counts, unless it says nothing.
pub(super) fn overwrite(object: &mut Map<String, Value>, name: String, value: Value) {
    if !value.is_null() || !object.contains_key(&name) {
        object.insert(name, value);
    }
}

/// Whether a piece belongs to an entry.
type Same = fn(&Map<String, Value>, &Map<String, Value>) -> bool;

/// Each piece goes to the entry that it belongs to, or is a new one.
fn add_pieces(list: &mut Vec<Value>, pieces: Vec<Value>, same: Same) {
    for piece in pieces {
        let Value::Object(piece) = piece else {
            list.push(piece);
            continue;
        };
        let mut known = list.iter_mut().rev().filter_map(Value::as_object_mut);
        match known.find(|known| same(known, &piece)) {
            Some(known) => add_fields(known, piece),
            None => list.push(Value::Object(piece)),
        }
    }
}

/// A call is known by its place; by its id where it has none. A piece without either goes on with the last. Some put each call at the
/// first place: there another id, with a name, begins another call.
fn same_call(known: &Map<String, Value>, piece: &Map<String, Value>) -> bool {
    let text = |object: &Map<String, Value>, name: &str| {
        let text = object.get(name).and_then(Value::as_str).filter(|text| !text.is_empty());
        text.map(str::to_owned)
    };
    let of = |object: &Map<String, Value>, name: &str| text(object.get("function")?.as_object()?, name);
    if let (Some(one), Some(other), Some(name)) = (text(known, "id"), text(piece, "id"), of(piece, "name"))
        && one != other
    {
        // Others give each piece of one call an id of its own: only a call that is whole is followed by another.
        let is_whole = match of(known, "arguments") {
            Some(arguments) => serde_json::from_str::<serde::de::IgnoredAny>(&arguments).is_ok(),
            None => of(known, "name") != Some(name),
        };
        if is_whole {
            return false;
        }
    }
    told(known, piece, "index")
        .or_else(|| told(known, piece, "id"))
        .unwrap_or(piece.get("index").is_none() && piece.get("id").is_none())
}

/// The same of a piece of reasoning, which has a kind beside: text and its signature belong together.
fn same_detail(known: &Map<String, Value>, piece: &Map<String, Value>) -> bool {
    known.get("type") == piece.get("type")
        && told(known, piece, "id") != Some(false)
        && told(known, piece, "index")
            .or_else(|| told(known, piece, "id"))
            .unwrap_or(false)
}

/// Whether both have the same here; nothing where one of them says nothing.
fn told(known: &Map<String, Value>, piece: &Map<String, Value>, name: &str) -> Option<bool> {
    let [known, piece] = [known, piece].map(|object| object.get(name).filter(|value| !value.is_null()));
    Some(known? == piece?)
}

fn add_fields(known: &mut Map<String, Value>, piece: Map<String, Value>) {
    for (name, value) in piece {
        match (name.as_str(), value) {
            ("text" | "summary" | "data" | "arguments" | "transcript", Value::String(more)) => {
                append(known, name, more);
            }
            ("function", Value::Object(more)) => with_object(known, &name, |function| add_fields(function, more)),
            // Some say the name once more, and some an empty one.
            ("name" | "id", Value::String(more)) if more.is_empty() => {}
            (_, value) => overwrite(known, name, value),
        }
    }
}

fn append(object: &mut Map<String, Value>, name: String, more: String) {
    match object.get_mut(&name) {
        Some(Value::String(text)) => text.push_str(&more),
        _ => {
            object.insert(name, Value::String(more));
        }
    }
}

/// The list of this name, made where there is none, and changed.
fn with_list(object: &mut Map<String, Value>, name: &str, change: impl FnOnce(&mut Vec<Value>)) {
    let mut list = match object.get_mut(name).map(Value::take) {
        Some(Value::Array(list)) => list,
        _ => Vec::new(),
    };
    change(&mut list);
    object.insert(name.to_owned(), Value::Array(list));
}

/// The object of this name, made where there is none, and changed.
fn with_object(object: &mut Map<String, Value>, name: &str, change: impl FnOnce(&mut Map<String, Value>)) {
    let mut inner = match object.get_mut(name).map(Value::take) {
        Some(Value::Object(inner)) => inner,
        _ => Map::new(),
    };
    change(&mut inner);
    object.insert(name.to_owned(), Value::Object(inner));
}
