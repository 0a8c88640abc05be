//! Plain calls over a stream: the answer is whole, or the error honest.

use std::{
    future::{Future, poll_fn, ready},
    pin::pin,
    sync::{Arc, Mutex},
};

use http::{HeaderMap, Request, Response};
use http_body_util::BodyExt;
use serde_json::{Value, json};
use tower::{ServiceExt, service_fn};
use tower_layer::Layer;

use super::StreamUpstreamLayer;
use crate::{
    ApiKey, ApiRequest, ChatBody, ChatFrame, ChatRequest, ChatServiceExt, Error, FrameKind, Stack, assemble::Gathered,
    body::put_together,
};
use tower_llm_layers::{Frame, LlmRequest, Stage};

fn chunk(value: &Value) -> ChatFrame {
    ChatFrame::new(value.to_string().into(), FrameKind::Chunk, Stage::Content, false)
}

fn whole(chunks: &[Value]) -> Result<Value, Error> {
    let mut gathered = Gathered::default();
    for value in chunks {
        gathered.take(&chunk(value))?;
    }
    let frame = put_together(gathered, &HeaderMap::new())?;
    assert_eq!(frame.kind(), FrameKind::Answer);
    assert!(frame.finishes_answer());
    Ok(serde_json::from_slice(frame.bytes()).expect("it is JSON"))
}

/// Chunks of one choice, each with this delta.
fn deltas(deltas: impl IntoIterator<Item = Value>) -> Vec<Value> {
    let chunk = |delta| json!({"id": "gen-1", "object": "chat.completion.chunk", "created": 7, "model": "a/b", "choices": [{"index": 0, "delta": delta, "finish_reason": null}]});
    let end = json!({"id": "gen-1", "object": "chat.completion.chunk", "model": "a/b", "choices": [{"index": 0, "delta": {}, "finish_reason": "stop", "native_finish_reason": "end_turn"}]});
    deltas.into_iter().map(chunk).chain([end]).collect()
}

fn message(pieces: impl IntoIterator<Item = Value>) -> Value {
    whole(&deltas(pieces)).expect("it is whole")["choices"][0]["message"].take()
}

#[test]
fn the_envelope_is_that_of_a_plain_answer() {
    let mut chunks = deltas([json!({"role": "assistant", "content": "So"})]);
    chunks.push(
        json!({"id": "gen-1", "object": "chat.completion.chunk", "service_tier": "flex", "choices": [],
        "usage": {"prompt_tokens": 3, "cost": 0.5}, "new": {"x": 1}}),
    );
    let answer = whole(&chunks).expect("it is whole");
    let expected = json!({
        "id": "gen-1", "object": "chat.completion", "created": 7, "model": "a/b", "service_tier": "flex", "new": {"x": 1},
        "usage": {"prompt_tokens": 3, "cost": 0.5},
        "choices": [{"index": 0, "finish_reason": "stop", "native_finish_reason": "end_turn",
            "message": {"role": "assistant", "content": "So"}}],
    });
    assert_eq!(answer, expected);
}

#[test]
fn texts_are_joined_and_nothing_takes_nothing_back() {
    let pieces = [
        json!({"role": "assistant", "content": "", "reasoning": "H"}),
        json!({"content": null, "reasoning": "m.", "x_new": 1}),
        json!({"content": "So", "reasoning": null}),
        json!({"content": " it is.", "x_new": null, "refusal": "N"}),
        json!({"refusal": "o"}),
    ];
    let expected =
        json!({"role": "assistant", "content": "So it is.", "reasoning": "Hm.", "refusal": "No", "x_new": 1});
    assert_eq!(message(pieces), expected);
}

