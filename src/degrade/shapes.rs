//! A text as an answer of each API. No tokens were used, so nothing is billed.

use std::time::Duration;

use serde_json::{Value, json};
use tower_llm_layers::{Stage, UtcTime};

use crate::{Api, ChatFrame, FrameKind};

pub(super) fn frames(api: Api, text: &str, model: &str, streaming: bool) -> Vec<ChatFrame> {
    let now = Duration::from_millis(UtcTime::now().millis()).as_secs();
    let pieces = match (api, streaming) {
        (Api::Responses, false) => vec![whole(response(text, model, now, true))],
        (Api::Responses, true) => response_events(text, model, now),
        (Api::Messages, false) => vec![whole(message(text, model, true))],
        (Api::Messages, true) => message_events(text, model),
        (_, false) => vec![whole(completion(text, model, now))],
        (_, true) => chunks(text, model, now),
    };
    let form = if streaming { FrameKind::Chunk } else { FrameKind::Answer };
    let frames = pieces.into_iter().map(|Piece { json, stage, has_usage }| {
        ChatFrame::new(json.to_string().into(), form, stage, has_usage)
            .of(api)
            .repeating(api == Api::Responses && streaming && stage != Stage::Content)
    });
    frames.collect()
}

struct Piece {
    json: Value,
    stage: Stage,
    has_usage: bool,
}

const fn piece(json: Value, stage: Stage) -> Piece {
    Piece {
        json,
        stage,
        has_usage: matches!(stage, Stage::Finish),
    }
}

const fn whole(json: Value) -> Piece {
    Piece {
        json,
        stage: Stage::Content,
        has_usage: true,
    }
}

fn answer(object: &str, model: &str, now: u64, choice: &Value) -> Value {
    json!({"id": "degraded", "object": object, "created": now, "model": model, "choices": [choice]})
}

fn with_usage(mut answer: Value, usage: Value) -> Value {
    if let Some(answer) = answer.as_object_mut() {
        answer.insert("usage".to_owned(), usage);
    }
    answer
}

fn of_chat() -> Value {
    json!({"prompt_tokens": 0, "completion_tokens": 0, "total_tokens": 0, "cost": 0})
}

fn completion(text: &str, model: &str, now: u64) -> Value {
    let message = json!({"role": "assistant", "content": text});
    let choice = json!({"index": 0, "message": message, "finish_reason": "stop"});
    with_usage(answer("chat.completion", model, now, &choice), of_chat())
}

fn chunks(text: &str, model: &str, now: u64) -> Vec<Piece> {
    let chunk = |choice: &Value| answer("chat.completion.chunk", model, now, choice);
    let message = json!({"role": "assistant", "content": text});
    let said = json!({"index": 0, "delta": message, "finish_reason": null});
    let end = json!({"index": 0, "delta": {}, "finish_reason": "stop"});
    vec![
        piece(chunk(&said), Stage::Content),
        piece(with_usage(chunk(&end), of_chat()), Stage::Finish),
    ]
}

/// All that its readers require, as nothing is known of the request but its model.
fn response(text: &str, model: &str, now: u64, is_whole: bool) -> Value {
    let output = if is_whole { vec![item(text)] } else { Vec::new() };
    let status = if is_whole { "completed" } else { "in_progress" };
    let completed_at = is_whole.then_some(now);
    let response = json!({
        "id": "resp_degraded", "object": "response", "created_at": now, "completed_at": completed_at, "status": status,
        "model": model, "output": output, "error": null, "incomplete_details": null, "instructions": null,
        "metadata": null, "tools": [], "tool_choice": "auto", "parallel_tool_calls": true, "temperature": null,
        "top_p": null, "presence_penalty": null, "frequency_penalty": null,
    });
    if !is_whole {
        return response;
    }
    let usage = json!({
        "input_tokens": 0, "input_tokens_details": {"cached_tokens": 0}, "output_tokens": 0,
        "output_tokens_details": {"reasoning_tokens": 0}, "total_tokens": 0, "cost": 0,
    });
    with_usage(response, usage)
}

fn item(text: &str) -> Value {
    json!({"type": "message", "id": "msg_degraded", "role": "assistant", "status": "completed", "content": [part(text)]})
}

fn part(text: &str) -> Value {
    json!({"type": "output_text", "text": text, "annotations": []})
}

