//! What is checked of a request for a response that came as JSON: only what is read here.

use crate::{
    request::{
        RequestError,
        check::{common, filled, shape, text},
    },
    transport::Dialect,
};
use openrouter_wire::{document::Document, json::Found};

const INPUT: &str = "send text, or items such as [{\"role\":\"user\",\"content\":\"…\"}]";

pub(super) fn check(document: &Document) -> Result<(), RequestError> {
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

/// What an upstream that understands this cannot take, whatever the model: OpenRouter keeps no responses.
pub(super) fn check_for(document: &Document, dialect: Dialect) -> Result<(), RequestError> {
    if dialect != Dialect::OpenRouter {
        return Ok(());
    }
    if document.get("store") == Some(b"true") {
        return Err(RequestError::Shape {
            field: "store",
            found: "true",
            expected: "false",
            fix: "OpenRouter keeps no responses: send false, or leave it out",
        });
    }
    let of_the_kept = [
        ("previous_response_id", "send the earlier items in `input`"),
        ("conversation", "send the earlier items in `input`"),
    ];
    for (field, fix) in of_the_kept {
        if let Some(found) = shape(document, field) {
            return Err(RequestError::shape(
                field,
                found,
                "null, as OpenRouter keeps no responses",
                fix,
            ));
        }
    }
    Ok(())
}
