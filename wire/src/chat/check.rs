//! What is checked of a chat that came as JSON: only what is read here.

use crate::{
    document::Document,
    json::Found,
    request::{
        RequestError,
        check::{common, filled, shape, text},
    },
};

/// Checks a request.
///
/// # Errors
///
/// If it has nothing to answer, or a field that is read here is not what it must be: the error names it.
pub fn check(document: &Document) -> Result<(), RequestError> {
    turns(document)?;
    common(document, &["max_tokens", "max_completion_tokens"])
}

fn turns(document: &Document) -> Result<(), RequestError> {
    const FIX: &str = "send at least one message, such as [{\"role\":\"user\",\"content\":\"…\"}]";
    match shape(document, "messages") {
        Some(Found::Array) => filled(document, "messages", "messages", FIX),
        Some(found) => Err(RequestError::shape("messages", found, "an array", FIX)),
        None if shape(document, "prompt").is_some() => {
            text(document, "prompt", "a string", "send text, or `messages` instead")
        }
        None => Err(RequestError::Missing {
            field: "messages",
            fix: FIX,
        }),
    }
}
