//! What single values of an answer say.

use crate::{
    error::means_failure,
    json::{Cursor, Found, JsonError, full, lenient_value},
};

/// How many bytes a value has to show: 0 if it is blank.
pub(crate) fn filled(value: &mut Cursor<'_>) -> Result<usize, JsonError> {
    if value.peek()? == Found::String {
        return Ok(full(value)?.map_or(0, |text| text.raw().len()));
    }
    let raw = value.raw()?;
    let is_blank = matches!(raw, b"null" | b"false" | b"0" | b"{}" | b"[]");
    Ok(if is_blank { 0 } else { raw.len() })
}

/// Whether a value under `error` tells of a failure.
pub(crate) fn is_error(value: &mut Cursor<'_>) -> Result<bool, JsonError> {
    let raw = value.raw()?;
    let says_nothing = matches!(raw, b"null" | b"false" | b"0" | b"\"\"" | b"{}" | b"[]");
    Ok(!says_nothing && lenient_value(raw).is_some_and(|(value, _)| means_failure(&value)))
}
