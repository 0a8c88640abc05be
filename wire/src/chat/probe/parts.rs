//! Contents in parts, tool calls and pictures: lists of objects.

use super::values::filled;
use crate::{
    json::{Cursor, Found, JsonError, full},
    letters::measure,
};

/// What was found in a list of parts.
#[derive(Default)]
pub(super) struct Part {
    /// Letters of it that a model wrote, as a tokenizer sees them.
    pub(super) letters: usize,
    /// Whether there is something to show.
    pub(super) any: bool,
    /// Pictures among it.
    pub(super) pictures: usize,
}

/// Looks at a list of parts, or at one part by itself.
pub(super) fn parts(value: &mut Cursor<'_>) -> Result<Part, JsonError> {
    let mut found = Part::default();
    if value.peek()? == Found::Array {
        value.array_or_skip(|item| part(item, &mut found))?;
    } else {
        part(value, &mut found)?;
    }
    Ok(found)
}

fn part(value: &mut Cursor<'_>, found: &mut Part) -> Result<(), JsonError> {
    match value.peek()? {
        Found::String => {
            if let Some(text) = full(value)? {
                found.any = true;
                found.letters += measure(text);
            }
            Ok(())
        }
        Found::Object => {
            let mut is_text = false;
            let mut others = false;
            value.object(|key, value| {
                match key.name() {
                    b"text" | b"thinking" | b"reasoning" => {
                        is_text = true;
                        if matches!(value.peek()?, Found::Object | Found::Array) {
                            return nested(value, found);
                        }
                        let letters = filled(value)?;
                        found.any |= letters > 0;
                        found.letters += letters;
                    }
                    b"name" | b"arguments" => {
                        others = true;
                        found.letters += filled(value)?;
                    }
                    b"function" => {
                        others = true;
                        value.object_or_skip(|key, value| match key.name() {
                            b"name" | b"arguments" => {
                                found.letters += filled(value)?;
                                Ok(())
                            }
                            _ => value.skip(),
                        })?;
                    }
                    b"type" | b"signature" | b"closed" => value.skip()?,
                    b"image_url" | b"inline_data" | b"inlineData" | b"b64_json" => {
                        let is_there = value.peek()? != Found::Null;
                        others |= is_there;
                        found.pictures += usize::from(is_there);
                        value.skip()?;
                    }
                    _ => {
                        others |= value.peek()? != Found::Null;
                        value.skip()?;
                    }
                }
                Ok(())
            })?;
            found.any |= others && !is_text;
            Ok(())
        }
        _ => value.skip(),
    }
}

/// Looks at a thought that is a list of parts, as Mistral writes it, or one part. Its texts are what a model wrote; whatever else it has, such as an
/// encrypted thought, is a sign of an answer alone.
fn nested(value: &mut Cursor<'_>, found: &mut Part) -> Result<(), JsonError> {
    value.each_or_self(|part| {
        if part.peek()? != Found::Object {
            return thought(part, found);
        }
        part.object(|key, value| {
            match key.name() {
                b"text" | b"thinking" | b"reasoning" => thought(value, found)?,
                b"type" | b"signature" | b"closed" => value.skip()?,
                _ => found.any |= filled(value)? > 0,
            }
            Ok(())
        })
    })
}

/// A thought by itself: text, or a sign of one.
fn thought(value: &mut Cursor<'_>, found: &mut Part) -> Result<(), JsonError> {
    let is_text = value.peek()? == Found::String;
    let letters = filled(value)?;
    found.any |= letters > 0;
    found.letters += if is_text { letters } else { 0 };
    Ok(())
}

/// Looks at a list of tool calls, or at one by itself. A call shows something once it has a name or arguments: an id alone does not.
pub(super) fn calls(value: &mut Cursor<'_>) -> Result<Part, JsonError> {
    let mut letters = 0;
    value.each_or_self(|call| {
        call.object_or_skip(|key, value| match key.name() {
            b"index" | b"id" | b"type" => value.skip(),
            b"name" | b"arguments" | b"input" => written(value, &mut letters),
            // `function`, `custom`.
            _ => value.object_or_skip(|key, value| match key.name() {
                b"name" | b"arguments" | b"input" => written(value, &mut letters),
                _ => value.skip(),
            }),
        })
    })?;
    Ok(Part {
        letters,
        any: letters > 0,
        pictures: 0,
    })
}

fn written(value: &mut Cursor<'_>, letters: &mut usize) -> Result<(), JsonError> {
    *letters += filled(value)?;
    Ok(())
}

/// The text of a content in parts; what is no text is left out, thoughts too.
pub(super) fn text(parts: &[u8]) -> Option<String> {
    let mut whole = String::new();
    let walked = Cursor::lenient(parts).each_or_self(|item| add_text(item, &mut whole));
    walked.ok()?;
    (!whole.is_empty()).then_some(whole)
}

fn add_text(part: &mut Cursor<'_>, whole: &mut String) -> Result<(), JsonError> {
    if part.peek()? == Found::String {
        whole.push_str(&part.string()?.to_str());
        return Ok(());
    }
    let (mut text, mut is_text) = (None, true);
    part.object_or_skip(|key, value| match key.name() {
        b"text" => {
            text = full(value)?;
            Ok(())
        }
        b"type" => {
            let kind = full(value)?;
            is_text = kind.is_none_or(|kind| matches!(kind.raw(), b"text" | b"output_text"));
            Ok(())
        }
        _ => value.skip(),
    })?;
    if let Some(text) = text.filter(|_| is_text) {
        whole.push_str(&text.to_str());
    }
    Ok(())
}
