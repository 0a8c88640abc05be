//! Edits of a chat's JSON: usage of nothing, and another text.

use std::ops::Range;

use bytes::Bytes;

use crate::{
    document::Document,
    json::{Cursor, Found, JsonError, json_string},
};

/// The same JSON with usage of nothing; `None` if it is no JSON object.
#[must_use]
pub fn without_usage(bytes: &Bytes) -> Option<Bytes> {
    const NOTHING: &[u8] = br#"{"prompt_tokens":0,"completion_tokens":0,"total_tokens":0,"cost":0}"#;
    let mut document = Document::parse_answer(bytes).ok()?;
    document.set("usage", Bytes::from_static(NOTHING));
    Some(document.to_bytes())
}

/// The same chunk with another text in its first choice; `None` if it has none. Nothing else is read, so nothing else is lost.
///
/// The text is written to where a reader finds it. If a choice says the same text in its delta and as a completion, both are written.
#[must_use]
pub fn with_other_text(bytes: &Bytes, text: &str) -> Option<Bytes> {
    let places = TextPlaces::of(bytes).ok()?.written_to(bytes);
    if places.is_empty() {
        return None;
    }
    let text = json_string(text);
    let (mut written, mut at) = (Vec::with_capacity(bytes.len() + text.len()), 0);
    for place in places {
        written.extend_from_slice(bytes.get(at..place.start)?);
        written.extend_from_slice(&text);
        at = place.end;
    }
    written.extend_from_slice(bytes.get(at..)?);
    Some(written.into())
}

/// Where the text of the first choice stands: in its delta, or, of a completion, in the choice itself. Some servers write it to both.
#[derive(Default)]
struct TextPlaces {
    completion: Option<Range<usize>>,
    delta: Option<Range<usize>>,
}

impl TextPlaces {
    fn of(bytes: &[u8]) -> Result<Self, JsonError> {
        let mut places = Self::default();
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
                    b"text" => place_of(value).map(|place| places.completion = Some(place)),
                    // A delta that is the text itself.
                    b"delta" if value.peek()? == Found::String => {
                        place_of(value).map(|place| places.delta = Some(place))
                    }
                    b"delta" => value.object_or_skip(|key, value| {
                        if key.is("content") {
                            return place_of(value).map(|place| places.delta = Some(place));
                        }
                        value.skip()
                    }),
                    _ => value.skip(),
                })
            })
        })?;
        Ok(places)
    }

    /// Those in which the text stands that is read, in the order of the bytes: the delta's goes before that of a completion.
    fn written_to(self, bytes: &[u8]) -> Vec<Range<usize>> {
        let raw = |place: &Range<usize>| bytes.get(place.clone()).unwrap_or_default();
        let says = |place: &Range<usize>| !matches!(raw(place), b"null" | b"\"\"");
        match (self.completion, self.delta) {
            (Some(completion), Some(delta)) if raw(&completion) == raw(&delta) => {
                let mut both = vec![completion, delta];
                both.sort_unstable_by_key(|place| place.start);
                both
            }
            (Some(completion), Some(delta)) if !says(&delta) => vec![completion],
            (completion, delta) => delta.or(completion).into_iter().collect(),
        }
    }
}

fn place_of(value: &mut Cursor<'_>) -> Result<Range<usize>, JsonError> {
    let from = value.separator();
    value.skip()?;
    Ok(from..value.at())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::chat::ChunkProbe;

    #[test]
    fn the_text_that_is_read_is_the_text_that_is_written() {
        for (choice, written) in [
            (r#"{"delta":{"content":"old"}}"#, r#"{"delta":{"content":"new"}}"#),
            (r#"{"text":"old"}"#, r#"{"text":"new"}"#),
            (
                r#"{"text":"old","delta":{"role":"assistant","content":"old"}}"#,
                r#"{"text":"new","delta":{"role":"assistant","content":"new"}}"#,
            ),
            (
                r#"{"delta":{"content":"old"},"text":"old"}"#,
                r#"{"delta":{"content":"new"},"text":"new"}"#,
            ),
            (
                r#"{"text":"","delta":{"content":"old"}}"#,
                r#"{"text":"","delta":{"content":"new"}}"#,
            ),
            (
                r#"{"text":"all of it, old","delta":{"content":"old"}}"#,
                r#"{"text":"all of it, old","delta":{"content":"new"}}"#,
            ),
            (
                r#"{"text":"old","delta":{"content":""}}"#,
                r#"{"text":"new","delta":{"content":""}}"#,
            ),
            (
                r#"{"text":"old","delta":{"content":null}}"#,
                r#"{"text":"new","delta":{"content":null}}"#,
            ),
            (r#"{"text":"old","delta":{}}"#, r#"{"text":"new","delta":{}}"#),
            (r#"{"delta":"old"}"#, r#"{"delta":"new"}"#),
        ] {
            let chunk = |choice: &str| Bytes::from(format!(r#"{{"choices":[{choice}],"x":1}}"#));
            let edited = with_other_text(&chunk(choice), "new").unwrap();
            assert_eq!(edited, chunk(written), "{choice}");
            assert_eq!(
                ChunkProbe::read(&edited).unwrap().text().as_deref(),
                Some("new"),
                "{choice}"
            );
        }
        assert_eq!(with_other_text(&Bytes::from_static(b"{}"), "new"), None);
        assert_eq!(with_other_text(&Bytes::from_static(b"[]"), "new"), None);
    }
}
