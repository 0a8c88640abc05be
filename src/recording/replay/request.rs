//! A request like a recorded one: its API, models, size and limits, with filler in the place of its content.

use http::{HeaderValue, Request};
use openrouter_wire::request::RequestError;
use serde_json::{Map, Value, json};
use tower_llm_layers::deadline::DEADLINE_HEADER;

use super::super::record::RecordedCall;
use crate::{Api, ApiRequest};

/// The largest content, in bytes: a prompt of a million tokens.
const LARGEST: usize = 4 << 20;

/// The limit of a message's answer if it names none: the API asks for one.
const MESSAGE_TOKENS: u64 = 4_096;

/// The request of this call.
pub(super) fn of(call: &RecordedCall) -> Result<Request<ApiRequest>, RequestError> {
    let mut members = Map::new();
    if let Some(model) = call.models.first() {
        members.insert("model".to_owned(), model.as_str().into());
    }
    if call.models.len() > 1 {
        let others = call.models.get(1..).unwrap_or_default();
        members.insert("models".to_owned(), others.iter().map(String::as_str).collect());
    }
    if call.stream && call.api != Api::Embeddings {
        members.insert("stream".to_owned(), true.into());
    }
    let limit = match call.api {
        Api::Chat => Some(("max_tokens", call.max_tokens)),
        Api::Responses => Some(("max_output_tokens", call.max_tokens)),
        Api::Messages => Some(("max_tokens", call.max_tokens.or(Some(MESSAGE_TOKENS)))),
        _ => None,
    };
    if let Some((name, Some(tokens))) = limit {
        members.insert(name.to_owned(), tokens.into());
    }
    let about = serde_json::to_vec(&members).map_or(0, |bytes| bytes.len());
    let wanted = usize::try_from(call.prompt_bytes).unwrap_or(LARGEST).min(LARGEST);
    let content: String = "word ".repeat(wanted.saturating_sub(about) / 5 + 1);
    let (name, content) = match call.api {
        Api::Chat | Api::Messages => ("messages", json!([{"role": "user", "content": content}])),
        _ => ("input", Value::from(content)),
    };
    members.insert(name.to_owned(), content);
    let body = serde_json::to_vec(&members).unwrap_or_default();
    let mut request = ApiRequest::from_json(call.api, body)?.into_http();
    if let Some(left) = call.deadline_ms
        && let Ok(left) = HeaderValue::try_from(format!("{left}ms"))
    {
        request.headers_mut().insert(DEADLINE_HEADER, left);
    }
    Ok(request)
}
