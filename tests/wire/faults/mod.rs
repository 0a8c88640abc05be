//! Ten general faults of readers of answers, each with variations from public reports: a project, and the number of its issue or pull request.
//!
//! Faults 1 to 6 are here, of what is read; 7 to 10 are in `faults/above.rs`, of what is made of it. The same of the APIs with typed events are in
//! `faults/typed.rs`.

mod above;
mod typed;

use std::time::Duration;

use http::{Request, StatusCode};
use serde_json::{Value, json};
use tower_openrouter::{Api, ApiRequest, ChatServiceExt};

use super::{assert_bad, assert_good, recorded::*, reported::call as through_endpoint, stack, upstream};
use crate::support::{
    FIRST, ask, mounted,
    raw::{Step, send},
};

const HELLO: &str = "Hello world";

/// Events that name their types.
fn typed_events(events: &[Value]) -> String {
    let events = events
        .iter()
        .map(|event| format!("event: {}\ndata: {event}\n\n", event["type"].as_str().unwrap()));
    events.collect()
}

/// A small call of this API.
fn request(api: Api, streamed: bool) -> Request<ApiRequest> {
    let mut body: Value = serde_json::from_str(mounted::ask(api)).unwrap();
    body["model"] = json!(FIRST);
    body["stream"] = json!(streamed);
    ApiRequest::from_json(api, body.to_string()).unwrap().into_http()
}

