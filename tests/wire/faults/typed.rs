//! Faults of the readers and writers of Messages, Responses and embeddings that chat does not have, through the mounted endpoint.

use http::{Request, StatusCode};
use serde_json::{Value, json};
use tower::ServiceExt;
use tower_openrouter::{Answer, Api, ApiRequest, Stack, stream_upstream::StreamUpstreamMode};

use super::super::reported::{RESCUED, call as through_endpoint};
use super::{HELLO, request, typed_events};
use crate::support::{
    FIRST,
    raw::{Raw, Step, events, head, json as json_head, send},
};

fn message(content: &Value, stop: &str) -> Value {
    json!({"id": "m", "type": "message", "role": "assistant", "model": "m", "content": content, "stop_reason": stop,
        "stop_sequence": null, "usage": {"input_tokens": 5, "output_tokens": 2}})
}

fn response(output: &Value, status: &str) -> Value {
    json!({"id": "r", "object": "response", "status": status, "model": "m", "output": output,
        "usage": {"input_tokens": 5, "output_tokens": 2, "total_tokens": 7}})
}

fn hello() -> [(Api, Value); 2] {
    let part = json!([{"type": "output_text", "text": HELLO, "annotations": []}]);
    [
        (
            Api::Messages,
            message(&json!([{"type": "text", "text": HELLO}]), "end_turn"),
        ),
        (
            Api::Responses,
            response(
                &json!([{"type": "message", "role": "assistant", "content": part}]),
                "completed",
            ),
        ),
    ]
}

/// Whether a call is answered without an error, at its beginning and within.
async fn is_answered(stack: Stack, request: Request<ApiRequest>) -> bool {
    let Ok(response) = stack.oneshot(request).await else {
        return false;
    };
    let mut answer = Answer::new(response);
    while let Some(frame) = answer.next_frame().await {
        if frame.is_err() {
            return false;
        }
    }
    true
}

fn json_steps(body: &Value) -> Vec<Step> {
    vec![json_head(), send(body.to_string())]
}

