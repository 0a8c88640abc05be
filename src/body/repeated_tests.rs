//! Chunks that differ from the one before in their text alone are not read in full: they come out as if they were.

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
use crate::{ChatFrame, FailureKind};

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

/// The frames of a stream of these chunks, each with `more` blanks more than the one before, and how it ended.
fn read(chunks: &[String], more: usize) -> (Vec<impl PartialEq + std::fmt::Debug + use<>>, Option<FailureKind>) {
    let events = chunks.iter().enumerate().map(|(at, chunk)| {
        let inside = chunk.strip_prefix('{').unwrap_or(chunk);
        format!("data: {{{}{inside}\n\n", " ".repeat(at * more))
    });
    let stream: String = events.chain(["data: [DONE]\n\n".to_owned()]).collect();
    let mut body = ChatBody::from_event_stream(Full::new(Bytes::from(stream)));
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
    let texts = prop::sample::select(vec![
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
    ]);
    // The first kinds are what most streams are made of.
    (0..26_usize, texts).prop_map(move |(kind, text)| {
        let kind = if kind < kinds.len() { kind } else { kind % 2 };
        kinds[kind].replace('@', text)
    })
}

proptest! {
    #[test]
    fn a_chunk_like_the_one_before_is_read_as_well_as_any(chunks in prop::collection::vec(chunk(), 0..12)) {
        // With another number of blanks in each, no chunk is like the one before.
        prop_assert_eq!(read(&chunks, 0), read(&chunks, 1), "{:?}", chunks);
    }
}