#[test]
fn tool_calls_are_joined_by_their_place() {
    let pieces = [
        json!({"content": null, "tool_calls": [{"index": 0, "id": "c0", "type": "function", "function": {"name": "get", "arguments": ""}}]}),
        json!({"tool_calls": [{"index": 1, "id": "c1", "type": "function", "function": {"name": "set", "arguments": "{"}}]}),
        json!({"tool_calls": [{"index": 0, "function": {"arguments": "{\"a\":"}}, {"index": 1, "id": "", "function": {"name": "", "arguments": "}"}}]}),
        json!({"tool_calls": [{"index": 0, "function": {"arguments": "1}"}}]}),
    ];
    let expected = json!({"content": null, "tool_calls": [
        {"index": 0, "id": "c0", "type": "function", "function": {"name": "get", "arguments": "{\"a\":1}"}},
        {"index": 1, "id": "c1", "type": "function", "function": {"name": "set", "arguments": "{}"}},
    ]});
    assert_eq!(message(pieces), expected);
    // The head of the second call at the first place, and the rest of it at the second.
    let shifted = [
        json!({"tool_calls": [{"index": 0, "id": "c0", "function": {"name": "get", "arguments": "{}"}}]}),
        json!({"tool_calls": [{"index": 0, "id": "c1", "function": {"name": "set", "arguments": ""}}]}),
        json!({"tool_calls": [{"index": 1, "function": {"arguments": "{\"a\":1}"}}]}),
    ];
    let calls = &message(shifted)["tool_calls"];
    assert_eq!(calls.as_array().map(Vec::len), Some(2), "{calls}");
    assert_eq!(calls[1]["function"]["arguments"], "{\"a\":1}", "{calls}");
    // A name in pieces, and one that comes with each piece.
    let pieces = [
        json!({"tool_calls": [{"index": 0, "id": "c0", "function": {"name": "get_", "arguments": ""}}]}),
        json!({"tool_calls": [{"index": 0, "function": {"name": "weather", "arguments": "{\"a\""}}]}),
        json!({"tool_calls": [{"index": 1, "id": "c1", "function": {"name": "set", "arguments": "{"}}]}),
        json!({"tool_calls": [{"index": 1, "id": "c1", "function": {"name": "set", "arguments": "}"}}]}),
        json!({"tool_calls": [{"index": 0, "function": {"arguments": ":1}"}}]}),
    ];
    let calls = &message(pieces)["tool_calls"];
    assert_eq!(
        calls[0]["function"],
        json!({"name": "get_weather", "arguments": "{\"a\":1}"})
    );
    assert_eq!(calls[1]["function"], json!({"name": "set", "arguments": "{}"}));
    // Without places: by the id, and what has none continues the last.
    let bare = [
        json!({"tool_calls": [{"id": "c0", "function": {"name": "get", "arguments": "{"}}]}),
        json!({"tool_calls": [{"function": {"arguments": "}"}}]}),
        json!({"tool_calls": [{"id": "c1", "function": {"name": "set", "arguments": "{}"}}]}),
    ];
    let expected = json!({"tool_calls": [
        {"id": "c0", "function": {"name": "get", "arguments": "{}"}},
        {"id": "c1", "function": {"name": "set", "arguments": "{}"}},
    ]});
    assert_eq!(message(bare), expected);
}

#[test]
fn reasoning_details_keep_their_signatures_and_their_order() {
    let pieces = [
        json!({"reasoning_details": [{"type": "reasoning.text", "index": 0, "text": "H", "format": "f"}]}),
        json!({"reasoning_details": [{"type": "reasoning.text", "index": 0, "text": "m."}]}),
        json!({"reasoning_details": [{"type": "reasoning.text", "index": 0, "signature": "s", "text": null}]}),
        json!({"reasoning_details": [{"type": "reasoning.encrypted", "index": 1, "data": "x"}]}),
        json!({"reasoning_details": [{"type": "reasoning.summary", "id": "r1", "summary": "In"}]}),
        json!({"reasoning_details": [{"type": "reasoning.summary", "id": "r1", "summary": " short"}]}),
        json!({"reasoning_details": [{"type": "reasoning.summary", "id": "r2", "summary": "More"}]}),
        json!({"content": "So"}),
    ];
    let expected = json!([
        {"type": "reasoning.text", "index": 0, "text": "Hm.", "format": "f", "signature": "s"},
        {"type": "reasoning.encrypted", "index": 1, "data": "x"},
        {"type": "reasoning.summary", "id": "r1", "summary": "In short"},
        {"type": "reasoning.summary", "id": "r2", "summary": "More"},
    ]);
    assert_eq!(message(pieces)["reasoning_details"], expected);
}

#[test]
fn pictures_notes_sound_and_probabilities_come_along() {
    let note = |url: &str| json!({"type": "url_citation", "url_citation": {"url": url}});
    let mut chunks = deltas([
        json!({"content": "So", "images": [{"image_url": {"url": "data:1"}}], "annotations": [note("a")]}),
        json!({"annotations": [note("b")], "audio": {"id": "au", "data": "AAA", "transcript": "S"}}),
        json!({"audio": {"data": "BBB", "transcript": "o", "expires_at": 9}}),
    ]);
    chunks[0]["choices"][0]["logprobs"] = json!({"content": [{"token": "S"}]});
    chunks[1]["choices"][0]["logprobs"] = json!({"content": [{"token": "o"}], "refusal": null});
    let answer = whole(&chunks).expect("it is whole");
    let choice = &answer["choices"][0];
    assert_eq!(
        choice["logprobs"],
        json!({"content": [{"token": "S"}, {"token": "o"}], "refusal": null})
    );
    let message = &choice["message"];
    assert_eq!(message["annotations"], json!([note("a"), note("b")]));
    assert_eq!(message["images"], json!([{"image_url": {"url": "data:1"}}]));
    assert_eq!(
        message["audio"],
        json!({"id": "au", "data": "AAABBB", "transcript": "So", "expires_at": 9})
    );
}

