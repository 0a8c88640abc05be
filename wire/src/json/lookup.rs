//! Single values and members of JSON text, looked up without building anything.

use super::{Cursor, JsonError, Text};

/// A string with something in it; steps over anything else.
///
/// # Errors
///
/// If it is not JSON.
#[inline]
pub fn full<'a>(value: &mut Cursor<'a>) -> Result<Option<Text<'a>>, JsonError> {
    Ok(value.string_or_skip()?.filter(|text| !text.is_empty()))
}

/// The text of a value that is a string.
#[must_use]
pub fn text(raw: &[u8]) -> Option<Text<'_>> {
    Cursor::new(raw).string_or_skip().ok().flatten()
}

/// Whether a value is this string.
#[must_use]
pub fn is_text(raw: &[u8], wanted: &str) -> bool {
    text(raw).is_some_and(|text| text.is(wanted))
}

/// The text of one member of an object, if it is a string.
#[must_use]
pub fn member<'a>(object: &'a [u8], name: &str) -> Option<Text<'a>> {
    raw_member(object, name).and_then(text)
}

/// The value of one member of an object, the last of that name.
#[must_use]
pub fn raw_member<'a>(object: &'a [u8], name: &str) -> Option<&'a [u8]> {
    let mut found = None;
    let walked = Cursor::new(object).object_or_skip(|key, value| {
        let raw = value.raw()?;
        if key.is(name) {
            found = Some(raw);
        }
        Ok(())
    });
    walked.ok().and(found)
}
