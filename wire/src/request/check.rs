//! What is checked of a request that came as JSON.
//!
//! Checks only what this side reads itself: everything else is checked by the upstream, which knows its fields better.

use crate::request::{RequestError, alternatives};
use crate::{
    document::Document,
    json::{Cursor, Found, Text, text as text_of},
};

/// The longest name of a model, in bytes: far longer than any there is.
const LONGEST_MODEL: usize = 400;

const MODEL: &str = "send a slug such as \"openai/gpt-5\", or leave it out";

/// What the requests of all APIs have alike; `limits` are the fields with a limit of tokens.
///
/// # Errors
///
/// The field at fault.
pub fn common(document: &Document, limits: &[&'static str]) -> Result<(), RequestError> {
    text(document, "model", "a string", MODEL)?;
    if let Some(model) = document.get("model").and_then(text_of) {
        named("model", model, MODEL)?;
    }
    if let Some(found) = shape(document, "stream")
        && found != Found::Bool
    {
        return Err(RequestError::shape("stream", found, "a boolean", "send true or false"));
    }
    limits.iter().try_for_each(|field| whole(document, field))?;
    alternatives::check(document)
}

/// The kind of value in a field; `None` if it is absent or null.
#[must_use]
pub fn shape(document: &Document, field: &str) -> Option<Found> {
    let found = Cursor::new(document.get(field)?).peek().ok()?;
    (found != Found::Null).then_some(found)
}

/// Checks that an array has something in it.
///
/// # Errors
///
/// The field at fault.
pub fn filled(
    document: &Document,
    field: &'static str,
    expected: &'static str,
    fix: &'static str,
) -> Result<(), RequestError> {
    if !is_empty_array(document.get(field).unwrap_or_default()) {
        return Ok(());
    }
    Err(RequestError::Shape {
        field,
        found: "an empty array",
        expected,
        fix,
    })
}

/// Checks that a field is text, absent or null.
///
/// # Errors
///
/// The field at fault.
pub fn text(
    document: &Document,
    field: &'static str,
    expected: &'static str,
    fix: &'static str,
) -> Result<(), RequestError> {
    match shape(document, field) {
        None | Some(Found::String) => Ok(()),
        Some(found) => Err(RequestError::shape(field, found, expected, fix)),
    }
}

/// Checks a name: it goes into logs, metrics, headers and tables, and an upstream must read the same name in it.
///
/// # Errors
///
/// The field that it is in.
pub(super) fn named(field: &'static str, model: Text<'_>, fix: &'static str) -> Result<(), RequestError> {
    let name = model.to_str();
    let found = if name.len() > LONGEST_MODEL {
        "a name of over 400 bytes"
    } else if name.contains(char::is_control) {
        "a name with control characters"
    } else if name.contains(char::REPLACEMENT_CHARACTER) {
        "a name that cannot be read"
    } else {
        return Ok(());
    };
    Err(RequestError::Shape {
        field,
        found,
        expected: "the name of a model",
        fix,
    })
}

/// How to mend a limit of tokens.
const LIMIT: &str = "send how many tokens the answer may have, or leave it out";

/// A whole number above 0.
fn whole(document: &Document, field: &'static str) -> Result<(), RequestError> {
    const EXPECTED: &str = "a whole number above 0";
    match number(document, field, EXPECTED)? {
        Some(0) => Err(RequestError::Shape {
            field,
            found: "zero",
            expected: EXPECTED,
            fix: LIMIT,
        }),
        _ => Ok(()),
    }
}

/// Checks that a limit of tokens is a whole number, which may be 0, or absent or null.
///
/// # Errors
///
/// The field at fault.
pub fn whole_or_none(document: &Document, field: &'static str) -> Result<(), RequestError> {
    number(document, field, "a whole number").map(|_| ())
}

fn number(document: &Document, field: &'static str, expected: &'static str) -> Result<Option<u64>, RequestError> {
    match shape(document, field) {
        None => Ok(None),
        Some(Found::Number) => match Cursor::new(document.get(field).unwrap_or_default()).u64_or_skip()? {
            Some(number) => Ok(Some(number)),
            None => Err(RequestError::Shape {
                field,
                found: "a negative, fractional or huge number",
                expected,
                fix: LIMIT,
            }),
        },
        Some(found) => Err(RequestError::shape(field, found, expected, LIMIT)),
    }
}

/// Looks at the first two marks alone: the text is known to be JSON.
fn is_empty_array(raw: &[u8]) -> bool {
    raw.iter().skip(1).find(|byte| !byte.is_ascii_whitespace()) == Some(&b']')
}
