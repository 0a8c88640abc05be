//! How a stream of responses ends: with the event that says so, whatever the upstream has left out, and with the error that agents read.

use http::StatusCode;
use serde_json::{Value, json};
use tower_openrouter::{Api, ChatServiceExt, endpoint::Envelope};

use crate::support::{
    FIRST,
    mounted::{post, send},
    raw::{Raw, events, head, send as sent},
};

const CREATED: &str = r#"{"type":"response.created","sequence_number":0,"response":{"id":"resp_1","object":"response","created_at":1795500000,"status":"in_progress","model":"demo/dated","output":[],"usage":null,"instructions":"Be brief.","new":[1]}}"#;
const ADDED: &str = r#"{"type":"response.output_item.added","sequence_number":1,"output_index":0,"item":{"type":"message","id":"msg_1","role":"assistant","status":"in_progress","content":[]}}"#;
const DELTA: &str = r#"{"type":"response.output_text.delta","sequence_number":2,"item_id":"msg_1","output_index":0,"content_index":0,"delta":"Oslo."}"#;
const ITEM: &str = r#"{"type":"message","id":"msg_1","role":"assistant","status":"completed","content":[{"type":"output_text","text":"Oslo."}]}"#;

fn done() -> String {
    format!(r#"{{"type":"response.output_item.done","sequence_number":3,"output_index":0,"item":{ITEM}}}"#)
}

/// The events that a client gets while the upstream sends this, each with its name; `[DONE]` left out.
async fn got(envelope: Envelope, upstream: &[&str], end: &str) -> Vec<(String, Value)> {
    let upstream: String = upstream.iter().map(|data| format!("data: {data}\n\n")).collect();
    let raw = Raw::always(vec![events(), sent(upstream + end)]).await;
    read(&raw, envelope).await
}

async fn read(raw: &Raw, envelope: Envelope) -> Vec<(String, Value)> {
    let endpoint = raw.alone().into_endpoint(Api::Responses).envelope(envelope);
    let body = json!({"model": FIRST, "input": "Hi", "stream": true}).to_string();
    let (parts, text) = send(endpoint, post("/", body)).await;
    assert_eq!(parts.status, StatusCode::OK, "{text}");
    let events = text.split("\n\n").filter_map(|event| event.split_once('\n'));
    let read = events.map(|(name, data)| {
        let data = serde_json::from_str(data.strip_prefix("data: ").unwrap()).unwrap();
        (name.strip_prefix("event: ").unwrap().to_owned(), data)
    });
    read.collect()
}

fn names(events: &[(String, Value)]) -> Vec<&str> {
    events.iter().map(|(name, _)| name.as_str()).collect()
}

#[tokio::test(start_paused = true)]
async fn a_stream_that_ends_behind_its_last_item_is_completed() {
    let second = r#"{"type":"response.output_item.done","sequence_number":4,"output_index":1,"item":{"type":"function_call","id":"fc_1","call_id":"c","name":"f","arguments":"{}"}}"#;
    for envelope in [Envelope::OpenAi, Envelope::OpenRouter] {
        let events = got(envelope, &[CREATED, ADDED, DELTA, &done(), second], "data: [DONE]\n\n").await;
        let (name, last) = events.last().unwrap();
        assert_eq!(
            (name.as_str(), &last["type"]),
            ("response.completed", &json!("response.completed"))
        );
        assert_eq!(last["sequence_number"], 5);
        let response = &last["response"];
        assert_eq!(
            (&response["id"], &response["status"]),
            (&json!("resp_1"), &json!("completed"))
        );
        assert_eq!(
            (&response["model"], &response["instructions"]),
            (&json!("demo/dated"), &json!("Be brief."))
        );
        assert_eq!(response["output"][0], serde_json::from_str::<Value>(ITEM).unwrap());
        assert_eq!(response["output"][1]["call_id"], "c");
        assert_eq!(response["output"].as_array().unwrap().len(), 2);
    }
}

/// One that says itself how it ended is not completed once more; OpenRouter's older name of the end is not read by OpenAI's clients.
#[tokio::test(start_paused = true)]
async fn an_end_of_its_own_is_not_repeated() {
    for (kind, status, added) in [
        ("response.completed", "completed", false),
        ("response.incomplete", "incomplete", false),
        ("response.done", "completed", true),
    ] {
        let end = format!(
            r#"{{"type":"{kind}","sequence_number":4,"response":{{"id":"resp_1","object":"response","status":"{status}","output":[{ITEM}],"usage":{{"input_tokens":3,"output_tokens":2,"total_tokens":5}}}}}}"#
        );
        let events = got(
            Envelope::OpenAi,
            &[CREATED, ADDED, DELTA, &done(), &end],
            "data: [DONE]\n\n",
        )
        .await;
        let mut expected = vec![
            "response.created",
            "response.output_item.added",
            "response.output_text.delta",
            "response.output_item.done",
            kind,
        ];
        expected.extend(added.then_some("response.completed"));
        assert_eq!(names(&events), expected);
        let (_, last) = events.last().unwrap();
        assert_eq!(last["response"]["usage"]["total_tokens"], 5, "{kind}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_panel_that_failed_does_not_end_the_stream() {
    let panel = r#"{"type":"response.fusion_call.panel.failed","sequence_number":1,"output_index":0,"item_id":"f","model":"a/b","error":"Upstream provider error"}"#;
    let end = format!(
        r#"{{"type":"response.completed","sequence_number":4,"response":{{"id":"resp_1","status":"completed","output":[{ITEM}]}}}}"#
    );
    let events = got(Envelope::OpenAi, &[CREATED, panel, ADDED, DELTA, &done(), &end], "").await;
    assert_eq!(names(&events).get(1), Some(&"response.fusion_call.panel.failed"));
    assert_eq!(names(&events).last(), Some(&"response.completed"));
}

/// What an agent needs that reads `response.failed` alone, and behind it what makes OpenAI's SDKs raise.
#[tokio::test(start_paused = true)]
async fn an_interrupted_stream_fails_in_the_words_of_openai() {
    let events = got(Envelope::OpenAi, &[CREATED, ADDED, DELTA], "").await;
    assert_eq!(names(&events).get(3..).unwrap(), ["response.failed", "error"]);
    let (failed, error) = (&events[3].1, &events[4].1);
    assert_eq!(
        (&failed["sequence_number"], &error["sequence_number"]),
        (&json!(3), &json!(4))
    );
    let response = &failed["response"];
    assert_eq!(
        (
            &response["id"],
            &response["model"],
            &response["status"],
            &response["object"]
        ),
        (
            &json!("resp_1"),
            &json!("demo/dated"),
            &json!("failed"),
            &json!("response")
        )
    );
    assert_eq!(response["error"]["code"], "server_error");
    assert_eq!(response["error"]["metadata"]["error_type"], "truncated");
    assert_eq!(
        response["error"]["message"],
        "the stream was cut before the answer was whole"
    );
    assert_eq!(error["error"]["code"], "truncated");
    for key in [
        "created_at",
        "incomplete_details",
        "instructions",
        "metadata",
        "output",
        "parallel_tool_calls",
        "temperature",
        "tool_choice",
        "tools",
        "top_p",
    ] {
        assert!(response.as_object().unwrap().contains_key(key), "{key}");
    }
    // Without a beginning the keys are there all the same.
    let events = got(Envelope::OpenAi, &[ADDED, DELTA], "").await;
    let response = &events[2].1["response"];
    assert_eq!(
        (&response["model"], &response["status"]),
        (&json!(FIRST), &json!("failed"))
    );
    assert!(response["id"].is_string() && response["output"] == json!([]) && response["created_at"].is_number());
}

#[tokio::test(start_paused = true)]
async fn the_code_of_a_failure_is_one_that_agents_act_on() {
    for (code, message, expected) in [
        (
            "context_length_exceeded",
            "Your input exceeds the context window of this model.",
            "context_length_exceeded",
        ),
        (
            "insufficient_quota",
            "You exceeded your current quota.",
            "insufficient_quota",
        ),
        ("rate_limit_exceeded", "Slow down.", "rate_limit_exceeded"),
        (
            "rate_limit_exceeded",
            "Rate limit reached: Please try again in 1.2s.",
            "rate_limit_exceeded",
        ),
        ("server_is_overloaded", "Busy.", "server_is_overloaded"),
        ("invalid_prompt", "Not for you.", "invalid_prompt"),
        ("server_error", "Broken.", "server_error"),
    ] {
        let error = json!({"type": "response.failed", "sequence_number": 3, "response": {"id": "resp_1", "status": "failed",
            "output": [], "error": {"code": code, "message": message}}});
        let events = got(Envelope::OpenAi, &[CREATED, ADDED, DELTA, &error.to_string()], "").await;
        let failed = &events[3].1["response"]["error"];
        assert_eq!(failed["code"], expected, "{message}");
        let told = failed["message"].as_str().unwrap();
        assert!(told.contains(message), "{told}");
        assert_eq!(
            told.matches("try again in").count(),
            message.matches("try again in").count(),
            "{told}"
        );
    }
}

/// The words name the wait that the upstream asks for, since agents read it nowhere else.
#[tokio::test(start_paused = true)]
async fn the_wait_stands_in_the_words() {
    let limited = r#"{"type":"error","sequence_number":3,"code":"rate_limit_exceeded","message":"Slow down.","error":{"code":"rate_limit_exceeded","message":"Slow down.","metadata":{"error_type":"rate_limit_exceeded","retry_after_seconds":7}}}"#;
    let events = got(Envelope::OpenAi, &[CREATED, ADDED, DELTA, limited], "").await;
    let told = events[3].1["response"]["error"]["message"].as_str().unwrap();
    assert!(
        told.contains("Slow down.") && told.contains("try again in 7s"),
        "{told}"
    );
}

/// A prompt that no candidate's context holds: each API's own word for it, and the words by which agents know it.
#[tokio::test(start_paused = true)]
async fn too_long_for_every_candidate_is_too_long_in_every_api() {
    let model = json!({"id": FIRST, "name": "Small", "created": 7, "context_length": 1000});
    let catalogue = tower_openrouter::Catalogue::new([serde_json::from_value(model).unwrap()]);
    let raw = Raw::always(vec![head("500 Broken", "application/json"), sent("it was sent")]).await;
    let stack = raw
        .builder()
        .chain([FIRST])
        .catalogue(std::sync::Arc::new(catalogue))
        .build()
        .unwrap();
    let long = "word ".repeat(2000);
    for api in [Api::Chat, Api::Responses, Api::Messages] {
        let mut body = match api {
            Api::Responses => json!({"input": long}),
            _ => json!({"max_tokens": 64, "messages": [{"role": "user", "content": long}]}),
        };
        body["model"] = FIRST.into();
        let (parts, text) = send(stack.clone().into_endpoint(api), post("/", body.to_string())).await;
        assert_eq!(parts.status, StatusCode::BAD_REQUEST, "{api:?}: {text}");
        let error: Value = serde_json::from_str(&text).unwrap();
        let error = &error["error"];
        let word = if api == Api::Messages {
            &error["error_type"]
        } else {
            &error["code"]
        };
        assert_eq!(word, "context_length_exceeded", "{text}");
        assert_eq!(error["type"], "invalid_request_error", "{text}");
        assert!(
            error["message"].as_str().unwrap().contains("prompt is too long"),
            "{text}"
        );
    }
    assert!(raw.seen().is_empty(), "nothing was sent");
}
