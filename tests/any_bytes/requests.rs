//! Requests to each API, whatever the bytes: what is accepted is strict JSON, and goes out as it came.

use std::hint::black_box;

use proptest::prelude::*;
use serde_json::{Map, Value};
use tower_openrouter::{Api, ApiRequest, WireRequest, layers::LlmRequest, transport::Dialect};

use super::near::{kept, try_readers};

const REQUESTS: [(Api, &str); 4] = [
    (Api::Chat, "request"),
    (Api::Responses, "responses-request"),
    (Api::Messages, "messages-request"),
    (Api::Embeddings, "embeddings-request"),
];

/// The body as it goes out to an upstream of this dialect.
fn sent(request: &ApiRequest, dialect: Dialect) -> Vec<u8> {
    let segments = WireRequest::segments(request, dialect);
    segments.into_iter().flat_map(|segment| segment.to_vec()).collect()
}

/// The object, as `serde_json` reads it; `None` if it has what JSON allows and `serde_json` cannot hold: a huge number, depth, half of a surrogate pair.
fn strict(text: &[u8]) -> Option<Result<Map<String, Value>, serde_json::Error>> {
    let read = serde_json::from_slice(text);
    let is_limit = |error: &serde_json::Error| {
        let words = error.to_string();
        let limits = [
            "number out of range",
            "recursion limit",
            "lone leading surrogate",
            "unexpected end of hex escape",
        ];
        limits.iter().any(|limit| words.starts_with(limit))
    };
    (!read.as_ref().is_err_and(is_limit)).then_some(read)
}

fn is_strict(text: &[u8]) -> bool {
    strict(text).is_none_or(|read| read.is_ok())
}

#[test]
fn any_request_that_is_accepted_is_strict_json_and_keeps_its_bytes() {
    try_readers(&REQUESTS, |api, text| {
        let bare = text.strip_prefix("\u{feff}".as_bytes()).unwrap_or(text);
        let request = match ApiRequest::from_json(api, text.clone()) {
            Ok(request) => request,
            Err(error) => {
                prop_assert!(!error.to_string().is_empty());
                return Ok(());
            }
        };
        prop_assert!(is_strict(bare), "{:?}", strict(bare));
        prop_assert_eq!(request.api(), api);
        let out = sent(&request, Dialect::OpenRouter);
        prop_assert_eq!(&out[..], bare);
        for dialect in [Dialect::OpenAi, Dialect::Anthropic] {
            let out = sent(&request, dialect);
            prop_assert!(is_strict(&out), "{:?}", strict(&out));
            black_box(request.check_for(dialect).is_ok());
        }
        Ok(())
    });
}

/// A layer may ask anything of it, and log it.
#[test]
fn any_request_that_is_accepted_answers_what_layers_ask() {
    try_readers(&REQUESTS, |api, text| {
        let Ok(request) = ApiRequest::from_json(api, text.clone()) else {
            return Ok(());
        };
        let needs = request.needs();
        prop_assert_eq!(needs.api, Some(api.name()));
        drop(format!("{request:?} {needs:?}"));
        black_box((
            request.max_tokens(),
            request.reasoning_level(),
            request.reasoning_time(),
        ));
        black_box((request.conversation(), request.unbounded_tool(), request.alternatives()));
        black_box((request.operation(), request.is_bound_to_model(), request.vector_form()));
        black_box(request.pinned_route());
        if let Some(streamed) = request.as_stream() {
            prop_assert!(!request.is_streaming() && streamed.is_streaming());
            prop_assert!(is_strict(&sent(&streamed, Dialect::OpenRouter)));
        }
        Ok(())
    });
}

/// Another model is all that changes if a candidate takes the request.
#[test]
fn any_request_for_another_model_differs_in_its_model_alone() {
    try_readers(&REQUESTS, |api, text| {
        let Ok(mut request) = ApiRequest::from_json(api, text.clone()) else {
            return Ok(());
        };
        let before = sent(&request, Dialect::OpenRouter);
        request.set_model("c/d");
        let after = sent(&request, Dialect::OpenRouter);
        if let (Some(Ok(mut before)), Some(after)) = (strict(&before), strict(&after)) {
            before.insert("model".to_owned(), "c/d".into());
            prop_assert_eq!(after.unwrap(), before);
        }
        Ok(())
    });
}

/// A corpus that is refused would prove nothing of what is accepted.
#[test]
fn each_kept_request_is_accepted() {
    // Those of chat are odd ones.
    for (api, folder) in &REQUESTS[1..] {
        for (name, text) in kept(folder) {
            let read = ApiRequest::from_json(*api, text);
            assert!(read.is_ok(), "{folder}/{name}: {}", read.unwrap_err());
        }
    }
}
