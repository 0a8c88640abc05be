//! An interrupted stream of Messages is continued within its block of text, and reads like one message, wherever it was interrupted.
#![expect(clippy::string_slice, reason = "the texts are ASCII")]

use std::{
    convert::Infallible,
    sync::{Arc, Mutex},
};

use bytes::Bytes;
use futures_util::{future::BoxFuture, stream};
use http::{Request, Response};
use http_body::Frame as BodyFrame;
use http_body_util::StreamBody;
use proptest::{
    prelude::*,
    sample::select,
    test_runner::{Config, RngSeed},
};
use serde_json::{Value, json};
use tower::{ServiceExt, service_fn};
use tower_openrouter::{
    Answer, Api, ApiKey, ApiRequest, ChatBody, ChatFrame, Error, FailureKind as K, FrameKind, Stack,
    layers::{Frame, resume::ResumeLayer},
    stream_upstream::StreamUpstreamMode,
};

use super::{Got, call, event};
use crate::support::{FIRST, SECOND, mounted::KEY};

/// A new Claude, which takes no begun message.
const NEW: &str = "anthropic/claude-sonnet-4.6";
const WHOLE: &str =
    "The sky is blue. It is \"blue\" since air scatters short waves – very, very well. The sun is red at dusk.";

/// The same for a test of many calls.
const SHORT: &str = "The sky is \"blue\" – mostly. So?";

/// How a model writes its message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Manner {
    Plain,
    /// It thinks first.
    Thinks,
    /// The block of text begins with its first words.
    StartsFull,
    /// Its text is in two blocks.
    Halves,
    /// Behind the text it calls a tool.
    Calls,
    /// It repeats its last sentence.
    Repeats,
    /// It answers from the start, and repeats all that was shown.
    Restarts,
    /// It answers from the start, and says something else.
    Differs,
    /// One document in the place of a stream.
    Document,
}

fn start(model: &str) -> String {
    event(&format!(
        r#"{{"type":"message_start","message":{{"id":"msg_{model}","type":"message","role":"assistant","model":"{model}","content":[],"stop_reason":null,"usage":{{"input_tokens":20,"output_tokens":1}}}}}}"#
    ))
}

fn block(index: usize, text: &str) -> String {
    event(
        &json!({"type": "content_block_start", "index": index, "content_block": {"type": "text", "text": text}})
            .to_string(),
    )
}

fn delta(index: usize, delta: &Value) -> String {
    event(&json!({"type": "content_block_delta", "index": index, "delta": delta}).to_string())
}

fn stop(index: usize) -> String {
    event(&json!({"type": "content_block_stop", "index": index}).to_string())
}

fn words(index: usize, text: &str) -> String {
    let words = text.split_inclusive(' ');
    words
        .map(|word| delta(index, &json!({"type": "text_delta", "text": word})))
        .collect()
}

