//! The items of a plain answer in the shape of its API. What the readers of answers take for text, wherever it stands, is put where its events come
//! from; an item that is in that shape stays as it came.

use std::borrow::Cow;

use openrouter_wire::{
    events::texts,
    json::{Cursor, Text, is_text, json_string, text},
};

use super::response::{LISTS, OUTPUT_TEXT, PARTS, STREAMED};
use crate::endpoint::object::Object;

/// The word under a name, such as the type of an item.
pub(super) fn word<'a>(object: &Object<'a>, name: &str) -> Option<Cow<'a, str>> {
    object.get(name).and_then(text).map(Text::to_str)
}

/// A value that is a string.
pub(super) fn string<'a>(object: &Object<'a>, name: &str) -> Option<&'a [u8]> {
    object.get(name).filter(|value| value.first() == Some(&b'"'))
}

/// A text with something in it.
fn full<'a>(object: &Object<'a>, name: &str) -> Option<&'a [u8]> {
    string(object, name).filter(|value| *value != b"\"\"")
}

/// The objects and texts of a list; of anything else itself.
fn each(list: Option<&[u8]>) -> Vec<&[u8]> {
    let mut items = Vec::new();
    if let Some(list) = list {
        let read = Cursor::lenient(list).each_or_self(|item| {
            items.push(item.raw()?);
            Ok(())
        });
        debug_assert!(read.is_ok(), "it was read before");
    }
    items.retain(|item| matches!(item, [b'{', ..] | [b'"', _, _, ..]));
    items
}

/// Items as a list.
pub(super) fn listed(items: &[Cow<'_, [u8]>]) -> Vec<u8> {
    [b"[", items.join(&b',').as_slice(), b"]"].concat()
}

/// Whether all of them are as they came.
pub(super) fn are_as_they_came(items: &[Cow<'_, [u8]>]) -> bool {
    items.iter().all(|item| matches!(item, Cow::Borrowed(_)))
}

/// The value as text: JSON text as it is, and anything else as JSON text; `None` of null.
pub(super) fn as_text(value: &[u8]) -> Option<Cow<'_, [u8]>> {
    match value.first()? {
        b'"' => Some(Cow::Borrowed(value)),
        _ if value == b"null" => None,
        _ => Some(Cow::Owned(json_string(&String::from_utf8_lossy(value)))),
    }
}

/// The blocks of a message.
pub(super) fn blocks<'a>(answer: &Object<'a>) -> Vec<Cow<'a, [u8]>> {
    each(answer.get("content")).into_iter().filter_map(block).collect()
}

fn block(raw: &[u8]) -> Option<Cow<'_, [u8]>> {
    let read = Object::read(raw).ok();
    let Some(said) = texts(raw) else {
        return read.map(|_| Cow::Borrowed(raw));
    };
    if let Some(read) = read
        && word(&read, "text").as_deref() == Some(&*said)
    {
        let is_text = read.get("type").is_some_and(|kind| is_text(kind, "text"));
        return Some(if is_text {
            Cow::Borrowed(raw)
        } else {
            Cow::Owned(read.completed(&[("type", b"\"text\"")], &[]))
        });
    }
    let said = if raw.first() == Some(&b'"') {
        Cow::Borrowed(raw)
    } else {
        Cow::Owned(json_string(&said))
    };
    Some(Cow::Owned([b"{\"type\":\"text\",\"text\":", &*said, b"}"].concat()))
}

/// The items of a response.
pub(super) fn items<'a>(answer: &Object<'a>) -> Vec<Cow<'a, [u8]>> {
    let mut items: Vec<_> = each(answer.get("output")).into_iter().map(item).collect();
    // All of its text once more, which some servers send alone.
    if let Some(text) = full(answer, "output_text")
        && !items.iter().any(|item| texts(item).is_some())
    {
        items.push(item(text));
    }
    items
}

