//! By what an answer to a request is found in a cache.

use std::borrow::Cow;

use tower_llm_layers::{CacheKey, KeyWriter};

use super::{
    ChatRequest, Document, Found, JsonError,
    scan::{Cursor, Text},
};
use crate::EmbeddingRequest;

/// Fields that do not change the answer: who asks, what it is called in logs, and what the provider's own cache makes of the
/// prompt. `stream` is written by itself, and `usage` has no effect upstream.
const IRRELEVANT: [&str; 10] = [
    "stream",
    "user",
    "session_id",
    "metadata",
    "trace",
    "prompt_cache_key",
    "prompt_cache_options",
    "cache_control",
    "usage",
    "store",
];

/// The members of the body in the order of their names, at every level; numbers and strings by their text. A chunk of a stream
/// is no use to a caller who wants a whole answer, nor the other way round, so the two are kept apart.
impl CacheKey for ChatRequest {
    fn write_key(&self, key: &mut KeyWriter<'_>) {
        key.part(b"chat");
        key.part(if self.is_streaming() { b"stream" } else { b"whole" });
        write_document(self.document(), key);
    }

    fn asked_temperature(&self) -> Option<f64> {
        let written = std::str::from_utf8(self.document().get("temperature")?).ok()?;
        written.parse().ok()
    }

    /// Not where `store` is false, nor where providers may keep nothing (`provider.zdr`): then neither do we.
    fn may_be_kept(&self) -> bool {
        self.document().get("store") != Some(b"false") && !forbids_retention(self.document())
    }
}

/// As that of a [`ChatRequest`]. Embeddings have no chance in them, so they count as asked for at temperature 0.
impl CacheKey for EmbeddingRequest {
    fn write_key(&self, key: &mut KeyWriter<'_>) {
        key.part(b"embeddings");
        write_document(self.document(), key);
    }

    fn asked_temperature(&self) -> Option<f64> {
        Some(0.0)
    }

    fn may_be_kept(&self) -> bool {
        !forbids_retention(self.document())
    }
}

fn forbids_retention(document: &Document) -> bool {
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

fn write_document(document: &Document, key: &mut KeyWriter<'_>) {
    let mut names: Vec<_> = document.keys().filter(|name| !IRRELEVANT.contains(name)).collect();
    names.sort_unstable();
    for name in names {
        let value = document.get(name).unwrap_or_default();
        key.part(name.as_bytes());
        if write_value(&mut Cursor::new(value), key).is_err() {
            // It goes out as it is; so it is told apart as it is.
            key.part(value);
        }
    }
}

/// Writes the value that comes next, and steps over it.
fn write_value(cursor: &mut Cursor<'_>, key: &mut KeyWriter<'_>) -> Result<(), JsonError> {
    match cursor.peek()? {
        Found::Object => write_object(cursor, key),
        Found::Array => {
            key.part(b"[");
            cursor.array_or_skip(|item| write_value(item, key))?;
            key.part(b"]");
            Ok(())
        }
        _ => {
            key.part(cursor.raw()?);
            Ok(())
        }
    }
}

fn write_object(cursor: &mut Cursor<'_>, key: &mut KeyWriter<'_>) -> Result<(), JsonError> {
    let mut members = Vec::with_capacity(8);
    cursor.object(|name, value| {
        let found = value.peek()?;
        members.push((plain(name), found, value.raw()?));
        Ok(())
    })?;
    // Stable: a name that stands twice keeps its order, as readers do not agree which one counts.
    members.sort_by(|(one, ..), (other, ..)| one.cmp(other));
    // With their number, so that the end of the object is told.
    key.part(b"{");
    key.part(&(members.len() as u64).to_le_bytes());
    for (name, found, raw) in members {
        key.part(&name);
        match found {
            Found::Object | Found::Array => write_value(&mut Cursor::new(raw), key)?,
            _ => key.part(raw),
        }
    }
    Ok(())
}

/// A name without escapes.
fn plain(name: Text<'_>) -> Cow<'_, [u8]> {
    match name.plain() {
        Some(plain) => Cow::Borrowed(plain),
        None => Cow::Owned(name.to_str().into_owned().into_bytes()),
    }
}
