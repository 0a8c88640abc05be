//! What single values of an answer say.

use crate::request::scan::{Cursor, Text};
use crate::request::{Found, JsonError};

pub(super) fn keep<'a>(place: &mut Option<Text<'a>>, value: &mut Cursor<'a>) -> Result<(), JsonError> {
    if let Some(text) = full(value)? {
        *place = Some(text);
    }
    Ok(())
}

/// Steps over a part of a content or a tool call; returns how many bytes of it a model wrote.
pub(super) fn text_bytes(part: &mut Cursor<'_>) -> Result<usize, JsonError> {
    let mut bytes = 0;
    part.object_or_skip(|key, value| match key.name() {
        b"text" | b"name" | b"arguments" => {
            bytes += full(value)?.map_or(0, |text| text.raw().len());
            Ok(())
        }
        b"function" => {
            bytes += text_bytes(value)?;
            Ok(())
        }
        _ => value.skip(),
    })?;
    Ok(bytes)
}

/// A string with something in it.
pub(super) fn full<'a>(value: &mut Cursor<'a>) -> Result<Option<Text<'a>>, JsonError> {
    Ok(value.string_or_skip()?.filter(|text| !text.is_empty()))
}

/// An object, or a message, a code or a flag by itself. Some say `false`, `0`, `""` or `[]` where there is none.
pub(super) fn is_error(value: &mut Cursor<'_>) -> Result<bool, JsonError> {
    let found = value.peek()?;
    let raw = value.raw()?;
    Ok(match found {
        Found::Object => true,
        Found::Array => raw
            .iter()
            .any(|byte| !matches!(byte, b'[' | b']') && !byte.is_ascii_whitespace()),
        _ => !matches!(raw, b"null" | b"false" | b"0" | b"\"\""),
    })
}
