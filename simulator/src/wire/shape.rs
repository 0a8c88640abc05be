//! Errors in the shapes of other servers.

use serde_json::{Value, json};

use crate::fault::{ErrorShape, Fault, given};

/// The shape that a clause asks for.
pub(crate) fn of(faults: &[Fault]) -> Option<ErrorShape> {
    given!(faults, Fault::ErrorShape)
}

/// The body of an error, with or without a status; `None` if the shape is not one of a body.
pub(crate) fn plain(shape: ErrorShape, status: u16, message: &str) -> Option<String> {
    if shape == ErrorShape::Text {
        return Some(format!("error: {message}"));
    }
    json(shape, status, message).map(|json| json.to_string())
}

/// The event of an error in a stream; `None` if the shape is the API's own.
pub(crate) fn streamed(shape: ErrorShape, status: u16, message: &str, name: Option<&str>) -> Option<String> {
    let error = json!({"error": {"message": message, "code": status}});
    Some(match shape {
        ErrorShape::Unframed => format!("{error}\n\n"),
        ErrorShape::Glued => format!("data: {{\"id\":\"gen-1\",\"choices\":[{{\"index\":0,\"del\ndata: {error}\n\n"),
        ErrorShape::Text => super::event(None, &plain(shape, status, message)?),
        _ => super::event(name, &plain(shape, status, message)?),
    })
}

fn json(shape: ErrorShape, status: u16, message: &str) -> Option<Value> {
    Some(match shape {
        ErrorShape::Array => {
            let mut error = json!({"code": status, "message": message, "status": grpc(status)});
            if status == 429 {
                let retry = json!([{"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": "34s"}]);
                super::error::set(&mut error, "details", retry);
            }
            json!([{"error": error}])
        }
        ErrorShape::ErrorArray => json!({"error": [{"message": message}]}),
        ErrorShape::Detail => json!({"detail": message}),
        ErrorShape::DetailList => {
            json!({"detail": [{"loc": ["body", "messages"], "msg": message, "type": "value_error.missing"}]})
        }
        ErrorShape::Errors => {
            json!({"success": false, "errors": [{"code": 3040, "message": message}], "result": null})
        }
        ErrorShape::Flat => json!({"message": message, "code": status}),
        ErrorShape::Msg => json!({"code": status, "msg": message}),
        ErrorShape::BaseResp => {
            json!({"id": "", "choices": null, "base_resp": {"status_code": 1002, "status_msg": message}})
        }
        ErrorShape::String => json!({"code": status.to_string(), "error": message}),
        ErrorShape::StringCode => {
            json!({"error": {"code": super::responses::code(status, None), "message": message}, "metadata": null})
        }
        _ => return None,
    })
}

/// The word that gRPC has for a status.
fn grpc(status: u16) -> &'static str {
    match status {
        400 | 422 => "INVALID_ARGUMENT",
        401 => "UNAUTHENTICATED",
        403 => "PERMISSION_DENIED",
        404 => "NOT_FOUND",
        429 => "RESOURCE_EXHAUSTED",
        502 | 503 | 529 => "UNAVAILABLE",
        408 | 504 => "DEADLINE_EXCEEDED",
        _ => "INTERNAL",
    }
}
