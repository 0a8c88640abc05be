//! What single values of an answer say.

use crate::{
    error::means_failure,
    json::{Cursor, Found, JsonError, full, lenient_value},
    letters::{measure, measure_json},
};

/// How many letters a value has to a tokenizer: 0 if it is blank.
pub(crate) fn filled(value: &mut Cursor<'_>) -> Result<usize, JsonError> {
    if value.peek()? == Found::String {
        return Ok(full(value)?.map_or(0, measure));
    }
    let raw = value.raw()?;
    Ok(if is_blank(raw) { 0 } else { measure_json(raw) })
}

/// How many bytes a value has: 0 if it is blank. Of what no model wrote, which may be long.
pub(super) fn length(value: &mut Cursor<'_>) -> Result<usize, JsonError> {
    if value.peek()? == Found::String {
        return Ok(full(value)?.map_or(0, |text| text.raw().len()));
    }
    let raw = value.raw()?;
    Ok(if is_blank(raw) { 0 } else { raw.len() })
}

const fn is_blank(raw: &[u8]) -> bool {
    matches!(raw, b"null" | b"false" | b"0" | b"{}" | b"[]")
}

/// Whether a value under `error` tells of a failure.
pub(crate) fn is_error(value: &mut Cursor<'_>) -> Result<bool, JsonError> {
    let raw = value.raw()?;
    let is_nothing = matches!(raw, b"null" | b"false" | b"0" | b"\"\"" | b"{}" | b"[]");
    Ok(!is_nothing && lenient_value(raw).is_some_and(|(value, _)| means_failure(&value)))
}
