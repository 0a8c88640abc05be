//! What is checked of a request for a message that came as JSON: only what is read here.

use crate::request::{
    RequestError,
    check::{common, filled, shape},
};
use crate::{document::Document, json::Found};

const MESSAGES: &str = "send at least one message, such as [{\"role\":\"user\",\"content\":\"…\"}]";

/// Checks a request.
///
/// # Errors
///
/// If it has nothing to answer, or a field that is read here is not what it must be: the error names it.
pub fn check(document: &Document) -> Result<(), RequestError> {
    match shape(document, "messages") {
        Some(Found::Array) => filled(document, "messages", "messages", MESSAGES)?,
        Some(found) => return Err(RequestError::shape("messages", found, "an array", MESSAGES)),
        None => {
            return Err(RequestError::Missing {
                field: "messages",
                fix: MESSAGES,
            });
        }
    }
    if shape(document, "max_tokens").is_none() {
        return Err(RequestError::Missing {
            field: "max_tokens",
            fix: "send how many tokens the answer may have",
        });
    }
    if let Some(found) = shape(document, "system")
        && !matches!(found, Found::String | Found::Array)
    {
        let fix = "send text, or blocks such as [{\"type\":\"text\",\"text\":\"…\"}]";
        return Err(RequestError::shape("system", found, "a string or an array", fix));
    }
    common(document, &["max_tokens"])
}
