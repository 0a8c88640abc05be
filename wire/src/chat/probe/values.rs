//! What single values of an answer say.

use crate::{
    error::means_failure,
    json::{Cursor, Found, JsonError, Text, full, lenient_value},
    letters::{measure, measure_json},
};

pub(super) fn keep<'a>(place: &mut Option<Text<'a>>, value: &mut Cursor<'a>) -> Result<(), JsonError> {
    if let Some(text) = full(value)? {
        *place = Some(text);
    }
    Ok(())
}

/// How many letters a value has to a tokenizer: 0 if it is empty, like `""`, `{}`, `[]` and `null`.
pub(super) fn filled(value: &mut Cursor<'_>) -> Result<usize, JsonError> {
    match value.peek()? {
        Found::String => Ok(full(value)?.map_or(0, measure)),
        Found::Object | Found::Array => {
            let raw = value.raw()?;
            // An object of empty strings says nothing.
            let inner = Cursor::lenient(raw);
            Ok(if is_not_blank(inner)? { measure_json(raw) } else { 0 })
        }
        Found::Null => value.skip().map(|()| 0),
        _ => Ok(value.raw()?.len()),
    }
}

fn is_not_blank(mut value: Cursor<'_>) -> Result<bool, JsonError> {
    let mut any = false;
    let mut look = |item: &mut Cursor<'_>| -> Result<(), JsonError> {
        any |= !matches!(item.raw()?, b"null" | b"\"\"" | b"{}" | b"[]");
        Ok(())
    };
    if value.peek()? == Found::Array {
        value.array_or_skip(look)?;
    } else {
        value.object_or_skip(|_, item| look(item))?;
    }
    Ok(any)
}

/// Whether a value under `error` tells of a failure. Some servers say `false`, `0`, `""`, `{}`, `"success"` or an object of blanks where
/// there is none.
pub(super) fn is_error(value: &mut Cursor<'_>) -> Result<bool, JsonError> {
    let raw = value.raw()?;
    let is_nothing = matches!(raw, b"null" | b"false" | b"0" | b"\"\"" | b"{}" | b"[]");
    Ok(!is_nothing && means_error(raw))
}

/// The same of a value that must be built to be checked: only failed answers and those of some servers have one.
#[cold]
pub(super) fn means_error(raw: &[u8]) -> bool {
    lenient_value(raw).is_some_and(|(value, _)| means_failure(&value))
}
