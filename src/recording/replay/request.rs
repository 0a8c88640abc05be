//! A request like a recorded one: its API, models, size and limits, with filler in the place of its content.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

use http::{HeaderValue, Request};
use openrouter_wire::request::RequestError;
use serde_json::{Map, Value, json};
use tower_llm_layers::deadline::DEADLINE_HEADER;

use super::super::record::RecordedCall;
use crate::{Api, ApiRequest};

/// The largest content, in bytes: a prompt of a million tokens.
const LARGEST: usize = 4 << 20;

/// The most content of all requests at once, in bytes: a short line of a recording may say that its prompt was large, and many may say that they
/// came at the same time.
const LARGEST_SUM: usize = 512 << 20;

/// The longest time that [`DEADLINE_HEADER`] takes, in milliseconds: seven days.
const LONGEST_DEADLINE_MS: u64 = 7 * 24 * 60 * 60 * 1_000;

/// The content of the requests that are in progress, in bytes.
static CONTENT: AtomicUsize = AtomicUsize::new(0);

/// The content of one request, until the last copy of its extensions is dropped.
struct Content {
    /// That of all requests.
    sum: &'static AtomicUsize,
    bytes: usize,
}

impl Content {
    /// So much of it as there is room for.
    fn take(sum: &'static AtomicUsize, wanted: usize) -> Self {
        let before = sum.fetch_add(wanted, Ordering::Relaxed);
        let bytes = LARGEST_SUM.saturating_sub(before).min(wanted);
        sum.fetch_sub(wanted - bytes, Ordering::Relaxed);
        Self { sum, bytes }
    }
}

impl Drop for Content {
    fn drop(&mut self) {
        self.sum.fetch_sub(self.bytes, Ordering::Relaxed);
    }
}

/// The limit of a message's answer if it names none: the API asks for one.
const MESSAGE_TOKENS: u64 = 4_096;

/// The request of this call, and whether its content is shorter than the recorded one.
pub(super) fn of(call: &RecordedCall) -> Result<(Request<ApiRequest>, bool), RequestError> {
    with_content_of(call, &CONTENT)
}

/// The same, with a sum of its content of all requests.
fn with_content_of(
    call: &RecordedCall,
    sum: &'static AtomicUsize,
) -> Result<(Request<ApiRequest>, bool), RequestError> {
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
    let recorded = usize::try_from(call.prompt_bytes)
        .unwrap_or(usize::MAX)
        .saturating_sub(about);
    let held = Content::take(sum, recorded.min(LARGEST.saturating_sub(about)));
    let is_shortened = held.bytes < recorded;
    let content: String = "word ".repeat(held.bytes / 5 + 1);
    let (name, content) = match call.api {
        Api::Chat | Api::Messages => ("messages", json!([{"role": "user", "content": content}])),
        _ => ("input", Value::from(content)),
    };
    members.insert(name.to_owned(), content);
    let body = serde_json::to_vec(&members).unwrap_or_default();
    let mut request = ApiRequest::from_json(call.api, body)?.into_http();
    request.extensions_mut().insert(Arc::new(held));
    let left = call.deadline_ms.map(|left| left.min(LONGEST_DEADLINE_MS));
    if let Some(left) = left
        && let Ok(left) = HeaderValue::try_from(format!("{left}ms"))
    {
        request.headers_mut().insert(DEADLINE_HEADER, left);
    }
    Ok((request, is_shortened))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn call(more: &str) -> RecordedCall {
        let text = format!(
            "{{\"at_ms\":0,\"api\":\"chat\",\"models\":[\"a/b\"],\"prompt_bytes\":99999999999,\"outcome\":\"left\",\"whole_ms\":2{more}}}"
        );
        serde_json::from_str(&text).unwrap()
    }

    fn content(request: &Request<ApiRequest>) -> usize {
        request.extensions().get::<Arc<Content>>().unwrap().bytes
    }

    #[test]
    fn the_contents_of_all_requests_at_once_are_bounded_and_a_shorter_one_is_reported() {
        static SUM: AtomicUsize = AtomicUsize::new(0);
        let of = |prompt_bytes: u64| {
            let call = RecordedCall {
                prompt_bytes,
                ..call("")
            };
            with_content_of(&call, &SUM).unwrap()
        };
        let many: Vec<_> = (0..LARGEST_SUM / LARGEST * 2)
            .map(|_| Content::take(&SUM, LARGEST))
            .collect();
        let sum: usize = many.iter().map(|content| content.bytes).sum();
        assert!(sum <= LARGEST_SUM, "{sum}");
        let (request, is_shortened) = of(1_000);
        assert_eq!(
            (content(&request), is_shortened),
            (0, true),
            "there is no room for more"
        );
        drop(many);
        let (request, is_shortened) = of(1_000);
        assert_eq!((content(&request) > 500, is_shortened), (true, false));
        let (request, is_shortened) = of(u64::MAX);
        assert!(content(&request) > LARGEST / 2 && is_shortened, "{}", content(&request));
    }

    #[test]
    fn a_deadline_beyond_what_the_header_takes_is_the_longest_that_it_takes() {
        for (recorded, header) in [(5_000, "5000ms"), (366 * 24 * 60 * 60 * 1_000_u64, "604800000ms")] {
            let (request, _) = of(&call(&format!(",\"deadline_ms\":{recorded}"))).unwrap();
            assert_eq!(request.headers()[DEADLINE_HEADER], header);
        }
    }
}
