//! Answers and failures from public reports of the second half of 2026, through the mounted endpoint: what is no answer is not sold as one, and
//! what is one is bought once.

use http::StatusCode;
use serde_json::{Value, json};
use tower_openrouter::{Api, ChatServiceExt, FailureKind};

use crate::support::{
    FIRST, SECOND, mounted,
    raw::{Raw, Step, events, head, json as json_head, send},
};

pub(super) const RESCUED: &str = "rescued";

/// The status and the text of the call, and how many requests it took; the second candidate is well.
pub(super) async fn call(api: Api, streamed: bool, steps: Vec<Step>) -> (StatusCode, String, usize) {
    let good = match api {
        Api::Embeddings => json!({"object": "list", "data": [{"index": 0, "embedding": [0.25]}]}),
        Api::Messages => {
            json!({"type": "message", "role": "assistant", "stop_reason": "end_turn", "usage": {"output_tokens": 1},
            "content": [{"type": "text", "text": RESCUED}]})
        }
        _ => json!({"choices": [{"message": {"role": "assistant", "content": RESCUED}, "finish_reason": "stop"}]}),
    };
    let raw = Raw::start(move |request| {
        if request.contains(&format!("\"{FIRST}\"")) {
            return steps.clone();
        }
        vec![json_head(), send(good.to_string())]
    })
    .await;
    let chain = if api == Api::Embeddings {
        vec![FIRST]
    } else {
        vec![FIRST, SECOND]
    };
    let endpoints = raw.builder().chain(chain).build().unwrap().into_endpoints();
    let mut body: Value = serde_json::from_str(mounted::ask(api)).unwrap();
    body["model"] = json!(FIRST);
    if streamed {
        body["stream"] = json!(true);
    }
    let request = mounted::post(&format!("/v1/{}", api.path()), body.to_string());
    let (head, text) = mounted::send(endpoints, request).await;
    (head.status, text, raw.seen().len())
}

fn chat(message: &Value, finish: &str) -> String {
    json!({"id": "g", "object": "chat.completion", "choices": [{"index": 0, "message": message, "finish_reason": finish}],
        "usage": {"prompt_tokens": 3, "completion_tokens": 4, "total_tokens": 7}})
    .to_string()
}

#[tokio::test(start_paused = true)]
async fn ends_that_failed_under_other_names_are_no_answers() {
    let none = json!({"role": "assistant"});
    for word in [
        "function_call_filter: MALFORMED_FUNCTION_CALL",
        "malformed_tool_use",
        "malformed_model_output",
    ] {
        let (status, text, requests) = call(Api::Chat, false, vec![json_head(), send(chat(&none, word))]).await;
        assert_eq!((status, requests), (StatusCode::OK, 2), "{word}: {text}");
        assert!(text.contains(RESCUED), "{word}: {text}");
        // Behind a text that was shown, a stream is interrupted.
        let chunks = [
            json!({"choices": [{"index": 0, "delta": {"content": "Hel"}, "finish_reason": null}]}),
            json!({"choices": [{"index": 0, "delta": {}, "finish_reason": word}]}),
        ]
        .map(|chunk| format!("data: {chunk}\n\n"));
        let body = chunks.concat() + "data: [DONE]\n\n";
        let (_, text, requests) = call(Api::Chat, true, vec![events(), send(body)]).await;
        assert!(text.contains("Hel") && text.contains("\"error\""), "{word}: {text}");
        assert_eq!(requests, 1, "{word}");
    }
    for word in [
        "content_filter: RECITATION",
        "content_filter: PROHIBITED_CONTENT",
        "MODEL_ARMOR",
        "IMAGE_PROHIBITED_CONTENT",
    ] {
        let (status, text, requests) = call(Api::Chat, false, vec![json_head(), send(chat(&none, word))]).await;
        assert_eq!((status, requests), (StatusCode::BAD_REQUEST, 1), "{word}: {text}");
        assert!(text.contains("content filter"), "{word}: {text}");
    }
}

