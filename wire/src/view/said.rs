//! Texts that servers write in several shapes.

use super::read::{Field, Wire, skipped};
use crate::json::{Cursor, Found, JsonError};

/// What a model said: a string, or the texts of a list of parts, one after another. Of another value, its JSON text.
///
/// A part that is no text, such as a picture or a piece of reasoning, adds nothing.
pub(crate) fn said_text(cursor: &mut Cursor<'_>) -> Result<Field<Option<String>>, JsonError> {
    match cursor.peek()? {
        Found::String | Found::Null => Option::read(cursor),
        Found::Array => {
            let (mut text, mut any) = (String::new(), false);
            cursor.array_or_skip(|part| {
                if let Some(more) = text_of_part(part)? {
                    text.push_str(&more);
                    any = true;
                }
                Ok(())
            })?;
            Ok(Field::Partly(any.then_some(text)))
        }
        Found::Object => {
            let from = cursor.separator();
            let text = text_of_part(cursor)?;
            let text = text.unwrap_or_else(|| lossy(cursor.since(from)));
            Ok(Field::Partly(Some(text)))
        }
        _ => Ok(Field::Partly(Some(lossy(cursor.raw()?)))),
    }
}

/// JSON text in a string, as arguments are written; some servers write the JSON itself.
pub(crate) fn json_text(cursor: &mut Cursor<'_>) -> Result<Field<Option<String>>, JsonError> {
    match cursor.peek()? {
        Found::String | Found::Null => Option::read(cursor),
        _ => Ok(Field::Partly(Some(lossy(cursor.raw()?)))),
    }
}

/// The text of one part: a string, or an object with a `text`, which may be an object with a `value`.
fn text_of_part(part: &mut Cursor<'_>) -> Result<Option<String>, JsonError> {
    match part.peek()? {
        Found::String => Ok(Some(part.string()?.to_str().into_owned())),
        Found::Object => {
            let (mut text, mut thought) = (None, false);
            part.object(|key, value| match &*key.to_str() {
                "text" => {
                    text = text_or_value(value)?;
                    Ok(())
                }
                "type" => {
                    let kind = value.string_or_skip()?;
                    thought = kind.is_some_and(|kind| is_thought(&kind.to_str()));
                    Ok(())
                }
                _ => value.skip(),
            })?;
            Ok(text.filter(|_| !thought))
        }
        _ => skipped::<()>(part).map(|_| None),
    }
}

fn text_or_value(value: &mut Cursor<'_>) -> Result<Option<String>, JsonError> {
    if value.peek()? == Found::String {
        return Ok(Some(value.string()?.to_str().into_owned()));
    }
    let mut text = None;
    value.object_or_skip(|key, value| {
        if key.is("value") {
            text = value.string_or_skip()?.map(|text| text.to_str().into_owned());
            return Ok(());
        }
        value.skip()
    })?;
    Ok(text)
}

fn is_thought(kind: &str) -> bool {
    ["thinking", "reasoning", "thought"]
        .iter()
        .any(|word| kind.contains(word))
}

fn lossy(raw: &[u8]) -> String {
    String::from_utf8_lossy(raw).into_owned()
}
