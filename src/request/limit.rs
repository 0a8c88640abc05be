//! The limits of tokens that a request says, perhaps in two fields at once.

use openrouter_wire::{document::Document, json::Cursor};

/// The largest limit that goes out in these fields, one that is written twice included: which of them an upstream goes by, it alone knows.
pub(super) fn largest(document: &Document, fields: &[&str]) -> Option<u64> {
    if !fields.iter().any(|field| document.has(field)) {
        return None;
    }
    let written = document.written();
    let limits = written.filter_map(|(key, _, raw)| fields.contains(&key).then(|| whole(raw)).flatten());
    limits.max()
}

/// The limit that this field says, if it says one.
pub(super) fn of(document: &Document, field: &str) -> Option<u64> {
    document.get(field).and_then(whole)
}

/// A value that is a whole number.
pub(super) fn whole(raw: &[u8]) -> Option<u64> {
    Cursor::new(raw).u64_or_skip().ok().flatten()
}
