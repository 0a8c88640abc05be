//! The layers that decide by time and by failures, in every API: hedges, the deadline, circuits, degraded replies, and plain calls that are streamed
//! upstream.

use std::time::Duration;

use http::StatusCode;
use serde_json::{Value, json};
use tokio::time::Instant;
use tower_openrouter::{
    Api, ChatServiceExt, FailureKind as K, Outcome, Phase, Stack,
    degrade::CannedReply,
    layers::{
        circuit_breaker::{CircuitPolicy, CircuitState},
        fallback::Hedge,
    },
    stack::StackBuilder,
    stream_upstream::StreamUpstreamLayer,
};

use super::{SKY, body, call, first_does, forms, good, is_good, plain, request, sent_body, stream};
use crate::support::{
    FIRST, SECOND, mounted,
    raw::{Raw, Step, events, head, send},
};

const S: Duration = Duration::from_secs(1);
const TOO_LATE: K = K::Timeout(Phase::Deadline);

/// The second model may answer, also with vectors.
fn pair(raw: &Raw) -> StackBuilder {
    raw.builder().chain([FIRST, SECOND]).fallback_for_embeddings(true)
}

/// What an upstream sends that takes the call and is silent.
fn silence(streamed: bool) -> Vec<Step> {
    if streamed {
        vec![events(), Step::Hang]
    } else {
        vec![Step::Hang]
    }
}

