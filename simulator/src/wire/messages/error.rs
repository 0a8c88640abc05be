//! Errors in the envelope of Messages.

use serde_json::{Value, json};

use crate::wire::error::set;
use crate::wire::inside::Inside;

/// The type of an error, by its word or else its status.
fn type_of(status: u16, kind: Option<&str>) -> &'static str {
    match (kind, status) {
        (Some("authentication"), _) | (None, 401) => "authentication_error",
        (Some("permission_denied"), _) | (None, 403) => "permission_error",
        (Some("payment_required"), _) | (None, 402) => "billing_error",
        (Some("not_found" | "image_not_found"), _) | (None, 404) => "not_found_error",
        (Some("rate_limit_exceeded"), _) | (None, 429) => "rate_limit_error",
        (Some("provider_overloaded"), _) | (None, 503 | 529) => "overloaded_error",
        (Some("timeout"), _) | (None, 408 | 504 | 524) => "timeout_error",
        (None, 413) => "request_too_large",
        (Some("server" | "unmapped" | "provider_unavailable"), _) | (None, 500..) => "api_error",
        _ => "invalid_request_error",
    }
}

/// An error before the answer: what chat says of it, in this envelope. What chat has beside the message stands at the top.
pub(crate) fn envelope(chat: &Value, status: u16) -> Value {
    let error = chat.get("error").unwrap_or(&Value::Null);
    let message = error.get("message").and_then(Value::as_str).unwrap_or("Error");
    let metadata = error.get("metadata").filter(|metadata| metadata.is_object());
    let word = |place: &Value| place.get("error_type").and_then(Value::as_str).map(str::to_owned);
    let kind = metadata.and_then(word).or_else(|| word(error));
    let mut inner = json!({"type": type_of(status, kind.as_deref()), "message": message});
    if let Some(kind) = kind {
        set(&mut inner, "error_type", kind.into());
    }
    if let Some(availability) = error.get("availability") {
        set(&mut inner, "availability", availability.clone());
    }
    let mut body = json!({"type": "error", "error": inner, "request_id": null});
    if let Some(metadata) = metadata {
        set(&mut body, "metadata", metadata.clone());
    }
    if let Some(routed) = chat.get("openrouter_metadata") {
        set(&mut body, "openrouter_metadata", routed.clone());
    }
    body
}

/// An error inside a 200.
pub(super) fn inside(inside: &Inside, id: &str) -> Value {
    let mut error = json!({"type": type_of(inside.status, inside.kind), "message": inside.message});
    match (&inside.code, inside.kind) {
        // A word of the API itself, or of OpenRouter.
        (Value::String(word), _) if word.ends_with("_error") => set(&mut error, "type", word.as_str().into()),
        (Value::String(word), _) => set(&mut error, "error_type", word.as_str().into()),
        (_, Some(kind)) => set(&mut error, "error_type", kind.into()),
        (_, None) => {}
    }
    json!({"type": "error", "error": error, "request_id": id})
}
