//! Chunks and events that differ from the one before in their text alone are not read in full: they come out as if they were.

use std::{
    pin::Pin,
    task::{Context, Poll, Waker},
};

use bytes::Bytes;
use http_body::Body;
use http_body_util::Full;
use proptest::prelude::*;
use tower_llm_layers::{Frame as _, Shown};

use super::ChatBody;
use crate::{Api, ChatFrame, FailureKind};

/// What a frame says, its bytes apart.
fn said(frame: &ChatFrame) -> impl PartialEq + std::fmt::Debug + use<> {
    let text = match frame.shown() {
        Shown::Text(text) => format!("text {text}"),
        other => format!("{other:?}"),
    };
    (
        (frame.kind(), frame.stage(), frame.has_usage(), frame.tokens()),
        (text, frame.text().map(String::from), frame.token_usage()),
        (frame.finish_reason().map(String::from), frame.finishes_answer()),
        frame.generation_id().map(String::from),
    )
}

/// The frames of a stream of these chunks, each with `more` blanks more than the one before, and how it ended. `#` is the number of an event.
fn read(
    api: Api,
    chunks: &[String],
    more: usize,
) -> (Vec<impl PartialEq + std::fmt::Debug + use<>>, Option<FailureKind>) {
    let events = chunks.iter().enumerate().map(|(at, chunk)| {
        let inside = chunk.strip_prefix('{').unwrap_or(chunk).replace('#', &at.to_string());
        format!("data: {{{}{inside}\n\n", " ".repeat(at * more))
    });
    let stream: String = events.chain(["data: [DONE]\n\n".to_owned()]).collect();
    let mut body = ChatBody::from_event_stream_of(api, Full::new(Bytes::from(stream)));
    let mut context = Context::from_waker(Waker::noop());
    let mut frames = Vec::new();
    loop {
        match Pin::new(&mut body).poll_frame(&mut context) {
            Poll::Ready(Some(Ok(frame))) => frames.extend(frame.into_data().iter().map(said)),
            Poll::Ready(Some(Err(error))) => return (frames, Some(error.kind())),
            Poll::Ready(None) => return (frames, None),
            Poll::Pending => {}
        }
    }
}

fn text() -> impl Strategy<Value = &'static str> {
    prop::sample::select(vec![
        "",
        "so",
        " word",
        "ö",
        "a longer text of some words",
        r"\n",
        r#"\""#,
        r"s\u00f6",
        r"\ud83d",
        r"\\",
        "\u{1}",
        "}",
        r#"","x":"#,
    ])
}

/// One chunk; those of a kind differ in their text alone.
fn chunk() -> impl Strategy<Value = String> {
    let kinds = [
        r#"{"id":"gen-1","model":"m","choices":[{"index":0,"delta":{"role":"assistant","content":"@"},"finish_reason":null}],"usage":null}"#,
        r#"{"id":"gen-1","choices":[{"index":0,"delta":{"content":"@","refusal":null},"finish_reason":""}]}"#,
        r#"{"id":"gen-1","choices":[{"index":0,"text":"@"}]}"#,
        r#"{"id":"gen-1","choices":[{"index":1,"delta":{"content":"@"}}]}"#,
        r#"{"id":"gen-1","choices":[{"index":0,"delta":{"reasoning":"@"}}]}"#,
        r#"{"id":"gen-1","choices":[{"index":0,"delta":{"content":"@","reasoning":"hm"}}]}"#,
        r#"{"id":"gen-1","choices":[{"index":0,"delta":{"content":"@"}},{"index":1,"delta":{"content":"so"}}]}"#,
        r#"{"id":"gen-1","choices":[{"index":0,"delta":{"content":"@"},"message":{"content":"all"}}]}"#,
        r#"{"id":"gen-1","choices":[{"index":0,"message":{"content":"@"}}]}"#,
        r#"{"id":"gen-1","choices":[{"index":0,"delta":{"content":"@"},"finish_reason":"stop"}]}"#,
        r#"{"id":"gen-1","choices":[{"index":0,"delta":{"content":"@"}}],"usage":{"prompt_tokens":1,"completion_tokens":2}}"#,
        r#"{"id":"gen-1","choices":[{"index":0,"delta":{"tool_calls":[{"index":0,"function":{"arguments":"@"}}]}}]}"#,
        r#"{"id":"gen-1","choices":[],"usage":{"prompt_tokens":1,"completion_tokens":2,"cost":0.1}}"#,
    ];
    // The first kinds are what most streams are made of.
    (0..26_usize, text()).prop_map(move |(kind, text)| {
        let kind = if kind < kinds.len() { kind } else { kind % 2 };
        kinds[kind].replace('@', text)
    })
}

