//! What is checked of a request for a response that came as JSON: only what is read here.

use crate::request::{
    RequestError,
    check::{common, filled, shape, text},
};
use crate::{document::Document, json::Found};

const INPUT: &str = "send text, or items such as [{\"role\":\"user\",\"content\":\"…\"}]";

/// Checks a request.
///
/// # Errors
///
/// If it has nothing to answer, or a field that is read here is not what it must be: the error names it.
pub fn check(document: &Document) -> Result<(), RequestError> {
    input(document)?;
    text(document, "instructions", "a string", "send text, or leave it out")?;
    if let Some(found) = shape(document, "store")
        && found != Found::Bool
    {
        return Err(RequestError::shape("store", found, "a boolean", "send false"));
    }
    let fix = "send the id of a response, or leave it out";
    text(document, "previous_response_id", "a string", fix)?;
    common(document, &["max_output_tokens"])
}

fn input(document: &Document) -> Result<(), RequestError> {
    match shape(document, "input") {
        Some(Found::String) => Ok(()),
        Some(Found::Array) => filled(document, "input", "items", INPUT),
        Some(found) => Err(RequestError::shape("input", found, "a string or an array", INPUT)),
        // A stored prompt, or what an earlier response has left.
        None if ["prompt", "previous_response_id", "conversation"]
            .iter()
            .any(|field| shape(document, field).is_some()) =>
        {
            Ok(())
        }
        None => Err(RequestError::Missing {
            field: "input",
            fix: INPUT,
        }),
    }
}