/// The whole stream of a message with this text.
fn message(model: &str, text: &str, manner: Manner) -> String {
    let mut events = start(model);
    let mut at = 0;
    if manner == Manner::Thinks {
        events += &event(
            r#"{"type":"content_block_start","index":0,"content_block":{"type":"thinking","thinking":"","signature":""}}"#,
        );
        events += &delta(0, &json!({"type": "thinking_delta", "thinking": "Hm, "}));
        events += &delta(0, &json!({"type": "thinking_delta", "thinking": "so."}));
        events += &delta(0, &json!({"type": "signature_delta", "signature": "c2ln"}));
        events += &stop(0);
        at = 1;
    }
    let middle = text
        .char_indices()
        .map(|(at, _)| at)
        .nth(text.chars().count() / 2)
        .unwrap_or(0);
    match manner {
        Manner::StartsFull => {
            let (first, rest) = text.split_at(middle);
            events += &block(at, first);
            events += &words(at, rest);
        }
        Manner::Halves => {
            let (first, rest) = text.split_at(middle);
            events += &(block(at, "") + &words(at, first) + &stop(at));
            at += 1;
            events += &(block(at, "") + &words(at, rest));
        }
        _ => events += &(block(at, "") + &words(at, text)),
    }
    events += &stop(at);
    if manner == Manner::Calls {
        events += &event(&format!(
            r#"{{"type":"content_block_start","index":{},"content_block":{{"type":"tool_use","id":"t","name":"f","input":{{}}}}}}"#,
            at + 1
        ));
        events += &delta(at + 1, &json!({"type": "input_json_delta", "partial_json": "{}"}));
        events += &stop(at + 1);
    }
    events
        + &event(
            r#"{"type":"message_delta","delta":{"stop_reason":"end_turn","stop_sequence":null},"usage":{"output_tokens":7}}"#,
        )
        + &event(r#"{"type":"message_stop"}"#)
}

/// The text that a request has begun, and the end of it that an instruction names.
fn begun(request: &Value) -> Option<(String, Option<String>)> {
    let messages = request["messages"].as_array().unwrap();
    let last = messages.last()?;
    let text = last["content"].as_str()?.to_owned();
    if last["role"] == "assistant" {
        return Some((text, None));
    }
    let before = messages
        .iter()
        .rev()
        .nth(1)
        .filter(|message| message["role"] == "assistant")?;
    let named = text.rsplit('\n').next().unwrap_or_default().to_owned();
    Some((before["content"].as_str()?.to_owned(), Some(named)))
}

/// A model that continues what was begun, in its manner.
fn continued(whole: &str, model: &str, request: &Value, manner: Manner) -> String {
    let Some((shown, named)) = begun(request) else {
        return message(model, whole, manner);
    };
    let rest = whole.strip_prefix(&shown).unwrap();
    let text = match (manner, named) {
        (Manner::Restarts, _) => whole.to_owned(),
        (Manner::Differs, _) => "The sky is an illusion. It has no colour.".to_owned(),
        (_, Some(named)) => named + rest,
        (Manner::Repeats, None) => {
            let sentence = shown.rfind(". ").map_or(0, |at| at + 2);
            // A part of a word is never repeated alone.
            let again = Some(&shown[sentence..]).filter(|again| again.split(' ').count() > 3);
            again.unwrap_or_default().to_owned() + rest
        }
        (_, None) => rest.to_owned(),
    };
    message(model, &text, manner)
}

/// A stack over models that answer so: each call gets the bytes that `script` says of its number and request.
fn stack(
    models: &[&str],
    script: impl Fn(usize, &Value) -> ChatBody + Send + Sync + 'static,
) -> (Stack, Arc<Mutex<Vec<Value>>>) {
    let seen = Arc::new(Mutex::new(Vec::new()));
    let (log, script) = (Arc::clone(&seen), Arc::new(script));
    let service = service_fn(
        move |request: Request<ApiRequest>| -> BoxFuture<'static, Result<Response<ChatBody>, Error>> {
            let request: Value = serde_json::from_slice(&request.body().as_messages().unwrap().to_bytes()).unwrap();
            let mut seen = log.lock().unwrap();
            let body = script(seen.len(), &request);
            seen.push(request);
            Box::pin(async move { Ok(Response::new(body)) })
        },
    );
    let stack = Stack::openrouter(ApiKey::new(KEY).unwrap())
        .chain(models.iter().copied())
        .attempts_per_candidate(1)
        .resume(ResumeLayer::new())
        .build_over(service)
        .unwrap();
    (stack, seen)
}

/// These bytes, and then the end of the connection.
fn body(bytes: impl Into<Bytes>) -> ChatBody {
    let piece = Ok::<_, Infallible>(BodyFrame::data(bytes.into()));
    ChatBody::from_event_stream_of(Api::Messages, StreamBody::new(stream::iter([piece])))
}

fn ask() -> ApiRequest {
    let json = format!(
        r#"{{"model":"{FIRST}","max_tokens":500,"messages":[{{"role":"user","content":"Why?"}}],"stream":true}}"#
    );
    ApiRequest::from_json(Api::Messages, json).unwrap()
}

/// The message as Anthropic's clients put it together; they insist on this order of events.
fn read(frames: &[ChatFrame]) -> (Vec<Value>, bool) {
    let (mut blocks, mut open, mut began, mut ended): (Vec<Value>, _, _, _) = (Vec::new(), None, false, false);
    for frame in frames.iter().filter(|frame| frame.kind() == FrameKind::Chunk) {
        let event: Value = serde_json::from_slice(frame.bytes()).unwrap();
        assert!(!ended, "nothing stands behind the end: {event}");
        let index = event["index"].as_u64().and_then(|index| usize::try_from(index).ok());
        match event["type"].as_str().unwrap() {
            "message_start" => assert!(!std::mem::replace(&mut began, true), "one beginning"),
            "content_block_start" => {
                assert_eq!((index, open), (Some(blocks.len()), None), "{event}");
                open = index;
                blocks.push(event["content_block"].clone());
            }
            "content_block_delta" => {
                assert!(index.is_some() && index == open, "{event}");
                let block = &mut blocks[index.unwrap()];
                for name in ["text", "thinking"] {
                    if let Some(more) = event["delta"][name].as_str() {
                        block[name] = json!(block[name].as_str().unwrap().to_owned() + more);
                    }
                }
            }
            "content_block_stop" => assert_eq!((open.take(), index.is_some()), (index, true), "{event}"),
            "message_delta" => {
                assert!(event["usage"]["output_tokens"] == 7 && open.is_none(), "{event}");
            }
            "message_stop" => ended = true,
            other => panic!("{other}"),
        }
        assert!(began);
    }
    (blocks, ended)
}