#[tokio::test(start_paused = true)]
async fn presence_is_not_taken_for_meaning() {
    // sgl-project/sglang issue 3912: each member is there, null or blank.
    let nulls = |content: &str, finish: &str| {
        part(
            &format!(r#"{{"role":null,"content":{content},"tool_calls":null}}"#),
            finish,
        )
        .replace("\"finish_reason\"", "\"matched_stop\":null,\"finish_reason\"")
    };
    let body = [
        nulls("\"Hello\"", "\"\""),
        nulls("\" world\"", "\"\""),
        nulls("null", "\"stop\""),
    ];
    let case = stream("members that are null", body.concat() + &bill() + DONE);
    assert_good(&case, HELLO, "matched_stop").await;
    // earendil-works/pi pull 7441: usage, and neither a finish nor an end.
    let usage = event(r#"{"id":"g","choices":[],"usage":{"prompt_tokens":10,"completion_tokens":5}}"#);
    assert_bad(&stream("usage is no end", say("Hello") + &usage), "Hello", "").await;
    // danny-avila/LibreChat pull 5562: a chunk for an answer, with a message that says nothing.
    let blank = r#"{"object":"chat.completion.chunk","choices":[{"index":0,"message":{"role":"assistant","content":""}}],"usage":{"completion_tokens":0}}"#;
    assert_bad(&plain("a blank message in a chunk", blank), "", "").await;
    // praxis-proxy/ai issue 804: choices that are no list.
    let odd =
        r#"{"id":"g","object":"chat.completion","choices":"none","usage":{"prompt_tokens":15,"completion_tokens":9}}"#;
    assert_bad(&plain("choices that are a text", odd), "", "").await;
}

#[tokio::test(start_paused = true)]
async fn a_timeout_does_not_end_a_stream_that_is_not_complete() {
    let seconds = Duration::from_secs;
    let text = say("Hello") + &say(" world");
    // maximhq/bifrost issue 6784: behind the finish come signs of life without end.
    let mut case = stream("signs of life without end", text.clone() + &stop());
    case.steps.push(Step::Drip(b": heartbeat\n\n".to_vec(), seconds(3)));
    assert_good(&case, HELLO, "").await;
    // musistudio/claude-code-router pull 1271: usage some time behind the finish, and a connection that stays open.
    let mut case = paused("usage, and no end", [(0, text + &stop()), (4000, bill())]);
    case.steps.push(Step::Hang);
    assert_good(&case, HELLO, "\"cost\"").await;
    // vllm-project/vllm pull 36944: the finish stands beside the last token, and the usage is late.
    let last = part(r#"{"content":" world"}"#, "\"length\"");
    let case = paused(
        "a finish beside the last token",
        [(0, say("Hello") + &last), (6000, bill() + DONE)],
    );
    assert_good(&case, HELLO, "\"cost\"").await;
}

#[tokio::test(start_paused = true)]
async fn one_unreadable_event_ends_no_stream() {
    for (what, odd) in [
        // mnfst/llm-gateway issue 2053: a comment as the data of an event.
        ("a comment as data", "data: : OPENROUTER PROCESSING\n\n"),
        // NousResearch/hermes-agent issue 111887: events without data.
        ("events without data", "data:\n\nevent: ping\n\nid: 7\n\n"),
        // openai/openai-python pull 2721: a field of the stream alone.
        ("a retry alone", "retry: 3000\n\n"),
        // mistralai/mistral-vibe pull 774: a comment of no characters.
        ("a bare colon", ":\n\n"),
    ] {
        let body = [
            odd,
            &say("Hello"),
            odd,
            &say(" world"),
            odd,
            &stop(),
            &bill(),
            odd,
            DONE,
        ]
        .concat();
        assert_good(&stream(what, body), HELLO, "\"cost\"").await;
        // The same without an answer.
        assert_bad(&stream(what, odd.repeat(3)), "", "").await;
    }
}

#[tokio::test(start_paused = true)]
async fn the_bytes_decide_and_not_the_header() {
    let whole = hello() + DONE;
    // nearai/private-ml-sdk pull 20: chunked, without a type.
    let head = "HTTP/1.1 200 OK\r\nserver: uvicorn\r\ntransfer-encoding: chunked\r\n\r\n";
    let mut case = stream("no type", "");
    case.steps = vec![send(format!("{head}{:x}\r\n{whole}\r\n0\r\n\r\n", whole.len()))];
    assert_good(&case, HELLO, "\"cost\"").await;
    // decolua/9router issue 3492: a plain answer under the type of a stream, with the end of a stream.
    let body = good_answer("") + "\n\ndata: [DONE]\n\n";
    let case = with_type("an end behind a plain answer", false, "text/event-stream", body);
    assert_good(&case, HELLO, "\"cost\"").await;
    // FlowiseAI/FlowiseChatEmbed pull 274: a charset, in whatever letters.
    let case = with_type("a charset", true, "Text/Event-Stream;charset=UTF-8", whole);
    assert_good(&case, HELLO, "\"cost\"").await;
    // ding113/claude-code-hub pull 1458: events of Responses without a type.
    let body = typed_events(&[
        json!({"type": "response.created", "response": {"id": "r", "object": "response", "status": "in_progress", "output": []}}),
        json!({"type": "response.output_text.delta", "output_index": 0, "delta": HELLO}),
        json!({"type": "response.completed", "response": {"id": "r", "object": "response", "status": "completed", "output": [
            {"type": "message", "role": "assistant", "content": [{"type": "output_text", "text": HELLO}]}]}}),
    ]);
    let steps = vec![send("HTTP/1.1 200 OK\r\nconnection: close\r\n\r\n"), send(body)];
    let (status, text, requests) = through_endpoint(Api::Responses, true, steps).await;
    assert_eq!((status, requests), (StatusCode::OK, 1), "{text}");
    assert!(text.contains("response.completed"), "{text}");
}

#[tokio::test(start_paused = true)]
async fn all_readers_are_as_lenient_as_the_first() {
    // dphnAI/sonar issue 183: infinities under the names of tokens.
    let odds = r#""logprobs":{"tokens":["a"],"top_logprobs":[{"a":0.0,"<s>":-Infinity}]},"finish_reason""#;
    let body = (hello() + DONE).replace("\"finish_reason\"", odds);
    assert_good(&stream("infinities by token", body), HELLO, "top_logprobs").await;
    // elie222/rakazo issue 416: halves of one character, here with a blank delta between them.
    let blank = part("{}", "null");
    let halves = [say("Hello world \\ud83d"), blank, say("\\ude00"), stop(), bill()].concat() + DONE;
    assert_good(&stream("halves apart", halves), "Hello world ", "\\ude00").await;
    // assistant-ui/assistant-ui pull 6355: arguments that are cut within an escape.
    let pieces = [
        r#"{"tool_calls":[{"index":0,"id":"c0","type":"function","function":{"name":"f","arguments":"{\"a\":\"\\ud8"}}]}"#,
        r#"{"tool_calls":[{"index":0,"function":{"arguments":"3c\\udf78\"}"}}]}"#,
    ];
    let body = pieces.map(|piece| part(piece, "null")).concat() + &part("{}", "\"tool_calls\"") + DONE;
    assert_good(
        &stream("an escape in pieces", body),
        "",
        r#"{\"a\":\"\\ud83c\\udf78\"}"#,
    )
    .await;
}

#[tokio::test(start_paused = true)]
async fn typed_views_keep_what_they_cannot_read() {
    // meilisearch/meilisearch pull 6327: Mistral's parts, some of which are no text.
    let parts = |text: &str| {
        part(
            &format!(r#"{{"content":[{{"type":"reference","reference_ids":[0]}},{{"type":"text","text":"{text}"}}]}}"#),
            "null",
        )
    };
    let body = [parts("Hello"), parts(" world"), stop(), bill(), DONE.into()].concat();
    assert_good(&stream("references among parts", body), HELLO, "reference_ids").await;
    // BoundaryML/baml pull 1746: SambaNova writes the time with a point.
    let created = good_answer("").replace("\"created\":1,", "\"created\":1744071234.8369727,");
    assert_good(&plain("a time with a point", created), HELLO, "1744071234.8369727").await;
    // foundation-model-stack/fms-guardrails-orchestrator issue 452: vLLM stops at a token, and names its number.
    let message = r#"{"role":"assistant","reasoning_content":null,"content":"Hello world","tool_calls":[]}"#;
    let stopped = answer(message, "").replace("\"finish_reason\"", "\"stop_reason\":13,\"finish_reason\"");
    assert_good(&plain("a stop that is a number", stopped), HELLO, "\"stop_reason\":13").await;
    // ggml-org/llama.cpp issue 20198: arguments that are an object.
    let message = r#"{"role":"assistant","content":null,"tool_calls":[{"id":"c0","type":"function","function":{"name":"get","arguments":{"x":1}}}]}"#;
    let case = plain("arguments as an object", answer(message, ""));
    assert_good(&case, "", r#"{"x":1}"#).await;
    let raw = upstream(&case).await;
    let alone = stack(&raw).chain([FIRST]).build().unwrap();
    let message = alone.complete(ask()).await.unwrap().response.choices[0]
        .message
        .to_message();
    let calls = message.tool_calls.unwrap();
    assert_eq!(
        (&*calls[0].function.name, &*calls[0].function.arguments),
        ("get", r#"{"x":1}"#)
    );
}
