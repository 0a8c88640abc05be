//! Answers that begin behind more than is held back before the first token: they are good ones, and are called for once.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

use bytes::Bytes;
use http_body_util::Full;
use tower_openrouter::{Api, ChatBody, ChatServiceExt, FailureKind, Stack};

use crate::support::{
    ask, call,
    mounted::{self, stack_over},
};

/// A stack over an upstream that streams these bytes at once, and how often it was called.
fn streaming(api: Api, text: String) -> (Stack, Arc<AtomicUsize>) {
    let (calls, text) = (Arc::new(AtomicUsize::new(0)), Bytes::from(text));
    let counted = Arc::clone(&calls);
    let stack = stack_over(move |_| {
        counted.fetch_add(1, Ordering::Relaxed);
        Ok(ChatBody::from_event_stream_of(api, Full::new(text.clone())))
    });
    (stack, calls)
}

/// `response.created` repeats the instructions of its request, and `response.in_progress` repeats them once more.
#[tokio::test(start_paused = true)]
async fn a_response_that_repeats_long_instructions_is_an_answer() {
    let instructions = "Be brief. ".repeat(220_000);
    let response = format!(
        r#"{{"id":"resp_1","object":"response","status":"in_progress","model":"a/b","instructions":"{instructions}","output":[],"usage":null}}"#
    );
    let item = r#"{"type":"message","id":"msg_1","role":"assistant","status":"completed","content":[{"type":"output_text","text":"Oslo.","annotations":[]}]}"#;
    let all = [
        format!(r#"{{"type":"response.created","sequence_number":0,"response":{response}}}"#),
        format!(r#"{{"type":"response.in_progress","sequence_number":1,"response":{response}}}"#),
        r#"{"type":"response.output_item.added","sequence_number":2,"output_index":0,"item":{"type":"message","id":"msg_1","role":"assistant","status":"in_progress","content":[]}}"#.to_owned(),
        r#"{"type":"response.output_text.delta","sequence_number":3,"item_id":"msg_1","output_index":0,"content_index":0,"delta":"Oslo."}"#.to_owned(),
        format!(r#"{{"type":"response.output_item.done","sequence_number":4,"output_index":0,"item":{item}}}"#),
        format!(
            r#"{{"type":"response.completed","sequence_number":5,"response":{{"id":"resp_1","object":"response","status":"completed","model":"a/b","output":[{item}],"usage":{{"input_tokens":550000,"output_tokens":3,"total_tokens":550003}}}}}}"#
        ),
    ];
    let text = all.map(|data| format!("data: {data}\n\n")).concat();
    let (stack, calls) = streaming(Api::Responses, text);
    let request = mounted::post("/v1/responses", r#"{"model":"demo/model","input":"Hi","stream":true}"#);
    let (parts, text) = mounted::send(stack.into_endpoints(), request).await;
    assert_eq!(parts.status, 200, "{text:.300}");
    assert!(text.contains("response.created") && text.contains("response.completed"));
    assert!(text.contains("\"delta\":\"Oslo.\""));
    assert_eq!(calls.load(Ordering::Relaxed), 1);
}

/// A server that hides the reasoning may send a blank chunk for each token of it.
#[tokio::test(start_paused = true)]
async fn long_hidden_reasoning_in_blank_chunks_is_no_failure() {
    let blank = "data: {\"id\":\"gen-1\",\"object\":\"chat.completion.chunk\",\"created\":1,\"model\":\"a/b\",\"choices\":[{\"index\":0,\"delta\":{\"role\":\"assistant\",\"content\":\"\"},\"finish_reason\":null}]}\n\n";
    let end = "data: {\"choices\":[{\"index\":0,\"delta\":{\"content\":\"Sky\"},\"finish_reason\":\"stop\"}]}\n\ndata: [DONE]\n\n";
    let (stack, calls) = streaming(Api::Chat, blank.repeat(40_000) + end);
    let got = call(&stack, true, ask()).await;
    assert_eq!((got.text.as_str(), got.kind()), ("Sky", None), "{:?}", got.error);
    assert_eq!(calls.load(Ordering::Relaxed), 1);
}

/// Without an end it is no answer, however much came.
#[tokio::test(start_paused = true)]
async fn blank_chunks_alone_are_no_answer() {
    let blank = format!(
        "data: {{\"choices\":[{{\"index\":0,\"delta\":{{\"content\":\"\"}},\"finish_reason\":null}}],\"pad\":\"{}\"}}\n\n",
        "x".repeat(64 * 1024)
    );
    let (stack, _) = streaming(Api::Chat, blank.repeat(80));
    let got = call(&stack, true, ask()).await;
    assert_eq!((got.text.as_str(), got.kind()), ("", Some(FailureKind::EmptyResponse)));
}
