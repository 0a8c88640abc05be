//! Edits of a chat's JSON: usage of nothing, and another text.

use std::ops::Range;

use bytes::Bytes;

use crate::{
    document::Document,
    json::{Cursor, JsonError, json_string},
};

/// The same JSON with usage of nothing; `None` if it is no JSON object.
#[must_use]
pub fn unpaid(bytes: &Bytes) -> Option<Bytes> {
    const NOTHING: &[u8] = br#"{"prompt_tokens":0,"completion_tokens":0,"total_tokens":0,"cost":0}"#;
    let mut document = Document::parse_answer(bytes).ok()?;
    document.set("usage", Bytes::from_static(NOTHING));
    Some(document.to_bytes())
}

/// The same chunk with another text in its first choice; `None` if it has none. Nothing else is read, so nothing else is lost.
#[must_use]
pub fn with_other_text(bytes: &Bytes, text: &str) -> Option<Bytes> {
    let place = place_of_text(bytes).ok()??;
    let (before, after) = (bytes.get(..place.start)?, bytes.get(place.end..)?);
    Some([before, &json_string(text), after].concat().into())
}

/// Where the text of the first choice stands. The text of a completion is a member of the choice itself.
fn place_of_text(bytes: &[u8]) -> Result<Option<Range<usize>>, JsonError> {
    let (mut completion, mut delta) = (None, None);
    Cursor::lenient(bytes).object(|key, value| {
        if !key.is("choices") {
            return value.skip();
        }
        let mut first = true;
        value.array_or_skip(|choice| {
            if !std::mem::take(&mut first) {
                return choice.skip();
            }
            choice.object_or_skip(|key, value| match key.name() {
                b"text" => place_of(value).map(|place| completion = Some(place)),
                b"delta" => value.object_or_skip(|key, value| {
                    if key.is("content") {
                        return place_of(value).map(|place| delta = Some(place));
                    }
                    value.skip()
                }),
                _ => value.skip(),
            })
        })
    })?;
    Ok(completion.or(delta))
}

fn place_of(value: &mut Cursor<'_>) -> Result<Range<usize>, JsonError> {
    let from = value.separator();
    value.skip()?;
    Ok(from..value.at())
}
