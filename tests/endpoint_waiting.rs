//! A streamed answer that begins late, mounted: signs of life on the way, and how a failure behind the head looks.

use std::time::Duration;

use bytes::Bytes;
use http::{Response, StatusCode};
use http_body_util::{BodyExt, Full};
use openrouter_simulator::Outcome as Seen;
use serde_json::{Value, json};
use tokio::time::{Instant, sleep};
use tower::ServiceExt;
use tower_openrouter::{Api, ChatServiceExt, Stack, endpoint::EndpointBody, stack::StackBuilder};

use crate::support::{
    FIRST, World,
    mounted::{post, send},
    raw::{Raw, Step, head},
};

const S: Duration = Duration::from_secs(1);
const STREAMED: [Api; 3] = [Api::Chat, Api::Responses, Api::Messages];

fn body(api: Api, streamed: bool) -> Bytes {
    let mut body = match api {
        Api::Responses => json!({"input": "Hi"}),
        Api::Messages => json!({"max_tokens": 64, "messages": [{"role": "user", "content": "Hi"}]}),
        _ => json!({"messages": [{"role": "user", "content": "Hi"}]}),
    };
    body["model"] = FIRST.into();
    body["stream"] = streamed.into();
    body.to_string().into()
}

/// One that waits for long, and tries once.
fn patient(builder: StackBuilder) -> Stack {
    let stack = builder.chain([FIRST]).attempts_per_candidate(1);
    let stack = stack.first_token_timeout(100 * S).response_timeout(100 * S);
    stack.build().unwrap()
}

/// An upstream that fails late.
async fn failing() -> Raw {
    Raw::always(vec![Step::Wait(30 * S), head("503 Service Unavailable", "text/plain")]).await
}

const fn sign(api: Api) -> &'static str {
    match api {
        Api::Messages => "event: ping\ndata: {\"type\":\"ping\"}\n\n",
        _ => ": keep-alive\n\n",
    }
}

#[tokio::test(start_paused = true)]
async fn a_late_answer_shows_signs_of_life_before_its_first_token() {
    for api in STREAMED {
        let world = World::new("first-token=50s;GOOD").await;
        let stack = patient(world.builder());
        let begun = Instant::now();
        let endpoint = stack.into_endpoint(api);
        let request = post("/", body(api, true));
        let (parts, mut body) = endpoint.oneshot(request).await.unwrap().into_parts();
        assert_eq!(begun.elapsed().as_secs(), 25, "{api:?}");
        assert_eq!(parts.status, StatusCode::OK);
        assert_eq!(parts.headers["content-type"], "text/event-stream");
        assert_eq!(parts.headers["cache-control"], "no-cache");
        assert_eq!(parts.headers["x-accel-buffering"], "no");
        assert!(!parts.headers.contains_key("x-llm-attempts"), "nothing is known yet");
        let (mut signs, mut text) = (Vec::new(), String::new());
        while let Some(frame) = body.frame().await {
            let bytes = frame.unwrap().into_data().unwrap();
            let piece = String::from_utf8(bytes.to_vec()).unwrap();
            if piece == sign(api) && text.is_empty() {
                signs.push(begun.elapsed().as_secs());
            } else {
                text += &piece;
            }
        }
        assert_eq!(signs, [25, 40], "{api:?}");
        let end = match api {
            Api::Responses => "response.completed",
            Api::Messages => "message_stop",
            _ => "[DONE]",
        };
        assert!(text.contains("Scattering") && text.contains(end), "{api:?}: {text}");
    }
}

/// The data of the last event, and its name.
fn last(text: &str) -> (&str, Value) {
    let last = text.trim_end().rsplit("\n\n").next().unwrap();
    let (name, data) = last.split_once('\n').unwrap_or(("", last));
    let data = data.strip_prefix("data: ").unwrap();
    (name, serde_json::from_str(data).unwrap())
}