fn response_events(text: &str, model: &str, now: u64) -> Vec<Piece> {
    let begun =
        json!({"type": "message", "id": "msg_degraded", "role": "assistant", "status": "in_progress", "content": []});
    let place = json!({"item_id": "msg_degraded", "output_index": 0, "content_index": 0});
    let events = [
        (
            "created",
            json!({"response": response(text, model, now, false)}),
            Stage::Preamble,
        ),
        (
            "output_item.added",
            json!({"output_index": 0, "item": begun}),
            Stage::Preamble,
        ),
        ("content_part.added", joined(&place, "part", part("")), Stage::Preamble),
        (
            "output_text.delta",
            joined(&place, "delta", text.into()),
            Stage::Content,
        ),
        ("output_text.done", joined(&place, "text", text.into()), Stage::Preamble),
        ("content_part.done", joined(&place, "part", part(text)), Stage::Preamble),
        (
            "output_item.done",
            json!({"output_index": 0, "item": item(text)}),
            Stage::Preamble,
        ),
        (
            "completed",
            json!({"response": response(text, model, now, true)}),
            Stage::Finish,
        ),
    ];
    let numbered = events.into_iter().enumerate().map(|(number, (name, members, stage))| {
        let event = joined(&members, "type", format!("response.{name}").into());
        piece(joined(&event, "sequence_number", number.into()), stage)
    });
    numbered.collect()
}

fn joined(object: &Value, name: &str, value: Value) -> Value {
    let mut object = object.clone();
    if let Some(members) = object.as_object_mut() {
        members.insert(name.to_owned(), value);
    }
    object
}

fn message(text: &str, model: &str, is_whole: bool) -> Value {
    let block = json!({"type": "text", "text": text, "citations": null});
    let content = if is_whole { vec![block] } else { Vec::new() };
    let stop = is_whole.then_some("end_turn");
    json!({
        "id": "msg_degraded", "type": "message", "role": "assistant", "model": model, "content": content,
        "stop_reason": stop, "stop_sequence": null, "usage": {"input_tokens": 0, "output_tokens": 0, "cost": 0},
    })
}

fn message_events(text: &str, model: &str) -> Vec<Piece> {
    let block = json!({"type": "text", "text": "", "citations": null});
    let delta = json!({"type": "text_delta", "text": text});
    let end = json!({"stop_reason": "end_turn", "stop_sequence": null});
    let usage = json!({"input_tokens": 0, "output_tokens": 0, "cost": 0});
    vec![
        piece(
            json!({"type": "message_start", "message": message(text, model, false)}),
            Stage::Preamble,
        ),
        piece(
            json!({"type": "content_block_start", "index": 0, "content_block": block}),
            Stage::Preamble,
        ),
        piece(
            json!({"type": "content_block_delta", "index": 0, "delta": delta}),
            Stage::Content,
        ),
        piece(json!({"type": "content_block_stop", "index": 0}), Stage::Preamble),
        piece(
            json!({"type": "message_delta", "delta": end, "usage": usage}),
            Stage::Finish,
        ),
        piece(json!({"type": "message_stop"}), Stage::Trailer),
    ]
}

#[cfg(test)]
mod tests {
    use http_body_util::Full;
    use tower_llm_layers::Frame;

    use super::*;
    use crate::{Answer, ChatBody, response::UsageExt as _};

    /// What a stream says that is made of these frames, read as one that came from an upstream.
    #[tokio::test(start_paused = true)]
    async fn a_canned_stream_reads_like_one_of_its_api_and_costs_nothing() {
        for api in [Api::Chat, Api::Responses, Api::Messages] {
            let frames = frames(api, "Sorry.", "a/b", true);
            let known: Vec<_> = frames.iter().map(|frame| (frame.stage(), frame.text())).collect();
            let events: Vec<String> = frames
                .iter()
                .map(|frame| format!("data: {}\n\n", String::from_utf8_lossy(frame.bytes())))
                .collect();
            let mut answer = Answer::new(http::Response::new(ChatBody::from_event_stream_of(
                api,
                Full::from(events.concat()),
            )));
            let mut read = Vec::new();
            let mut said = String::new();
            while let Some(frame) = answer.next_frame().await {
                let frame = frame.unwrap();
                said.push_str(&frame.text().unwrap_or_default());
                read.push(frame.stage());
            }
            let stages: Vec<Stage> = known.iter().map(|(stage, _)| *stage).collect();
            // A chat's finish without tokens says little: there the stage is the reader's own.
            assert!(read == stages || api == Api::Chat, "{api}: {read:?}");
            assert_eq!(said, "Sorry.", "{api}");
            let texts: String = known.iter().filter_map(|(_, text)| text.clone()).collect();
            assert_eq!(texts, "Sorry.", "{api}");
            let usage = answer.usage().unwrap().for_layers().unwrap();
            assert_eq!(
                (usage.total(), usage.bill().unwrap().to_string().as_str()),
                (0, "$0.00")
            );
        }
    }

    #[test]
    fn a_canned_plain_answer_is_of_its_api() {
        for (api, kind) in [
            (Api::Chat, "/choices/0/message/content"),
            (Api::Responses, "/output/0/content/0/text"),
            (Api::Messages, "/content/0/text"),
        ] {
            let frames = frames(api, "Sorry.", "a/b", false);
            let json: Value = serde_json::from_slice(frames[0].bytes()).unwrap();
            assert_eq!(json.pointer(kind), Some(&"Sorry.".into()), "{api}");
            assert_eq!((frames.len(), frames[0].kind()), (1, FrameKind::Answer));
            assert_eq!(frames[0].text().as_deref(), Some("Sorry."), "{api}");
        }
    }
}