#[tokio::test(start_paused = true)]
async fn an_answer_without_vectors_is_empty_and_a_list_of_vectors_is_an_answer() {
    for body in [
        r#"{"object":"list","data":[],"model":"m","usage":{"prompt_tokens":0,"total_tokens":0}}"#,
        r#"{"object":"list","data":null}"#,
        r#"{"object":"list","data":[{"index":0,"embedding":[]}]}"#,
        r#"{"object":"list","data":[{"index":0,"embedding":[null,null]}]}"#,
    ] {
        let (status, text, _) = call(Api::Embeddings, false, vec![json_head(), send(body)]).await;
        assert_eq!(status, FailureKind::EmptyResponse.http_status(), "{body}: {text}");
    }
    let list = r#"[{"index":0,"embedding":[[0.5,0.25]]},{"index":1,"embedding":[[0.75,1]]}]"#;
    for list in [list, r#"[{"index":0,"embedding":[0.5]}]"#] {
        let (status, text, requests) = call(Api::Embeddings, false, vec![json_head(), send(list)]).await;
        assert_eq!((status, requests), (StatusCode::OK, 1), "{text}");
        let answer: Value = serde_json::from_str(&text).unwrap();
        assert_eq!(answer["object"], "list");
        assert_eq!(answer["data"], serde_json::from_str::<Value>(list).unwrap());
    }
}

#[tokio::test(start_paused = true)]
async fn a_call_without_arguments_is_an_answer() {
    for usage in [json!(null), json!({"output_tokens": 0})] {
        let mut why = json!({"type": "message_delta", "delta": {"stop_reason": "tool_use"}});
        if !usage.is_null() {
            why["usage"] = usage;
        }
        let body: String = [
            json!({"type": "message_start", "message": {"id": "m", "type": "message", "role": "assistant", "content": []}}),
            json!({"type": "content_block_start", "index": 0, "content_block": {"type": "tool_use", "id": "t", "name": "list", "input": {}}}),
            json!({"type": "content_block_stop", "index": 0}),
            why,
            json!({"type": "message_stop"}),
        ]
        .map(|event| format!("event: {}\ndata: {event}\n\n", event["type"].as_str().unwrap()))
        .concat();
        let (status, text, requests) = call(Api::Messages, true, vec![events(), send(body)]).await;
        assert_eq!((status, requests), (StatusCode::OK, 1), "{text}");
        assert!(
            text.contains("\"list\"") && text.contains("message_stop") && !text.contains("event: error"),
            "{text}"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn a_plain_message_is_read_as_leniently_as_a_chat() {
    let message = r#"{"type":"message","role":"assistant","content":[{"type":"text","text":"TEXT"}],"stop_reason":"end_turn","usage":{"output_tokens":2}}"#;
    for body in [
        message.replace("TEXT", "one\u{1}two"),
        format!("[{}]", message.replace("TEXT", "onetwo")),
        format!("\u{feff}{}", message.replace("TEXT", "onetwo")),
    ] {
        let (status, text, requests) = call(Api::Messages, false, vec![json_head(), send(body.clone())]).await;
        assert_eq!((status, requests), (StatusCode::OK, 1), "{body}: {text}");
        assert!(text.contains("one") && text.contains("two"), "{text}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_call_of_a_tool_that_the_model_wrote_wrongly_is_not_the_caller_s_fault() {
    let error = r#"{"error":{"message":"Failed to call a function. Please adjust your prompt.","type":"invalid_request_error","code":"tool_use_failed","failed_generation":"<f>","status_code":400}}"#;
    for steps in [
        vec![head("400 Bad Request", "application/json"), send(error)],
        vec![json_head(), send(error)],
    ] {
        let (status, text, requests) = call(Api::Chat, false, steps).await;
        assert_eq!((status, requests), (StatusCode::OK, 2), "{text}");
        assert!(text.contains(RESCUED));
    }
}

#[tokio::test(start_paused = true)]
async fn words_of_an_error_are_found_under_whatever_name() {
    for (body, words) in [
        (
            r#"{"success":false,"error":{"issues":[{"code":"invalid_type","path":["messages"],"message":"Required"}],"name":"ZodError"}}"#,
            "messages: Required",
        ),
        (r#"{"errors":{"messages":["too many colours"]}}"#, "too many colours"),
        (r#"{"error":{"messages":["too many colours"]}}"#, "too many colours"),
        (r#"{"Errors":[{"Description":"too many colours"}]}"#, "too many colours"),
        (r#"{"error":1,"info":"too many colours"}"#, "too many colours"),
        (
            r#"{"type":"https://tools.ietf.org/html/rfc9110","title":"One or more validation errors occurred.","status":400,"errors":{"messages":["The field is required."]}}"#,
            "The field is required.",
        ),
    ] {
        let (status, text, requests) = call(
            Api::Chat,
            false,
            vec![head("400 Bad Request", "application/json"), send(body)],
        )
        .await;
        assert_eq!((status, requests), (StatusCode::BAD_REQUEST, 1), "{body}: {text}");
        let told: Value = serde_json::from_str(&text).unwrap();
        let message = told["error"]["message"].as_str().unwrap();
        assert!(message.contains(words), "{body}: {message}");
    }
}