#[tokio::test(start_paused = true)]
async fn a_failed_end_is_no_complete_answer() {
    let text = |text: &str| json!([{"type": "text", "text": text}]);
    // An engine's own word, passed on by a shim: SGLang and vLLM say `abort`.
    for word in ["error", "abort"] {
        let steps = json_steps(&message(&text("Hel"), word));
        let (status, got, requests) = through_endpoint(Api::Messages, false, steps).await;
        assert_eq!((status, requests), (StatusCode::OK, 2), "{word}: {got}");
        assert!(got.contains(RESCUED) && !got.contains("Hel"), "{word}: {got}");
        let body = typed_events(&[
            json!({"type": "message_start", "message": message(&json!([]), "")}),
            json!({"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}}),
            json!({"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": "Hel"}}),
            json!({"type": "content_block_stop", "index": 0}),
            json!({"type": "message_delta", "delta": {"stop_reason": word}, "usage": {"output_tokens": 2}}),
            json!({"type": "message_stop"}),
        ]);
        let (_, got, requests) = through_endpoint(Api::Messages, true, vec![events(), send(body)]).await;
        assert!(
            got.contains("Hel") && got.contains("event: error") && !got.contains("message_stop"),
            "{word}: {got}"
        );
        assert_eq!(requests, 1, "{word}");
    }
    let said = json!([{"type": "message", "role": "assistant", "content": [{"type": "output_text", "text": "Hel"}]}]);
    let mut timed_out = response(&said, "incomplete");
    timed_out["incomplete_details"] = json!({"reason": "timeout"});
    // Wei-Shaw/sub2api issue 1493: tokens were spent, and no item came.
    for body in [response(&said, "error"), timed_out, response(&json!([]), "completed")] {
        let (status, got, _) = through_endpoint(Api::Responses, false, json_steps(&body)).await;
        assert_ne!(status, StatusCode::OK, "{body}: {got}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_message_that_was_spliced_into_another_one_is_not_joined_to_it() {
    // vercel/ai issue 18331, fersilva16/nix-config pull 665: an intermediary writes a second message into an open one.
    let begun = |id: &str| {
        let mut message = message(&json!([]), "");
        message["id"] = json!(id);
        message["stop_reason"] = json!(null);
        json!({"type": "message_start", "message": message})
    };
    let open = |index: u64| json!({"type": "content_block_start", "index": index, "content_block": {"type": "text", "text": ""}});
    let say = |index: u64, text: &str| json!({"type": "content_block_delta", "index": index, "delta": {"type": "text_delta", "text": text}});
    let close = |index: u64| json!({"type": "content_block_stop", "index": index});
    let end = [
        json!({"type": "message_delta", "delta": {"stop_reason": "end_turn"}, "usage": {"output_tokens": 9}}),
        json!({"type": "message_stop"}),
    ];
    for (first, index) in [
        (vec![open(0), say(0, "Hello")], 0),
        // The blocks of the second one continue the numbers of the first one.
        (vec![open(0), say(0, "Hello"), close(0)], 1),
    ] {
        let second = vec![begun("msg_B"), open(index), say(index, "Hello world"), close(index)];
        let all = [vec![begun("msg_A")], first, second, end.to_vec()].concat();
        let steps = vec![events(), send(typed_events(&all))];
        let (_, got, requests) = through_endpoint(Api::Messages, true, steps.clone()).await;
        assert!(got.contains("Hello") && got.contains("event: error"), "{got}");
        assert!(!got.contains("message_stop") && !got.contains(" world"), "{got}");
        assert_eq!(requests, 1, "{got}");
        // Streamed upstream for a plain call it is no answer either.
        let raw = Raw::always(steps).await;
        let stack = raw.builder().chain([FIRST]).build().unwrap();
        let mut plain = request(Api::Messages, false);
        plain.extensions_mut().insert(StreamUpstreamMode::On);
        assert!(!is_answered(stack, plain).await);
    }
}

#[tokio::test(start_paused = true)]
async fn an_end_by_the_limit_of_the_caller_is_no_refusal_of_the_prompt() {
    // OpenAI, with a limit of 16 tokens: an encrypted thought, and not one token is reported.
    let sealed =
        json!({"type": "reasoning", "id": "rs_1", "summary": [], "content": [], "encrypted_content": "gAAAAA"});
    let mut body = response(&json!([sealed]), "incomplete");
    body["incomplete_details"] = json!({"reason": "max_output_tokens"});
    body["usage"] = json!({"input_tokens": 16, "output_tokens": 0, "output_tokens_details": {"reasoning_tokens": 0},
        "total_tokens": 16});
    let (status, got, requests) = through_endpoint(Api::Responses, false, json_steps(&body)).await;
    assert_eq!((status, requests), (StatusCode::OK, 1), "{got}");
    assert_eq!(serde_json::from_str::<Value>(&got).unwrap()["output"], body["output"]);
    let streamed = typed_events(&[
        json!({"type": "response.created", "response": {"id": "r", "object": "response", "status": "in_progress", "output": []}}),
        json!({"type": "response.output_item.added", "output_index": 0, "item": {"type": "reasoning", "id": "rs_1", "summary": []}}),
        json!({"type": "response.output_item.done", "output_index": 0, "item": sealed}),
        json!({"type": "response.incomplete", "response": body}),
    ]);
    let (status, got, requests) = through_endpoint(Api::Responses, true, vec![events(), send(streamed)]).await;
    assert_eq!((status, requests), (StatusCode::OK, 1), "{got}");
    assert!(
        got.contains("response.incomplete") && !got.contains("event: error"),
        "{got}"
    );
    // Without an item it is OpenRouter's refusal of a prompt that is too long: the next candidate may have more room.
    body["output"] = json!([]);
    let (_, got, requests) = through_endpoint(Api::Responses, false, json_steps(&body)).await;
    assert_eq!(requests, 2, "{got}");
}

#[tokio::test(start_paused = true)]
async fn the_end_of_a_stream_may_stand_behind_any_plain_answer() {
    // decolua/9router issue 3492, of the other APIs.
    let vectors = json!({"object": "list", "data": [{"object": "embedding", "index": 0, "embedding": [0.5]}]});
    for (api, body) in hello().into_iter().chain([(Api::Embeddings, vectors)]) {
        for kind in ["text/event-stream", "application/json"] {
            for end in ["\n\ndata: [DONE]\n\n", "\ndata: [DONE]\n"] {
                let steps = vec![head("200 OK", kind), send(body.to_string() + end)];
                let (status, got, requests) = through_endpoint(api, false, steps).await;
                assert_eq!((status, requests), (StatusCode::OK, 1), "{api} {kind} {end:?}: {got}");
                let answer: Value = serde_json::from_str(&got).unwrap();
                for name in ["content", "output", "data"] {
                    assert_eq!(answer[name], body[name], "{api} {kind} {end:?}");
                }
            }
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_plain_answer_to_a_stream_is_shown_whole() {
    for (api, body, delta) in [
        (Api::Messages, message(&json!(HELLO), "end_turn"), "text_delta"),
        (
            Api::Messages,
            message(&json!({"type": "text", "text": HELLO}), "end_turn"),
            "text_delta",
        ),
        (
            Api::Messages,
            message(&json!([{"text": HELLO}]), "end_turn"),
            "text_delta",
        ),
        (
            Api::Responses,
            response(&json!([{"type": "message", "content": HELLO}]), "completed"),
            "response.output_text.delta",
        ),
        (
            Api::Responses,
            response(&json!([{"content": [{"type": "text", "text": HELLO}]}]), "completed"),
            "response.output_text.delta",
        ),
    ] {
        let (status, got, requests) = through_endpoint(api, true, json_steps(&body)).await;
        assert_eq!((status, requests), (StatusCode::OK, 1), "{body}: {got}");
        let lines = got.lines().filter_map(|line| line.strip_prefix("data: "));
        let shown: Vec<_> = lines
            .filter(|line| line.contains(delta) && line.contains(HELLO))
            .collect();
        assert_eq!(shown.len(), 1, "{body}: {got}");
    }
    // One that is still worked on has not ended.
    for status in ["queued", "in_progress"] {
        let body = response(&json!([]), status);
        let (_, got, requests) = through_endpoint(Api::Responses, true, json_steps(&body)).await;
        assert_eq!(requests, 1, "{got}");
        let last = format!("event: response.{status}");
        assert!(
            got.contains(&last) && !got.contains("response.completed"),
            "{status}: {got}"
        );
    }
}
