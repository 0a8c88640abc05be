//! A client that closes its connection behind the last event has the whole answer: its key is remembered, and the call is billed once.

use std::sync::Arc;

use bytes::Bytes;
use http::{HeaderValue, Request, Response};
use http_body_util::{BodyExt, Full};
use tower::ServiceExt;
use tower_openrouter::{
    ChatServiceExt,
    endpoint::EndpointBody,
    layers::{
        cache::{Cache, idempotency::InMemoryIdempotency},
        ledger::{EntryState, MemoryLedger},
    },
    stack::{ChatCache, ChatIdempotency, TenantKey},
};

use crate::support::{
    FIRST,
    mounted::post,
    raw::{Raw, Step, events, send},
};

const MESSAGE: &str = r#"event: message_start
data: {"type":"message_start","message":{"id":"msg_1","type":"message","role":"assistant","model":"m","content":[],"stop_reason":null,"usage":{"input_tokens":20,"output_tokens":1}}}

event: content_block_start
data: {"type":"content_block_start","index":0,"content_block":{"type":"text","text":""}}

event: content_block_delta
data: {"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":"Blue."}}

event: content_block_stop
data: {"type":"content_block_stop","index":0}

event: message_delta
data: {"type":"message_delta","delta":{"stop_reason":"end_turn","stop_sequence":null},"usage":{"input_tokens":20,"output_tokens":2,"cost":0.002}}

event: message_stop
data: {"type":"message_stop"}

"#;

const RESPONSE: &str = r#"event: response.created
data: {"type":"response.created","sequence_number":0,"response":{"id":"resp_1","object":"response","created_at":1,"status":"in_progress","model":"m","output":[]}}

event: response.output_item.added
data: {"type":"response.output_item.added","sequence_number":1,"output_index":0,"item":{"type":"message","id":"msg_1","status":"in_progress","role":"assistant","content":[]}}

event: response.output_text.delta
data: {"type":"response.output_text.delta","sequence_number":2,"item_id":"msg_1","output_index":0,"content_index":0,"delta":"Blue."}

event: response.output_item.done
data: {"type":"response.output_item.done","sequence_number":3,"output_index":0,"item":{"type":"message","id":"msg_1","status":"completed","role":"assistant","content":[{"type":"output_text","text":"Blue.","annotations":[]}]}}

event: response.completed
data: {"type":"response.completed","sequence_number":4,"response":{"id":"resp_1","object":"response","created_at":1,"status":"completed","model":"m","output":[{"type":"message","id":"msg_1","status":"completed","role":"assistant","content":[{"type":"output_text","text":"Blue.","annotations":[]}]}],"usage":{"input_tokens":20,"output_tokens":2,"total_tokens":22,"cost":0.002}}}

"#;

/// Path, request, what the upstream sends, and the name of the last event.
fn apis() -> [(&'static str, String, &'static str, &'static str); 2] {
    let message = format!(
        r#"{{"model":"{FIRST}","max_tokens":64,"stream":true,"messages":[{{"role":"user","content":"Why?"}}]}}"#
    );
    let response = format!(r#"{{"model":"{FIRST}","stream":true,"input":"Why?"}}"#);
    [
        ("/v1/messages", message, MESSAGE, "event: message_stop"),
        ("/v1/responses", response, RESPONSE, "event: response.completed"),
    ]
}

fn keyed(path: &str, body: &str) -> Request<Full<Bytes>> {
    let mut request = post(path, body.to_owned());
    request
        .headers_mut()
        .insert("idempotency-key", HeaderValue::from_static("a"));
    request
}

/// Reads to the end of this event, and closes.
async fn read_until(response: Response<EndpointBody>, event: &str) -> String {
    assert_eq!(response.status(), 200);
    let mut body = response.into_body();
    let mut text = String::new();
    while let Some(frame) = body.frame().await {
        let Ok(data) = frame.unwrap().into_data() else { continue };
        text.push_str(std::str::from_utf8(&data).unwrap());
        let is_whole = text.find(event).and_then(|at| text.get(at..));
        if is_whole.is_some_and(|last| last.contains("\n\n")) {
            break;
        }
    }
    text
}

/// The connection stays open behind the last event: its end is not what the answer waits for.
#[tokio::test(start_paused = true)]
async fn a_key_is_remembered_if_its_client_leaves_at_the_last_event() {
    for (path, body, stream, last) in apis() {
        let raw = Raw::always(vec![events(), send(stream), Step::Hang]).await;
        let ledger = MemoryLedger::new();
        let keys = ChatIdempotency::new(InMemoryIdempotency::new(1 << 20), TenantKey::global());
        let stack = raw.builder().ledger(Arc::new(ledger.clone())).idempotency(keys);
        let endpoints = stack.build().unwrap().into_endpoints();
        let ask = async || endpoints.clone().oneshot(keyed(path, &body)).await.unwrap();
        let first = read_until(ask().await, last).await;
        let again = ask().await;
        assert!(again.headers().contains_key("idempotent-replayed"), "{path}: {first}");
        assert_eq!(read_until(again, last).await, first, "{path}");
        assert_eq!(raw.seen().len(), 1, "{path}");
        let entries = ledger.recent(10);
        let paid: Vec<_> = entries.iter().filter(|entry| entry.attempt > 0).collect();
        assert_eq!(paid.len(), 1, "{path}");
        assert_eq!(paid[0].state, EntryState::Settled, "{path}");
        assert_eq!(paid[0].cost().pico(), 2_000_000_000, "{path}");
    }
}

#[tokio::test(start_paused = true)]
async fn an_answer_is_cached_if_its_client_leaves_at_the_last_event() {
    for (path, body, stream, last) in apis() {
        let raw = Raw::always(vec![events(), send(stream), Step::Hang]).await;
        let cache = ChatCache::new(Cache::new(1 << 20), TenantKey::global());
        let endpoints = raw.builder().cache(cache).build().unwrap().into_endpoints();
        for _ in 0..3 {
            let response = endpoints.clone().oneshot(post(path, body.clone())).await.unwrap();
            assert!(read_until(response, last).await.contains("Blue."), "{path}");
        }
        assert_eq!(raw.seen().len(), 1, "{path}");
    }
}