#[test]
fn nothing_is_no_answer() {
    let error = whole(&deltas([json!({"role": "assistant", "content": ""})])).expect_err("it is empty");
    assert_eq!(error.kind(), tower_llm_layers::FailureKind::EmptyResponse);
}

#[test]
fn two_calls_at_one_place_are_two_calls() {
    // As some providers have it: each call whole, all at place 0, distinguished by their ids.
    let pieces = [
        json!({"tool_calls": [{"index": 0, "id": "c0", "type": "function", "function": {"name": "get", "arguments": "{\"a\":1}"}}]}),
        json!({"tool_calls": [{"index": 0, "id": "c1", "type": "function", "function": {"name": "set", "arguments": "{\"b\":2}"}}]}),
    ];
    let calls = message(pieces)["tool_calls"].take();
    assert_eq!(calls.as_array().map(Vec::len), Some(2), "{calls}");
}

#[test]
fn one_call_whose_pieces_each_have_an_id_and_the_name_is_one_call() {
    // As vLLM has it for a tool that is named in `tool_choice`: name and a new id in each piece.
    let pieces = [
        json!({"tool_calls": [{"index": 0, "id": "chatcmpl-tool-1", "type": "function", "function": {"name": "get", "arguments": "{\"a\""}}]}),
        json!({"tool_calls": [{"index": 0, "id": "chatcmpl-tool-2", "type": "function", "function": {"name": "get", "arguments": ":1"}}]}),
        json!({"tool_calls": [{"index": 0, "id": "chatcmpl-tool-3", "type": "function", "function": {"name": "get", "arguments": "}"}}]}),
    ];
    let calls = message(pieces)["tool_calls"].take();
    assert_eq!(calls.as_array().map(Vec::len), Some(1), "{calls}");
}

/// What fails while it is put together marks its candidate: the next one is called, and not the same one up to the cap.
#[tokio::test(start_paused = true)]
async fn an_answer_that_cannot_be_put_together_moves_the_call_on() {
    let called = Arc::new(Mutex::new(Vec::new()));
    let log = Arc::clone(&called);
    let service = service_fn(move |request: Request<ApiRequest>| {
        let model = request.body().model().unwrap_or_default().to_owned();
        let is_first = model == "x/first";
        log.lock().expect("no panic").push(model);
        let text = json!({"choices": [{"index": 0, "delta": {"content": "So"}, "finish_reason": "stop"}]});
        let odd = ChatFrame::new("no chunk".into(), FrameKind::Chunk, Stage::Content, false);
        let frames = [Some(chunk(&text)), is_first.then_some(odd)];
        ready(Ok::<_, Error>(Response::new(ChatBody::from_frames(
            frames.into_iter().flatten().map(Ok),
        ))))
    });
    let stack = Stack::openrouter(ApiKey::new("sk-or-v1-0").expect("a key"))
        .chain(["x/first", "x/second"])
        .stream_upstream(StreamUpstreamLayer::new())
        .build_over(service)
        .expect("it builds");
    let completion = stack
        .complete(ChatRequest::user("Hi"))
        .await
        .expect("the second answers");
    assert_eq!(completion.response.text(), Some("So"));
    assert_eq!(*called.lock().expect("no panic"), ["x/first", "x/second"]);
}

#[tokio::test(start_paused = true)]
async fn a_long_stream_that_is_always_ready_yields() {
    let service = service_fn(|_: Request<ApiRequest>| {
        let piece = || Ok(chunk(&json!({"choices": [{"index": 0, "delta": {"content": "So "}}]})));
        let frames = std::iter::repeat_with(piece).take(10_000);
        ready(Ok::<_, Error>(Response::new(ChatBody::from_frames(frames))))
    });
    let call = StreamUpstreamLayer::new()
        .layer(service)
        .oneshot(ChatRequest::user("Hi").into_http());
    let (mut call, mut polls) = (pin!(call), 0);
    let response = poll_fn(|cx| {
        polls += 1;
        call.as_mut().poll(cx)
    })
    .await
    .expect("it is whole");
    assert!(polls >= 10_000 * 256 / (64 * 1024), "{polls} polls");
    let mut body = response.into_body();
    let frame = body
        .frame()
        .await
        .and_then(Result::ok)
        .and_then(|frame| frame.into_data().ok());
    assert_eq!(
        frame.and_then(|frame| frame.text().map(|text| text.len())),
        Some(30_000)
    );
}