fn text(blocks: &[Value]) -> String {
    blocks.iter().filter_map(|block| block["text"].as_str()).collect()
}

/// Whatever was cut: either the whole message, or the error and no more than its beginning.
fn whole_or_honest(what: &str, whole: &str, got: &Got) -> bool {
    let (blocks, ended) = read(&got.frames);
    let text = text(&blocks);
    assert_eq!(got.text, text, "{what}");
    if got.error.is_none() {
        assert_eq!((text.as_str(), ended), (whole, true), "{what}");
    } else {
        assert!(whole.starts_with(&text) && !ended, "{what}: {text}");
    }
    got.error.is_none()
}

/// The places at which a stream is cut: at each byte, or around the end of each event and within it.
fn cuts(text: &str, at_each_byte: bool) -> Vec<usize> {
    if at_each_byte {
        return (0..text.len()).collect();
    }
    let ends = text.match_indices("\n\n").map(|(at, _)| at + 2);
    ends.flat_map(|end| [end - 30, end - 2, end - 1, end])
        .filter(|cut| *cut < text.len())
        .collect()
}

#[tokio::test(start_paused = true)]
async fn wherever_it_breaks_the_message_is_whole_or_its_end_honest() {
    for (manner, at_each_byte) in [
        (Manner::Thinks, true),
        (Manner::Plain, false),
        (Manner::StartsFull, false),
        (Manner::Halves, false),
    ] {
        let first = message(FIRST, SHORT, manner);
        let thinks = manner == Manner::Thinks;
        let end_of_thought = first
            .find("content_block_stop\"")
            .map(|at| at + first[at..].find("\n\n").unwrap() + 2);
        let last = first.find("event: message_delta").unwrap();
        for cut in cuts(&first, at_each_byte) {
            let bytes = Bytes::copy_from_slice(&first.as_bytes()[..cut]);
            let (stack, seen) = stack(&[FIRST, SECOND], move |number, request| match number {
                0 => body(bytes.clone()),
                _ => body(continued(SHORT, SECOND, request, Manner::Plain)),
            });
            let got = call(&stack, ask()).await;
            let what = format!("{manner:?} cut at {cut}: {}", first.as_bytes()[..cut].escape_ascii());
            let is_whole = whole_or_honest(&what, SHORT, &got);
            // A thought that was begun cannot be ended by another call, nor can an answer that has said its end.
            let in_thought = thinks && end_of_thought.is_some_and(|end| cut < end);
            if !in_thought && cut < last {
                assert!(is_whole, "{what}: {got:?}");
                assert_eq!(seen.lock().unwrap().len(), 2, "{what}");
            }
        }
    }
}