fn item(raw: &[u8]) -> Cow<'_, [u8]> {
    let Ok(read) = Object::read(raw) else {
        let list = listed(&[part(raw, OUTPUT_TEXT)]);
        return Cow::Owned(message(&Object::default(), &list));
    };
    let kind = word(&read, "type");
    let is_elsewhere = match kind.as_deref() {
        Some("message") => full(&read, "text").is_some(),
        Some("text" | "output_text") | None => texts(raw).is_some(),
        Some(_) => false,
    };
    if is_elsewhere {
        return Cow::Owned(as_message(&read));
    }
    let is_own = |of: &str| kind.as_deref() == Some(of);
    let lists = LISTS.iter().filter(|(of, ..)| is_own(of));
    let lists = lists.filter_map(|(_, list, _, _, kind)| Some((*list, parts(read.get(list)?, kind)?)));
    let streamed = STREAMED.iter().filter(|(of, ..)| is_own(of));
    let streamed = streamed.filter_map(|(_, member, _)| match as_text(read.get(member)?)? {
        Cow::Owned(text) => Some((*member, text)),
        Cow::Borrowed(_) => None,
    });
    let changed: Vec<(&str, Vec<u8>)> = lists.chain(streamed).collect();
    if changed.is_empty() {
        return Cow::Borrowed(raw);
    }
    let changed: Vec<(&str, &[u8])> = changed.iter().map(|(name, value)| (*name, value.as_slice())).collect();
    Cow::Owned(read.with(&changed))
}

/// An item whose text stands elsewhere than in the content of a message, as a message.
fn as_message(read: &Object<'_>) -> Vec<u8> {
    let content = each(read.get("content")).into_iter().map(|raw| part(raw, OUTPUT_TEXT));
    if full(read, "text").is_none() {
        return message(read, &listed(&content.collect::<Vec<_>>()));
    }
    let own = read.only(&["text", "annotations", "logprobs"]);
    let parts: Vec<_> = std::iter::once(part(&own, OUTPUT_TEXT)).chain(content).collect();
    let rest = read.only(&["id", "role", "status", "phase"]);
    message(&Object::read(&rest).unwrap_or_default(), &listed(&parts))
}

/// An item with this content as a message.
fn message(item: &Object<'_>, content: &[u8]) -> Vec<u8> {
    item.completed(
        &[("type", b"\"message\""), ("content", content)],
        &[("role", b"\"assistant\""), ("status", b"\"completed\"")],
    )
}

/// A list of parts, those without a type of this kind; `None` if it is in that shape as it is.
fn parts(list: &[u8], kind: &str) -> Option<Vec<u8>> {
    let parts: Vec<_> = each(Some(list)).into_iter().map(|raw| part(raw, kind)).collect();
    let is_shaped = list.first() == Some(&b'[') && are_as_they_came(&parts);
    (!is_shaped && !parts.is_empty()).then(|| listed(&parts))
}

/// A part whose text has a place in the events: one of a type without such a place is of this kind.
fn part<'a>(raw: &'a [u8], kind: &str) -> Cow<'a, [u8]> {
    let name = json_string(kind);
    let annotations: &[(&str, &[u8])] = if kind == OUTPUT_TEXT {
        &[("annotations", b"[]")]
    } else {
        &[]
    };
    let Ok(read) = Object::read(raw) else {
        let members: [(&str, &[u8]); 2] = [("type", &name), ("text", raw)];
        return Cow::Owned(Object::default().completed(&members, annotations));
    };
    let own = word(&read, "type");
    let known = PARTS.iter().find(|(kind, ..)| own.as_deref() == Some(*kind));
    let is_streamed = known.is_some_and(|(_, member, ..)| string(&read, member).is_some());
    if is_streamed || full(&read, "text").is_none() {
        return Cow::Borrowed(raw);
    }
    Cow::Owned(read.completed(&[("type", &name)], annotations))
}
