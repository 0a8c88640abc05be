//! Each failure in the shape of each API.

use std::time::Duration;

use http::{Request, StatusCode};
use http_body_util::Full;
use serde_json::{Value, json};
use tower_openrouter::{
    Api, ApiKey, Candidate, ChatServiceExt, Error, FailureKind, Phase, Stack, Tags, Upstream,
    endpoint::Envelope,
    layers::{
        LayerError,
        fallback::RequestedModel,
        rate_limit::{Limits, Rate},
    },
    stack::TenantKey,
    transport::Dialect,
};

use crate::support::{
    FIRST,
    mounted::{ask, json, post, send, stack_over},
    raw::{self, Raw},
};

/// The kind, the status, the word, OpenAI's type, Anthropic's type.
type Row = (FailureKind, u16, &'static str, &'static str, &'static str);

const INVALID: &str = "invalid_request_error";
const LIMIT: &str = "rate_limit_error";
const API: &str = "api_error";
const BUSY: &str = "overloaded_error";
const TIMEOUT: &str = "timeout_error";

const TABLE: [Row; 28] = [
    (FailureKind::Connect, 502, "connect", API, API),
    (FailureKind::Reset, 502, "reset", API, API),
    (
        FailureKind::Timeout(Phase::FirstToken),
        504,
        "upstream_timeout",
        API,
        TIMEOUT,
    ),
    (
        FailureKind::Timeout(Phase::Response),
        504,
        "upstream_timeout",
        API,
        TIMEOUT,
    ),
    (FailureKind::Timeout(Phase::Idle), 504, "upstream_timeout", API, TIMEOUT),
    (
        FailureKind::Timeout(Phase::Throughput),
        504,
        "upstream_timeout",
        API,
        TIMEOUT,
    ),
    (
        FailureKind::Timeout(Phase::Deadline),
        504,
        "deadline_exceeded",
        API,
        TIMEOUT,
    ),
    (FailureKind::Truncated, 502, "truncated", API, API),
    (FailureKind::RateLimited, 429, "rate_limit_exceeded", LIMIT, LIMIT),
    (FailureKind::QuotaExhausted, 429, "insufficient_quota", LIMIT, LIMIT),
    (FailureKind::Overloaded, 503, "upstream_overloaded", API, BUSY),
    (FailureKind::CircuitOpen, 503, "circuit_open", API, BUSY),
    (FailureKind::ConcurrencyLimited, 503, "concurrency_limited", API, BUSY),
    (FailureKind::Upstream, 502, "upstream", API, API),
    (FailureKind::EmptyResponse, 502, "empty_response", API, API),
    (FailureKind::Malformed, 502, "malformed", API, API),
    (FailureKind::Nonconformant, 502, "nonconformant", API, API),
    (
        FailureKind::NoEndpoint,
        404,
        "model_not_found",
        INVALID,
        "not_found_error",
    ),
    (
        FailureKind::ContextLengthExceeded,
        400,
        "context_length_exceeded",
        INVALID,
        INVALID,
    ),
    (
        FailureKind::ContentFiltered,
        400,
        "content_policy_violation",
        INVALID,
        INVALID,
    ),
    // Our own account is not the client's.
    (FailureKind::InsufficientFunds, 503, "upstream_unaffordable", API, API),
    (
        FailureKind::BudgetExceeded,
        402,
        "budget_exceeded",
        "insufficient_quota",
        "billing_error",
    ),
    (
        FailureKind::RejectedByProvider,
        400,
        "rejected_by_provider",
        INVALID,
        INVALID,
    ),
    (FailureKind::StoreUnavailable, 503, "store_unavailable", API, API),
    (FailureKind::Auth, 502, "upstream_auth", API, API),
    (FailureKind::BadRequest, 400, "invalid_request", INVALID, INVALID),
    (FailureKind::Cancelled, 499, "cancelled", INVALID, INVALID),
    (FailureKind::Internal, 500, "internal", API, API),
];

/// A failure in the whole shape that the clients of this API read.
fn expected(api: Api, envelope: Envelope, row: Row) -> Value {
    let (_, status, word, openai, anthropic) = row;
    match (api, envelope) {
        (Api::Messages, _) => json!({
            "type": "error",
            "error": {
                "type": anthropic,
                "message": "words of the upstream",
                "error_type": word,
                "details": {"error_code": word},
            },
            "request_id": null,
        }),
        (_, Envelope::OpenRouter) => json!({"error": {
            "message": "words of the upstream", "type": openai, "param": null, "code": status,
            "metadata": {"error_type": word},
        }}),
        _ => json!({"error": {
            "message": "words of the upstream", "type": openai, "param": null, "code": word,
        }}),
    }
}

#[tokio::test(start_paused = true)]
async fn every_kind_has_its_status_and_word_in_every_envelope() {
    assert_eq!(TABLE.map(|row| row.0), FailureKind::ALL);
    for row in TABLE {
        let (kind, status, ..) = row;
        assert_eq!(kind.http_status(), status, "{kind}");
        // Each call has a stack of its own: one that has failed pauses, or opens its circuit.
        let endpoints = || stack_over(move |_| Err(Error::new(kind, "words of the upstream"))).into_endpoints();
        for (root, envelope) in [("/v1", Envelope::OpenAi), ("/api/v1", Envelope::OpenRouter)] {
            for api in Api::ALL {
                let path = format!("{root}/{}", api.path());
                let (parts, text) = send(endpoints(), post(&path, ask(api))).await;
                assert_eq!(parts.status.as_u16(), status, "{path}: {kind}");
                assert_eq!(parts.headers["content-type"], "application/json");
                assert_eq!(parts.headers["x-should-retry"], "false");
                assert_eq!(parts.headers["x-llm-attempts"], "1", "{path}: {kind}");
                assert_eq!(json(&text), expected(api, envelope, row), "{path}: {kind}");
            }
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_hint_to_wait_is_given_in_every_api() {
    let limited = |_| {
        Err(LayerError::NoKey {
            upstream: "openrouter".to_owned(),
            reason: "resting".to_owned(),
            retry_after: Some(Duration::from_millis(1500)),
        }
        .into())
    };
    for api in Api::ALL {
        let (parts, _) = send(stack_over(limited).into_endpoint(api), post("/", ask(api))).await;
        assert_eq!(parts.status, StatusCode::TOO_MANY_REQUESTS, "{api:?}");
        assert_eq!(parts.headers["retry-after"], "2", "{api:?}: rounded up");
    }
}

/// The stack has tried nothing yet, so nothing keeps a client from waiting.
#[tokio::test(start_paused = true)]
async fn a_refusal_that_passes_by_itself_may_be_tried_again() {
    let raw = Raw::always(vec![raw::json(), raw::send("{}")]).await;
    for (per_minute, status) in [(1, StatusCode::TOO_MANY_REQUESTS), (1000, StatusCode::BAD_GATEWAY)] {
        let limits = Limits::new().requests(Rate::new(per_minute, Duration::from_secs(60)).unwrap());
        let stack = raw.builder().chain([FIRST]).requested_model(RequestedModel::Ignored);
        let stack = stack.tenant_limits(limits, TenantKey::tag("tenant"), Duration::ZERO);
        let endpoints = stack.attempts_per_candidate(1).build().unwrap().into_endpoints();
        let ask = || {
            let mut request = post("/v1/chat/completions", ask(Api::Chat));
            let tags = Tags::new([("tenant", "acme")]).unwrap();
            request.extensions_mut().insert(tags);
            request
        };
        // The first is sent in either case, and fails.
        let (sent, _) = send(endpoints.clone(), ask()).await;
        assert_eq!(sent.headers["x-llm-attempts"], "1");
        assert_eq!(sent.headers["x-should-retry"], "false", "{per_minute}");
        let (second, text) = send(endpoints, ask()).await;
        assert_eq!(second.status, status, "{text}");
        let is_refused = status == StatusCode::TOO_MANY_REQUESTS;
        assert_eq!(second.headers.contains_key("x-should-retry"), !is_refused, "{text}");
        assert_eq!(second.headers.contains_key("retry-after"), is_refused, "{text}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_single_api_has_the_envelope_that_it_is_given() {
    let row = TABLE[8];
    let stack = || stack_over(|_| Err(Error::new(FailureKind::RateLimited, "words of the upstream")));
    for api in Api::ALL {
        for envelope in [Envelope::OpenAi, Envelope::OpenRouter] {
            let endpoint = stack().into_endpoint(api).envelope(envelope);
            let (_, text) = send(endpoint, post("/any/path", ask(api))).await;
            assert_eq!(json(&text), expected(api, envelope, row), "{api:?}");
        }
        let (_, text) = send(stack().into_endpoint(api), post("/", ask(api))).await;
        assert_eq!(json(&text), expected(api, Envelope::OpenAi, row), "{api:?}: by default");
    }
}

/// Where the API's own clients look for the field at fault.
fn param(api: Api, envelope: Envelope, error: &Value) -> Option<String> {
    let place = match (api, envelope) {
        (Api::Messages, _) => return None,
        (_, Envelope::OpenRouter) => &error["error"]["metadata"]["param"],
        _ => &error["error"]["param"],
    };
    place.as_str().map(str::to_owned)
}

#[tokio::test(start_paused = true)]
async fn a_bad_field_is_named_in_the_apis_own_envelope() {
    let stack = stack_over(|_| panic!("it is not sent"));
    let table = [
        (Api::Chat, r#"{"model":"demo/model","messages":[]}"#, "messages"),
        (Api::Chat, r#"{"model":"demo/model"}"#, "messages"),
        (
            Api::Chat,
            r#"{"model":7,"messages":[{"role":"user","content":"Hi"}]}"#,
            "model",
        ),
        (Api::Responses, r#"{"model":"demo/model"}"#, "input"),
        (Api::Responses, r#"{"model":"demo/model","input":[]}"#, "input"),
        (
            Api::Responses,
            r#"{"model":"demo/model","input":"Hi","stream":"yes"}"#,
            "stream",
        ),
        (
            Api::Responses,
            r#"{"model":"demo/model","input":"Hi","max_output_tokens":-1}"#,
            "max_output_tokens",
        ),
        (Api::Messages, r#"{"model":"demo/model","max_tokens":64}"#, "messages"),
        (
            Api::Messages,
            r#"{"model":"demo/model","max_tokens":-1,"messages":[{"role":"user","content":"Hi"}]}"#,
            "max_tokens",
        ),
        (
            Api::Messages,
            r#"{"model":"demo/model","max_tokens":"64","messages":[{"role":"user","content":"Hi"}]}"#,
            "max_tokens",
        ),
        (Api::Embeddings, r#"{"model":"demo/model"}"#, "input"),
        (Api::Embeddings, r#"{"model":"demo/model","input":null}"#, "input"),
        (Api::Embeddings, r#"{"model":"demo/model","input":[]}"#, "input"),
        (Api::Embeddings, r#"{"model":"demo/model","input":7}"#, "input"),
        (
            Api::Embeddings,
            r#"{"model":"demo/model","input":{"text":"Hi"}}"#,
            "input",
        ),
        (
            Api::Embeddings,
            r#"{"model":"demo/model","input":"Hi","dimensions":-1}"#,
            "dimensions",
        ),
    ];
    for (api, body, field) in table {
        for envelope in [Envelope::OpenAi, Envelope::OpenRouter] {
            let endpoint = stack.clone().into_endpoint(api).envelope(envelope);
            let (parts, text) = send(endpoint, post("/", body)).await;
            assert_eq!(parts.status, StatusCode::BAD_REQUEST, "{api:?}: {body}");
            let error = json(&text);
            assert!(text.contains(&format!("`{field}`")), "{text}");
            if let Some(param) = param(api, envelope, &error) {
                assert_eq!(param, field, "{text}");
            } else {
                assert_eq!(
                    (api, &error["error"]["type"]),
                    (Api::Messages, &json!(INVALID)),
                    "{text}"
                );
            }
        }
    }
}

#[tokio::test(start_paused = true)]
async fn what_the_upstream_does_not_take_is_named_too() {
    let raw = Raw::always(Vec::new()).await;
    for (field, value) in [("store", "true"), ("previous_response_id", "\"resp_1\"")] {
        let body = format!("{{\"model\":\"demo/model\",\"input\":\"Hi\",\"{field}\":{value}}}");
        for (path, place) in [
            ("/v1/responses", "/error/param"),
            ("/api/v1/responses", "/error/metadata/param"),
        ] {
            let (parts, text) = send(raw.alone().into_endpoints(), post(path, body.clone())).await;
            assert_eq!(parts.status, StatusCode::BAD_REQUEST, "{text}");
            assert_eq!(json(&text).pointer(place), Some(&json!(field)), "{text}");
        }
    }
    assert!(raw.seen().is_empty(), "nothing is sent");
}

/// OpenRouter has a limit of its own for a message that names none; Anthropic takes no such request.
#[tokio::test(start_paused = true)]
async fn a_message_without_a_limit_is_refused_before_an_upstream_of_anthropics_own_dialect() {
    let raw = Raw::always(Vec::new()).await;
    let upstream = Upstream::new("anthropic", raw.url(), Dialect::Anthropic).unwrap();
    let stack = Stack::builder()
        .upstream(upstream, ApiKey::new(raw::KEY).unwrap())
        .chain([Candidate::new("anthropic", "claude").unwrap()])
        .build()
        .unwrap();
    for stream in [true, false] {
        let body = json!({"model": "claude", "stream": stream, "messages": [{"role": "user", "content": "Hi"}]});
        for root in ["/v1", "/api/v1"] {
            let request = post(&format!("{root}/messages"), body.to_string());
            let (parts, text) = send(stack.clone().into_endpoints(), request).await;
            assert_eq!(parts.status, StatusCode::BAD_REQUEST, "{root} {stream}: {text}");
            let error = json(&text);
            assert_eq!(
                (&error["type"], &error["error"]["type"]),
                (&json!("error"), &json!(INVALID)),
                "{text}"
            );
            let message = error["error"]["message"].as_str().unwrap();
            assert!(message.contains("`max_tokens`"), "{text}");
        }
    }
    assert!(raw.seen().is_empty(), "nothing is sent");
}

#[tokio::test(start_paused = true)]
async fn what_is_no_json_object_is_refused_in_every_api() {
    let endpoints = stack_over(|_| panic!("it is not sent")).into_endpoints();
    for api in Api::ALL {
        for body in ["", "{\"model\":", "[]", "\"text\"", "null", "{} {}", "\u{feff}"] {
            for root in ["/v1", "/api/v1"] {
                let path = format!("{root}/{}", api.path());
                let (parts, text) = send(endpoints.clone(), post(&path, body)).await;
                assert_eq!(parts.status, StatusCode::BAD_REQUEST, "{path}: {body}");
                let error = json(&text);
                let word = match (api, root) {
                    (Api::Messages, _) => &error["error"]["details"]["error_code"],
                    (_, "/v1") => &error["error"]["code"],
                    _ => &error["error"]["metadata"]["error_type"],
                };
                assert_eq!(word, "invalid_request", "{path}: {text}");
            }
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_body_over_the_limit_gets_413_in_every_api() {
    let endpoints = stack_over(|_| panic!("it is not sent"))
        .into_endpoints()
        .max_body_bytes(16);
    for api in Api::ALL {
        let path = format!("/v1/{}", api.path());
        let (parts, text) = send(endpoints.clone(), post(&path, ask(api))).await;
        assert_eq!(parts.status, StatusCode::PAYLOAD_TOO_LARGE, "{path}");
        let error = json(&text);
        if api == Api::Messages {
            assert_eq!(error["error"]["type"], "request_too_large");
        } else {
            assert_eq!(error["error"]["code"], "payload_too_large");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_bad_version_of_anthropics_api_is_refused() {
    let send_with = async |versions: &[&'static str]| {
        let mut request = post("/v1/messages", ask(Api::Messages));
        for version in versions {
            request
                .headers_mut()
                .append("anthropic-version", version.parse().unwrap());
        }
        let stack = stack_over(|_| Err(Error::new(FailureKind::Overloaded, "it was sent")));
        send(stack.into_endpoints(), request).await
    };
    for good in [&[][..], &["2023-06-01"], &["2026-10-21"], &["2031-01-01"]] {
        let (parts, text) = send_with(good).await;
        assert_eq!(parts.status, StatusCode::SERVICE_UNAVAILABLE, "{good:?}: {text}");
    }
    for bad in [
        &[""][..],
        &["latest"],
        &["2023-6-1"],
        &["2023-06-01x"],
        &["2023-06-01", "2026-10-21"],
    ] {
        let (parts, text) = send_with(bad).await;
        assert_eq!(parts.status, StatusCode::BAD_REQUEST, "{bad:?}: {text}");
        assert_eq!(json(&text)["error"]["type"], INVALID);
        assert!(text.contains("`anthropic-version`"), "{text}");
    }
    // It means nothing to the other APIs.
    let request = Request::post("/v1/embeddings")
        .header("anthropic-version", "latest")
        .body(Full::from(ask(Api::Embeddings)))
        .unwrap();
    let stack = stack_over(|_| Err(Error::new(FailureKind::Overloaded, "it was sent")));
    let (parts, _) = send(stack.into_endpoints(), request).await;
    assert_eq!(parts.status, StatusCode::SERVICE_UNAVAILABLE);
}

/// What a client gets of this API while the upstream refuses with this status and message.
async fn refused(api: Api, status: &str, message: &str) -> (u16, Value) {
    let error = json!({"error": {"message": message, "code": 0}}).to_string();
    let raw = Raw::always(vec![raw::head(status, "application/json"), raw::send(error)]).await;
    let (parts, text) = send(raw.alone().into_endpoint(api), post("/", ask(api))).await;
    assert!(!text.contains(raw::KEY), "{text}");
    (parts.status.as_u16(), json(&text))
}

#[tokio::test(start_paused = true)]
async fn an_upstreams_status_means_what_the_client_may_make_of_it() {
    for api in Api::ALL {
        for (status, expected, openai, anthropic) in [
            ("403 Forbidden", 403, "upstream_forbidden", "permission_error"),
            ("402 Payment Required", 503, "upstream_unaffordable", API),
            ("401 Unauthorized", 502, "upstream_auth", API),
            ("413 Too Large", 413, "invalid_request", "request_too_large"),
        ] {
            let (got, error) = refused(api, status, "not for you").await;
            let (word, kind) = match api {
                Api::Messages => (&error["error"]["error_type"], anthropic),
                _ if expected == 403 => (&error["error"]["code"], "permission_error"),
                _ if expected == 413 => (&error["error"]["code"], INVALID),
                _ => (&error["error"]["code"], API),
            };
            assert_eq!((got, word), (expected, &json!(openai)), "{api:?} {status}: {error}");
            assert_eq!(error["error"]["type"], kind, "{api:?} {status}: {error}");
            assert!(
                error["error"]["message"].as_str().unwrap().contains("not for you"),
                "{error}"
            );
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_key_that_an_upstream_repeats_is_hidden_in_every_api() {
    for api in Api::ALL {
        for status in ["400 Bad Request", "401 Unauthorized", "500 Broken"] {
            let (_, error) = refused(api, status, &format!("the key {} is bad", raw::KEY)).await;
            assert!(
                error["error"]["message"].as_str().unwrap().contains("is bad"),
                "{error}"
            );
        }
    }
}

/// A server behind the upstream that is waited for in vain is a timeout to the client as well: the clients' own class for it is one of 504.
#[tokio::test(start_paused = true)]
async fn a_timeout_of_an_upstream_stays_one() {
    for status in ["504 Gateway Time-out", "524 A Timeout Occurred", "408 Request Timeout"] {
        for api in Api::ALL {
            let page = "<html><title>Gateway time-out</title></html>";
            let raw = Raw::always(vec![raw::head(status, "text/html"), raw::send(page)]).await;
            let (parts, text) = send(raw.alone().into_endpoint(api), post("/", ask(api))).await;
            assert_eq!(parts.status, StatusCode::GATEWAY_TIMEOUT, "{api} {status}: {text}");
            assert!(text.contains("Gateway time-out"), "{api} {status}: {text}");
            if api == Api::Messages {
                assert_eq!(json(&text)["error"]["type"], "timeout_error", "{status}");
            } else {
                assert_eq!(json(&text)["error"]["code"], "upstream_timeout", "{api} {status}");
            }
        }
    }
}