#[tokio::test(start_paused = true)]
async fn a_hedge_wins_against_a_silent_first_model_in_every_api() {
    for api in Api::ALL {
        for &streamed in forms(api) {
            let what = format!("{api}, streamed: {streamed}");
            let raw = first_does(api, silence(streamed)).await;
            let hedge = Hedge::after(2 * S).ratio(1.0);
            let stack = pair(&raw).hedge(hedge).build().unwrap();
            let begun = Instant::now();
            let got = call(&stack, request(api, streamed)).await;
            assert!(is_good(api, &got), "{what}: {got:?}");
            let took = begun.elapsed();
            assert!(took >= 2 * S && took < 4 * S, "{what}: {took:?}");
            let outcomes: Vec<_> = got.lines.iter().map(|line| line.outcome).collect();
            assert_eq!(outcomes, [Outcome::Dropped, Outcome::Answered], "{what}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn vectors_are_not_hedged_with_those_of_another_model() {
    let raw = first_does(Api::Embeddings, silence(false)).await;
    let builder = raw.builder().chain([FIRST, SECOND]);
    let stack = builder.hedge(Hedge::after(2 * S).ratio(1.0)).build().unwrap();
    let got = call(&stack, request(Api::Embeddings, false)).await;
    assert_eq!(
        (got.kind(), raw.seen().len()),
        (Some(K::Timeout(Phase::Response)), 1),
        "{got:?}"
    );
}

/// Five seconds for the whole call, and no other limit before that.
fn within_five_seconds(raw: &Raw) -> Stack {
    let builder = raw.builder().first_token_timeout(None).response_timeout(None);
    builder.deadline(5 * S).build().unwrap()
}

/// The status and the body that a client of the mounted stack gets.
async fn mounted_call(raw: &Raw, api: Api, streamed: bool) -> (StatusCode, String) {
    let post = mounted::post(&format!("/v1/{}", api.path()), body(api, streamed));
    let (parts, text) = mounted::send(within_five_seconds(raw).into_endpoints(), post).await;
    (parts.status, text)
}

#[tokio::test(start_paused = true)]
async fn the_deadline_ends_a_call_before_its_first_token_in_the_shape_of_its_api() {
    for api in Api::ALL {
        for &streamed in forms(api) {
            let what = format!("{api}, streamed: {streamed}");
            let raw = Raw::always(silence(streamed)).await;
            let begun = Instant::now();
            let got = call(&within_five_seconds(&raw), request(api, streamed)).await;
            let took = begun.elapsed().as_secs();
            assert_eq!((got.kind(), took), (Some(TOO_LATE), 5), "{what}: {got:?}");
            let (status, text) = mounted_call(&raw, api, streamed).await;
            assert_eq!(status, StatusCode::GATEWAY_TIMEOUT, "{what}: {text}");
            let error = mounted::json(&text);
            let (kind, word) = if api == Api::Messages {
                assert_eq!(error["type"], "error", "{text}");
                ("timeout_error", &error["error"]["error_type"])
            } else {
                ("api_error", &error["error"]["code"])
            };
            assert_eq!(error["error"]["type"], kind, "{what}: {text}");
            assert_eq!(word, "deadline_exceeded", "{what}: {text}");
        }
    }
}

/// The name and the data of a stream's last event.
fn last(text: &str) -> (&str, Value) {
    let last = text.trim_end().rsplit("\n\n").next().unwrap();
    let (name, data) = last
        .split_once("\ndata: ")
        .unwrap_or(("", last.trim_start_matches("data: ")));
    (name, mounted::json(data))
}

#[tokio::test(start_paused = true)]
async fn the_deadline_ends_a_begun_stream_with_the_error_of_its_api() {
    for api in [Api::Chat, Api::Responses, Api::Messages] {
        let raw = Raw::always(vec![events(), send(stream(api).0), Step::Hang]).await;
        let begun = Instant::now();
        let got = call(&within_five_seconds(&raw), request(api, true)).await;
        let took = begun.elapsed().as_secs();
        assert_eq!(
            (got.text.as_str(), got.kind(), took),
            (SKY, Some(TOO_LATE), 5),
            "{api}: {got:?}"
        );
        let (status, text) = mounted_call(&raw, api, true).await;
        assert_eq!(status, StatusCode::OK, "{api}: {text}");
        assert!(text.contains("is blue.") && !text.contains("[DONE]"), "{api}: {text}");
        let (name, error) = last(&text);
        let (expected, word) = match api {
            Api::Responses => {
                assert!(text.contains("event: response.failed\n"), "{text}");
                ("event: error", &error["code"])
            }
            Api::Messages => {
                assert_eq!(error["error"]["type"], "timeout_error", "{text}");
                ("event: error", &error["error"]["error_type"])
            }
            _ => {
                assert_eq!(
                    (&error["choices"][0]["finish_reason"], &error["error"]["code"]),
                    (&json!("error"), &json!(504)),
                    "{text}"
                );
                ("", &error["error"]["metadata"]["error_type"])
            }
        };
        assert_eq!(name, expected, "{api}: {text}");
        assert_eq!(word, "deadline_exceeded", "{api}: {text}");
    }
}

#[tokio::test(start_paused = true)]
async fn failures_of_any_api_open_the_circuit_of_their_model() {
    for api in Api::ALL {
        for &streamed in forms(api) {
            let what = format!("{api}, streamed: {streamed}");
            let raw = first_does(api, vec![head("503 Service Unavailable", "text/plain")]).await;
            let policy = CircuitPolicy::new().min_calls(2);
            let stack = pair(&raw).circuit_breaker(policy).build().unwrap();
            for _ in 0..6 {
                let got = call(&stack, request(api, streamed)).await;
                assert!(is_good(api, &got), "{what}: {got:?}");
            }
            let first = format!("\"{FIRST}\"");
            let tried = raw.seen().iter().filter(|request| request.contains(&first)).count();
            assert_eq!((tried, raw.seen().len()), (2, 8), "{what}");
            let reports = stack.circuits().unwrap().reports();
            let report = reports.iter().find(|report| report.candidate.model() == FIRST).unwrap();
            assert!(matches!(report.state, CircuitState::Open { .. }), "{what}: {report:?}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn no_reply_is_made_up_in_the_place_of_vectors() {
    let raw = Raw::always(vec![head("503 Service Unavailable", "text/plain")]).await;
    let stack = raw.builder().canned_reply(CannedReply::text("Sorry.")).build().unwrap();
    let got = call(&stack, request(Api::Embeddings, false)).await;
    assert_eq!(got.kind(), Some(K::Overloaded), "{got:?}");
    assert!(got.frames.is_empty() && got.degraded.is_none(), "{got:?}");
}

#[tokio::test(start_paused = true)]
async fn embeddings_are_not_streamed_upstream() {
    let raw = Raw::start(|request| good(Api::Embeddings, request)).await;
    let layer = StreamUpstreamLayer::new();
    let stack = raw.builder().stream_upstream(layer).build().unwrap();
    let got = call(&stack, request(Api::Embeddings, false)).await;
    assert!(is_good(Api::Embeddings, &got), "{got:?}");
    assert_eq!(got.bytes().concat(), plain(Api::Embeddings).as_bytes());
    assert_eq!(sent_body(&raw.seen()[0]), body(Api::Embeddings, false));
}