/// The SDKs take the event for an error: OpenAI's by its member `error`, Anthropic's by its name.
#[tokio::test(start_paused = true)]
async fn a_failure_behind_the_head_is_the_last_event() {
    for api in STREAMED {
        let silent = Raw::always(vec![Step::Hang]).await;
        for (raw, word) in [(failing().await, "upstream_overloaded"), (silent, "upstream_timeout")] {
            let stack = patient(raw.builder());
            let (parts, text) = send(stack.into_endpoint(api), post("/", body(api, true))).await;
            assert_eq!(parts.status, StatusCode::OK);
            assert!(text.starts_with(sign(api)), "{text}");
            let (name, error) = last(&text);
            let told = match api {
                Api::Responses => &error["code"],
                Api::Messages => &error["error"]["error_type"],
                _ => &error["error"]["metadata"]["error_type"],
            };
            assert_eq!(told, word, "{api:?}: {text}");
            assert!(!error["error"]["message"].as_str().unwrap().is_empty());
            assert_eq!(name, if api == Api::Chat { "" } else { "event: error" });
            assert!(!text.contains("[DONE]") && !text.contains("_stop\""), "{text}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_plain_call_and_an_endpoint_without_signs_of_life_keep_the_status() {
    for api in STREAMED {
        let raw = failing().await;
        let stack = patient(raw.builder());
        let plain = send(stack.clone().into_endpoint(api), post("/", body(api, false))).await;
        let silent = stack.into_endpoint(api).without_keep_alive();
        let silent = send(silent, post("/", body(api, true))).await;
        for (parts, text) in [plain, silent] {
            assert_eq!(parts.status, StatusCode::SERVICE_UNAVAILABLE, "{api:?}: {text}");
            assert_eq!(parts.headers["x-llm-attempts"], "1");
            assert!(text.starts_with('{'), "{text}");
        }
    }
}

async fn early(stack: &Stack) -> Response<EndpointBody> {
    let endpoint = stack.clone().into_endpoints().keep_alive(2 * S, Duration::ZERO);
    let request: http::Request<Full<Bytes>> = post("/v1/chat/completions", body(Api::Chat, true));
    endpoint.oneshot(request).await.unwrap()
}

#[tokio::test(start_paused = true)]
async fn signs_of_life_may_be_any_time_apart() {
    let world = World::new("first-token=10s;words=2").await;
    let stack = patient(world.builder());
    for (after, every) in [(2 * S, Duration::MAX), (Duration::MAX, Duration::MAX)] {
        let endpoint = stack.clone().into_endpoints().keep_alive(after, every);
        let request: http::Request<Full<Bytes>> = post("/v1/chat/completions", body(Api::Chat, true));
        let answer = endpoint.oneshot(request).await.unwrap().into_body();
        let text = answer.collect().await.unwrap().to_bytes();
        assert!(text.ends_with(b"data: [DONE]\n\n"), "{text:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_client_that_leaves_before_the_first_token_closes_the_connection() {
    let world = World::new("hang").await;
    let stack = patient(world.builder());
    let mut body = early(&stack).await.into_body();
    // A pause of zero is one of a second.
    let begun = Instant::now();
    for _ in 0..3 {
        body.frame().await.unwrap().unwrap();
    }
    assert_eq!(begun.elapsed(), 2 * S);
    assert_eq!(world.simulator.report().open_connections, 1);
    drop(body);
    world.simulator.wait_until(|seen| seen.open_connections == 0).await;
    assert_eq!(begun.elapsed(), 2 * S);
    assert_eq!(world.simulator.report().attempts[0].outcome, Seen::ClosedByClient);
}

#[tokio::test(start_paused = true)]
async fn a_client_that_reads_nothing_holds_nothing_past_the_deadline() {
    for plan in ["hang", "first-token=10s;delay=1s;words=500"] {
        let world = World::new(plan).await;
        let stack = world.builder().chain([FIRST]).first_token_timeout(20 * S);
        let stack = stack.deadline(20 * S).build().unwrap();
        let body = early(&stack).await.into_body();
        sleep(21 * S).await;
        world.simulator.wait_until(|seen| seen.open_connections == 0).await;
        let text = body.collect().await.unwrap().to_bytes();
        let text = String::from_utf8_lossy(&text);
        assert!(
            text.contains("deadline_exceeded") && !text.contains("[DONE]"),
            "{plan}: {text}"
        );
    }
}
