//! By what an answer to a request is found in a cache.

use std::borrow::Cow;

use http::HeaderName;
use memchr::memmem;
use smallvec::SmallVec;
use tower_llm_layers::{CacheKey, KeyWriter};

use super::ChatRequest;
use openrouter_wire::{
    document::Document,
    json::{Cursor, Found, JsonError, Text},
};

/// Left out are the fields that do not change the answer: the end user, its name in logs, and what the provider's own cache makes of
/// the prompt. `stream` is written by itself, and `usage` has no effect upstream.
fn is_relevant(name: &str) -> bool {
    !matches!(
        name,
        "stream"
            | "user"
            | "session_id"
            | "metadata"
            | "trace"
            | "prompt_cache_key"
            | "prompt_cache_options"
            | "cache_control"
            | "usage"
            | "store"
    )
}

/// The same of headers: the session, and how the app shows in rankings. OpenRouter's switches for its own cache and for metadata do change
/// what comes.
pub(crate) fn is_irrelevant_header(name: &HeaderName) -> bool {
    matches!(
        name.as_str(),
        "x-session-id" | "http-referer" | "x-title" | "x-openrouter-title" | "x-openrouter-categories"
    )
}

/// The members of the body in the order of their names, at every level; numbers and strings by their text. A chunk of a stream
/// is no use to a caller that wants a whole answer, nor the other way round, so the two are kept apart.
impl CacheKey for ChatRequest {
    fn write_key(&self, key: &mut KeyWriter<'_>) {
        key.part(if self.is_streaming() { b"chat stream" } else { b"chat" });
        write_document(self.document(), key);
    }

    fn requested_temperature(&self) -> Option<f64> {
        self.body.temperature()
    }

    /// Not if `store` is false, nor if providers may keep nothing (`provider.zdr`): then neither do we.
    fn is_cacheable(&self) -> bool {
        self.document().get("store") != Some(b"false") && !forbids_retention(self.document())
    }

    fn ignores_header(&self, name: &HeaderName) -> bool {
        is_irrelevant_header(name)
    }
}

pub(crate) fn forbids_retention(document: &Document) -> bool {
    let Some(provider) = document.get("provider") else {
        return false;
    };
    let mut forbidden = false;
    let read = Cursor::new(provider).object_or_skip(|name, value| {
        let raw = value.raw()?;
        if name.is("zdr") {
            forbidden = raw == b"true";
        }
        Ok(())
    });
    read.is_ok() && forbidden
}

/// How deep the members of an object are sorted. Below that a value is distinguished as it is written: each level that is sorted is one more pass
/// over all that is in it.
const SORTED_LEVELS: u32 = 16;

pub(crate) fn write_document(document: &Document, key: &mut KeyWriter<'_>) {
    let mut members: SmallVec<[_; 16]> = SmallVec::new();
    members.extend(document.written().filter(|(name, ..)| is_relevant(name)));
    sort(&mut members, |(name, ..)| name.as_bytes());
    for &(name, raw, value) in &members {
        key.part(&distinguished(Cow::Borrowed(name.as_bytes()), raw));
        if write_text(value.trim_ascii(), key, 0).is_err() {
            // It goes out unchanged, so it is distinguished unchanged.
            key.part(value);
        }
    }
}

/// Stable: a name that stands twice keeps its order, as readers do not agree which one counts.
fn sort<T>(members: &mut [T], name: impl Fn(&T) -> &[u8]) {
    members.sort_by(|one, other| name(one).cmp(name(other)));
}

/// Writes one value: of what holds no others, the text as it stands.
fn write_text(value: &[u8], key: &mut KeyWriter<'_>, level: u32) -> Result<(), JsonError> {
    if level < SORTED_LEVELS && matches!(value.first(), Some(b'{' | b'[')) {
        let mut cursor = Cursor::new(value);
        write_value(&mut cursor, key, level)?;
        return cursor.end();
    }
    key.part(value);
    Ok(())
}

/// Writes the value that comes next, and steps over it.
fn write_value(cursor: &mut Cursor<'_>, key: &mut KeyWriter<'_>, level: u32) -> Result<(), JsonError> {
    match cursor.peek()? {
        Found::Object if level < SORTED_LEVELS => write_object(cursor, key, level),
        Found::Array if level < SORTED_LEVELS => {
            key.part(b"[");
            cursor.array_or_skip(|item| write_value(item, key, level + 1))?;
            key.part(b"]");
            Ok(())
        }
        _ => {
            key.part(cursor.raw()?);
            Ok(())
        }
    }
}

fn write_object(cursor: &mut Cursor<'_>, key: &mut KeyWriter<'_>, level: u32) -> Result<(), JsonError> {
    let mut members: SmallVec<[_; 8]> = SmallVec::new();
    cursor.object(|name, value| {
        members.push((plain(&name), value.raw()?));
        Ok(())
    })?;
    sort(&mut members, |(name, _)| name);
    // With their number, so that the end of the object is marked.
    let [a, b, c, d, ..] = members.len().to_le_bytes();
    key.part(&[b'{', a, b, c, d]);
    for (name, value) in &members {
        key.part(name);
        write_text(value, key, level + 1)?;
    }
    Ok(())
}

/// A name without escapes.
fn plain<'a>(name: &Text<'a>) -> Cow<'a, [u8]> {
    match name.plain() {
        Some(plain) => Cow::Borrowed(plain),
        None => distinguished(Cow::Owned(name.to_str().into_owned().into_bytes()), name.raw()),
    }
}

/// A name in which half of a surrogate pair was written reads like all others of its kind: as it is written, behind a byte that no text has.
fn distinguished<'a>(name: Cow<'a, [u8]>, raw: &[u8]) -> Cow<'a, [u8]> {
    const REPLACEMENT: &[u8] = "\u{fffd}".as_bytes();
    if raw.len() == name.len() || memmem::find(&name, REPLACEMENT).is_none() {
        return name;
    }
    Cow::Owned([b"\xff", raw].concat())
}