#[tokio::test(start_paused = true)]
async fn however_a_model_continues_its_blocks_follow_on() {
    let first = message(FIRST, WHOLE, Manner::Plain);
    for model in [SECOND, NEW] {
        for manner in [
            Manner::Thinks,
            Manner::StartsFull,
            Manner::Halves,
            Manner::Calls,
            Manner::Repeats,
            Manner::Restarts,
            Manner::Differs,
            Manner::Document,
        ] {
            let cut = first.find("scatters").unwrap();
            let bytes = first[..cut].to_owned();
            let (stack, seen) = stack(&[FIRST, model], move |number, request| {
                if number == 0 || request["model"] == FIRST {
                    return body(if number == 0 { bytes.clone() } else { String::new() });
                }
                if manner == Manner::Document {
                    let document = json!({"id": "m", "type": "message", "role": "assistant", "model": "m", "stop_reason": "end_turn",
                        "content": [{"type": "text", "text": WHOLE}], "usage": {"input_tokens": 3, "output_tokens": 7}});
                    return ChatBody::from_event_stream_of(
                        Api::Messages,
                        StreamBody::new(stream::iter([Ok::<_, Infallible>(BodyFrame::data(Bytes::from(
                            format!("data: {document}\n\n"),
                        )))])),
                    );
                }
                body(continued(WHOLE, model, request, manner))
            });
            let got = call(&stack, ask()).await;
            let what = format!("{model} {manner:?}");
            let is_whole = whole_or_honest(&what, WHOLE, &got);
            assert_eq!(
                is_whole,
                !matches!(manner, Manner::Differs | Manner::Document),
                "{what}: {got:?}"
            );
            let seen = seen.lock().unwrap();
            let last = seen.last().unwrap();
            assert_eq!(
                last["messages"].as_array().unwrap().len(),
                if model == NEW { 3 } else { 2 },
                "{what}"
            );
            if !is_whole {
                assert_eq!(got.kind(), Some(K::Truncated), "{what}");
                continue;
            }
            let (blocks, _) = read(&got.frames);
            let kinds: Vec<_> = blocks.iter().map(|block| block["type"].as_str().unwrap()).collect();
            match manner {
                Manner::Calls => assert_eq!(kinds, ["text", "tool_use"], "{what}"),
                Manner::Halves if model == SECOND => assert_eq!(kinds, ["text", "text"], "{what}"),
                _ => assert!(kinds.iter().all(|kind| *kind == "text"), "{what}: {kinds:?}"),
            }
            // The usage in the last event is that of the continuation, its prompt included.
            let usage = got.frames.iter().rev().find_map(Frame::token_usage).unwrap();
            assert_eq!((usage.prompt, usage.answer), (20, 7), "{what}");
            let told = got.frames.iter().rev().find(|frame| frame.has_usage()).unwrap();
            let told: Value = serde_json::from_slice(told.bytes()).unwrap();
            assert_eq!(told["usage"], json!({"input_tokens": 20, "output_tokens": 7}), "{what}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_call_of_a_tool_or_a_form_is_never_continued() {
    let tool = message(FIRST, "Let me look.", Manner::Calls);
    let cut = tool.find("partial_json").unwrap();
    let begun = tool.find(r#""tool_use""#).unwrap();
    let started = begun + tool[begun..].find("\n\n").unwrap() + 2;
    for bytes in [
        &tool[..cut],
        &tool[..started],
        &tool[..tool.find("message_delta").unwrap()],
    ] {
        let bytes = bytes.to_owned();
        let (stack, seen) = stack(&[FIRST, SECOND], move |_, _| body(bytes.clone()));
        let got = call(&stack, ask()).await;
        assert_eq!(
            (got.kind(), seen.lock().unwrap().len()),
            (Some(K::Truncated), 1),
            "{got:?}"
        );
    }
    let cut = message(FIRST, WHOLE, Manner::Plain);
    let cut = cut[..cut.find("scatters").unwrap()].to_owned();
    for field in [
        r#""output_config":{"format":{"type":"json_schema","schema":{}}}"#,
        r#""tool_choice":{"type":"any"}"#,
    ] {
        let json = format!(
            r#"{{"model":"{FIRST}","max_tokens":500,"messages":[{{"role":"user","content":"Why?"}}],"stream":true,{field}}}"#
        );
        let bytes = cut.clone();
        let (stack, seen) = stack(&[FIRST, SECOND], move |_, _| body(bytes.clone()));
        let got = call(&stack, ApiRequest::from_json(Api::Messages, json).unwrap()).await;
        assert_eq!(
            (got.kind(), seen.lock().unwrap().len()),
            (Some(K::Truncated), 1),
            "{field}"
        );
    }
}

/// A plain call that is streamed upstream becomes one document, although two calls gave it.
#[tokio::test(start_paused = true)]
async fn a_plain_call_that_is_streamed_upstream_is_continued_as_well() {
    let first = message(FIRST, WHOLE, Manner::Thinks);
    let bytes = first[..first.find("scatters").unwrap()].to_owned();
    let (stack, _) = stack(&[FIRST, SECOND], move |number, request| match number {
        0 => body(bytes.clone()),
        _ => body(continued(WHOLE, SECOND, request, Manner::Calls)),
    });
    let json = format!(r#"{{"model":"{FIRST}","max_tokens":500,"messages":[{{"role":"user","content":"Why?"}}]}}"#);
    let mut request = ApiRequest::from_json(Api::Messages, json).unwrap().into_http();
    request.extensions_mut().insert(StreamUpstreamMode::On);
    let mut answer = Answer::new(stack.oneshot(request).await.unwrap());
    let frame = answer.next_frame().await.unwrap().unwrap();
    let document: Value = serde_json::from_slice(frame.bytes()).unwrap();
    let kinds: Vec<_> = document["content"]
        .as_array()
        .unwrap()
        .iter()
        .map(|block| block["type"].as_str().unwrap())
        .collect();
    assert_eq!(kinds, ["thinking", "text", "tool_use"], "{document}");
    assert_eq!(document["content"][1]["text"], WHOLE);
    assert_eq!(document["usage"]["output_tokens"], 7, "{document}");
}

/// What goes up to continue: the message that was begun, as many tokens as are left, and no budget of thoughts.
#[tokio::test(start_paused = true)]
async fn a_continuation_asks_for_what_is_left() {
    let first = message(FIRST, WHOLE, Manner::Thinks);
    let cut = first[..first.find("scatters").unwrap()].to_owned();
    for (begun, expected) in [
        (
            None,
            json!({"role": "assistant", "content": "The sky is blue. It is \"blue\" since air"}),
        ),
        (
            Some(json!({"role": "assistant", "content": "So: "})),
            json!({"role": "assistant", "content": "So: The sky is blue. It is \"blue\" since air"}),
        ),
        (
            Some(json!({"role": "assistant", "content": [{"type": "text", "text": "So: ", "x": 1}]})),
            json!({"role": "assistant", "content": [{"type": "text", "text": "So: The sky is blue. It is \"blue\" since air", "x": 1}]}),
        ),
    ] {
        let mut messages = vec![json!({"role": "user", "content": "Why?"})];
        messages.extend(begun);
        let request = json!({"model": FIRST, "max_tokens": 500, "messages": messages, "stream": true, "new": [1.0],
            "thinking": {"type": "enabled", "budget_tokens": 400}});
        let request = ApiRequest::from_json(Api::Messages, request.to_string()).unwrap();
        let bytes = cut.clone();
        let (stack, seen) = stack(&[FIRST], move |number, _| match number {
            0 => body(bytes.clone()),
            _ => body(message(FIRST, " scatters it.", Manner::Plain)),
        });
        let got = call(&stack, request).await;
        assert_eq!(
            got.text, "The sky is blue. It is \"blue\" since air scatters it.",
            "{got:?}"
        );
        let seen = seen.lock().unwrap();
        let sent = seen.last().unwrap();
        assert_eq!(sent["messages"].as_array().unwrap().last(), Some(&expected));
        assert!(sent.get("thinking").is_none() && sent["new"] == json!([1.0]), "{sent}");
        assert!(sent["max_tokens"].as_u64().unwrap() < 500, "{sent}");
    }
}

proptest! {
    #![proptest_config(Config { rng_seed: RngSeed::Fixed(29), failure_persistence: None, ..Config::with_cases(200) })]

    /// Interrupted twice, anywhere, in any manner: whole, or an honest end.
    #[test]
    fn two_cuts_anywhere_leave_a_whole_message_or_an_honest_end(
        first in 0.0..1.0_f64, second in 0.0..1.0_f64,
        manners in proptest::array::uniform3(select(vec![Manner::Plain, Manner::Thinks, Manner::StartsFull, Manner::Halves,
            Manner::Repeats, Manner::Restarts])),
        models in select(vec![[FIRST, SECOND], [FIRST, NEW]]),
    ) {
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, clippy::cast_precision_loss, reason = "a part of a small length")]
        let cut = |text: &str, part: f64| text.as_bytes()[..(text.len() as f64 * part) as usize].to_vec();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().start_paused(true).build().unwrap();
        let got = runtime.block_on(async move {
            let (stack, _) = stack(&models, move |number, request| {
                let model = request["model"].as_str().unwrap();
                let manner = manners[number.min(2)];
                match number {
                    0 => body(cut(&message(model, WHOLE, if manner == Manner::Restarts { Manner::Plain } else { manner }), first)),
                    1 => body(cut(&continued(WHOLE, model, request, manner), second)),
                    _ => body(continued(WHOLE, model, request, manner)),
                }
            });
            call(&stack, ask()).await
        });
        whole_or_honest("twice", WHOLE, &got);
    }
}
