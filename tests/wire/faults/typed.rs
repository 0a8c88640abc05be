//! Faults of the readers and writers of Messages, Responses and embeddings that chat does not have, through the mounted endpoint.

use http::StatusCode;
use serde_json::{Value, json};
use tower_openrouter::Api;

use super::super::reported::{RESCUED, call as through_endpoint};
use super::{HELLO, typed_events};
use crate::support::raw::{Step, events, head, json as json_head, send};

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