/// One event of Responses; those of a kind differ in their number and their text alone.
fn response_event() -> impl Strategy<Value = String> {
    let kinds = [
        r#"{"type":"response.output_text.delta","sequence_number":#,"item_id":"m","output_index":0,"content_index":0,"delta":"@","logprobs":[]}"#,
        r#"{"sequence_number":#,"type":"response.output_text.delta","output_index":1,"delta":"@","obfuscation":"x"}"#,
        r#"{"type":"response.output_text.delta","output_index":0,"delta":"@","sequence_number":#}"#,
        r#"{"type":"response.output_text.delta","sequence_number":0#,"output_index":0,"delta":"@"}"#,
        r#"{"type":"response.output_text.delta","sequence_number":#,"output_index":0,"delta":"@","error":{"message":"no"}}"#,
        r#"{"type":"response.refusal.delta","sequence_number":#,"output_index":0,"delta":"@"}"#,
        r#"{"type":"response.reasoning_text.delta","sequence_number":#,"output_index":0,"delta":"@"}"#,
        r#"{"type":"response.function_call_arguments.delta","sequence_number":#,"output_index":1,"delta":"@"}"#,
        r#"{"type":"response.output_text.done","sequence_number":#,"output_index":0,"text":"@"}"#,
        r#"{"type":"response.output_item.added","sequence_number":#,"output_index":1,"item":{"type":"message","content":[]}}"#,
        r#"{"type":"response.output_item.done","sequence_number":#,"output_index":0,"item":{"type":"message","content":[{"type":"output_text","text":"@"}]}}"#,
        r#"{"type":"response.completed","sequence_number":#,"response":{"object":"response","status":"completed","output":[],"usage":{"input_tokens":1,"output_tokens":2}}}"#,
        r#"{"type":"keepalive"}"#,
    ];
    (0..26_usize, text()).prop_map(move |(kind, text)| {
        let kind = if kind < kinds.len() { kind } else { kind % 2 };
        kinds[kind].replace('@', text)
    })
}

/// The same of Messages.
fn message_event() -> impl Strategy<Value = String> {
    let kinds = [
        r#"{"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":"@"}}"#,
        r#"{"delta":{"text":"@","type":"text_delta"},"index":1,"type":"content_block_delta"}"#,
        r#"{"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":"@"},"usage":{"output_tokens":3}}"#,
        r#"{"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":"@"},"delta":{"text":"so"}}"#,
        r#"{"type":"content_block_delta","index":0,"delta":{"type":"thinking_delta","thinking":"@"}}"#,
        r#"{"type":"content_block_delta","index":1,"delta":{"type":"input_json_delta","partial_json":"@"}}"#,
        r#"{"type":"content_block_delta","index":0,"delta":{"type":"signature_delta","signature":"@"}}"#,
        r#"{"type":"message_start","message":{"id":"msg_1","model":"m","content":[],"usage":{"input_tokens":1}}}"#,
        r#"{"type":"content_block_start","index":1,"content_block":{"type":"text","text":"@"}}"#,
        r#"{"type":"content_block_stop","index":0}"#,
        r#"{"type":"content_block_stop","index":1}"#,
        r#"{"type":"message_delta","delta":{"stop_reason":"end_turn"},"usage":{"output_tokens":2}}"#,
        r#"{"type":"message_stop"}"#,
    ];
    (0..26_usize, text()).prop_map(move |(kind, text)| {
        let kind = if kind < kinds.len() { kind } else { kind % 2 };
        kinds[kind].replace('@', text)
    })
}

proptest! {
    #[test]
    fn a_chunk_like_the_one_before_is_read_as_well_as_any(chunks in prop::collection::vec(chunk(), 0..12)) {
        // With another number of blanks in each, no chunk is like the one before.
        prop_assert_eq!(read(Api::Chat, &chunks, 0), read(Api::Chat, &chunks, 1), "{:?}", chunks);
    }

    #[test]
    fn an_event_of_a_response_like_the_one_before_is_read_as_well(events in prop::collection::vec(response_event(), 0..24)) {
        prop_assert_eq!(read(Api::Responses, &events, 0), read(Api::Responses, &events, 1), "{:?}", events);
    }

    #[test]
    fn an_event_of_a_message_like_the_one_before_is_read_as_well(events in prop::collection::vec(message_event(), 0..24)) {
        prop_assert_eq!(read(Api::Messages, &events, 0), read(Api::Messages, &events, 1), "{:?}", events);
    }
}
