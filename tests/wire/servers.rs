//! Quirks of servers that speak Messages and Responses after others, each with the project that it was seen of: the mounted endpoint passes them
//! on, complete and bought once.

use http::StatusCode;
use serde_json::{Value, json};
use tower::ServiceExt;
use tower_openrouter::{
    Answer, Api, ApiRequest, ChatServiceExt, Stack, layers::Frame, stream_upstream::StreamUpstreamMode,
};

use super::recorded::DONE;
use crate::support::{
    FIRST, SECOND, mounted,
    raw::{Raw, Step, events, json as json_head, send},
};

const HELLO: &str = "Hello world";

fn event(json: &str) -> String {
    let value: Value = serde_json::from_str(json).unwrap();
    format!("event: {}\ndata: {json}\n\n", value["type"].as_str().unwrap())
}

fn all(events: &[&str]) -> String {
    events.iter().map(|json| event(json)).collect()
}

fn ask(api: Api, streamed: bool) -> String {
    match api {
        Api::Responses => format!(r#"{{"model":"{FIRST}","input":"Hi","stream":{streamed}}}"#),
        _ => format!(
            r#"{{"model":"{FIRST}","max_tokens":64,"messages":[{{"role":"user","content":"Hi"}}],"stream":{streamed}}}"#
        ),
    }
}

async fn upstream(steps: Vec<Step>) -> (Raw, Stack) {
    let raw = Raw::start(move |request| {
        if request.contains(&format!("\"{FIRST}\"")) {
            steps.clone()
        } else {
            // What the second candidate says is of no API: only the first one's answer is good.
            vec![json_head(), send("{}")]
        }
    })
    .await;
    let stack = raw.builder().chain([FIRST, SECOND]).build().unwrap();
    (raw, stack)
}

/// The text that a client shows of events, and whether it takes them for whole.
fn shown(api: Api, body: &str) -> (String, bool) {
    let (mut text, mut whole, mut is_ended) = (String::new(), String::new(), false);
    for data in body.lines().filter_map(|line| line.strip_prefix("data: ")) {
        let Ok(event) = serde_json::from_str::<Value>(data) else {
            continue;
        };
        match event["type"].as_str().unwrap_or_default() {
            "content_block_start" => text.push_str(event["content_block"]["text"].as_str().unwrap_or_default()),
            "content_block_delta" => text.push_str(event["delta"]["text"].as_str().unwrap_or_default()),
            "response.output_text.delta" => text.push_str(event["delta"].as_str().unwrap_or_default()),
            "response.output_text.done" => whole = event["text"].as_str().unwrap_or_default().to_owned(),
            "response.completed" | "message_stop" => is_ended = true,
            _ => {}
        }
    }
    if text.is_empty() && api == Api::Responses {
        text = whole;
    }
    (text, is_ended && !body.contains("event: error"))
}

/// A good stream: whole through the endpoint and as a plain call, in one attempt each, with these tokens of prompt and answer.
async fn assert_good(what: &str, api: Api, body: String, text: &str, tokens: Option<(u64, u64)>) {
    let (raw, stack) = upstream(vec![events(), send(body)]).await;
    let path = format!("/v1/{}", api.path());
    let endpoints = stack.clone().into_endpoints();
    let (head, sent) = mounted::send(endpoints, mounted::post(&path, ask(api, true))).await;
    assert_eq!(head.status, StatusCode::OK, "{what}: {sent}");
    assert_eq!(shown(api, &sent), (text.to_owned(), true), "{what}: {sent}");
    assert_eq!(raw.seen().len(), 1, "{what}: bought once");

    let request = ApiRequest::from_json(api, ask(api, true)).unwrap();
    let mut answer = Answer::new(stack.clone().oneshot(request.into_http()).await.unwrap());
    let mut usage = None;
    while let Some(frame) = answer.next_frame().await {
        usage = frame.unwrap().token_usage().or(usage);
    }
    assert_eq!(usage.map(|usage| (usage.prompt, usage.answer)), tokens, "{what}");

    let mut plain = ApiRequest::from_json(api, ask(api, false)).unwrap().into_http();
    plain.extensions_mut().insert(StreamUpstreamMode::On);
    let mut answer = Answer::new(
        stack
            .oneshot(plain)
            .await
            .unwrap_or_else(|error| panic!("{what}: {error}")),
    );
    let frame = answer.next_frame().await.unwrap().unwrap();
    assert_eq!(frame.text().unwrap_or_default(), text, "{what}: {:?}", frame.bytes());
    assert_eq!(raw.seen().len(), 3, "{what}");
}

const START: &str = r#"{"type":"message_start","message":{"id":"m","type":"message","role":"assistant","model":"x","content":[],"stop_reason":null,"stop_sequence":null,"usage":{"input_tokens":15,"output_tokens":1}}}"#;
const OPEN: &str = r#"{"type":"content_block_start","index":0,"content_block":{"type":"text","text":""}}"#;
const SAY: &str = r#"{"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":"Hello"}}"#;
const MORE: &str = r#"{"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":" world"}}"#;
const CLOSE: &str = r#"{"type":"content_block_stop","index":0}"#;
const WHY: &str =
    r#"{"type":"message_delta","delta":{"stop_reason":"end_turn","stop_sequence":null},"usage":{"output_tokens":9}}"#;
const STOP: &str = r#"{"type":"message_stop"}"#;

#[tokio::test(start_paused = true)]
async fn messages_of_other_servers_are_passed_on_whole() {
    let some = Some((15, 9));
    let bare = |text: String| {
        text.lines()
            .filter(|line| !line.starts_with("event:"))
            .fold(String::new(), |all, line| all + line + "\n")
    };
    let whole = all(&[START, OPEN, SAY, MORE, CLOSE, WHY, STOP]);
    for (what, body, tokens) in [
        // LiteLLM over a server of Responses: the block is never begun, and has the index -1.
        (
            "a block that never begins",
            all(&[START, SAY, MORE, CLOSE, WHY, STOP]).replace("\"index\":0", "\"index\":-1"),
            some,
        ),
        // LiteLLM's proxy: the first event twice.
        ("two beginnings", all(&[START, START, OPEN, SAY, MORE, CLOSE, WHY, STOP]), some),
        // BerriAI/litellm pull 33859: the same beginning behind the first words.
        ("a beginning again", all(&[START, OPEN, SAY, START, MORE, CLOSE, WHY, STOP]), some),
        // vercel/ai issue 18331: a proxy began another message, before anything of the first one was shown.
        (
            "another beginning before the first word",
            all(&[&START.replace("\"m\"", "\"n\"").replace("15", "99"), OPEN, START, OPEN, SAY, MORE, CLOSE, WHY, STOP]),
            some,
        ),
        // LiteLLM's proxy over SGLang: thoughts in the block of text.
        (
            "a thought within a text",
            all(&[START, OPEN, r#"{"type":"content_block_delta","index":0,"delta":{"type":"thinking_delta","thinking":"hm"}}"#, SAY, MORE, CLOSE, WHY, STOP]),
            some,
        ),
        // LiteLLM over Ollama: no usage at all in the last event but one.
        (
            "no usage at the end",
            all(&[START, OPEN, SAY, MORE, CLOSE, r#"{"type":"message_delta","delta":{"stop_reason":"end_turn"}}"#, STOP]),
            // What the first event says of the answer is a floor.
            Some((15, 1)),
        ),
        // Proxies on Anthropic's own SDK for Python: what is not known is null.
        (
            "usage with nulls",
            all(&[START, OPEN, SAY, MORE, CLOSE, r#"{"type":"message_delta","delta":{"stop_reason":"end_turn","stop_sequence":null},"usage":{"cache_creation_input_tokens":null,"cache_read_input_tokens":null,"input_tokens":null,"output_tokens":9,"server_tool_use":null}}"#, STOP]),
            some,
        ),
        // mlx-node, llama.cpp before 2026: zeros in the first event, the truth in the last.
        (
            "zeros first",
            all(&[START, OPEN, SAY, MORE, CLOSE, r#"{"type":"message_delta","delta":{"stop_reason":"end_turn"},"usage":{"input_tokens":15,"output_tokens":9}}"#, STOP])
                .replacen("\"input_tokens\":15,\"output_tokens\":1", "\"input_tokens\":0,\"output_tokens\":0", 1),
            some,
        ),
        // Bedrock: figures of its own on the last event.
        (
            "metrics on the last event",
            all(&[START, OPEN, SAY, MORE, CLOSE, WHY, r#"{"type":"message_stop","amazon-bedrock-invocationMetrics":{"inputTokenCount":15,"outputTokenCount":9,"invocationLatency":500,"firstByteLatency":90}}"#]),
            some,
        ),
        // Proxies that end every stream as OpenAI's: `[DONE]` behind the last event, or in its place, and no names of events.
        ("[DONE] behind it", whole.clone() + DONE, some),
        ("[DONE] in its place", all(&[START, OPEN, SAY, MORE, CLOSE, WHY]) + DONE, some),
        ("no names of events", bare(whole.clone()), some),
        // LM Studio, LiteLLM: an empty block of text before the one that counts.
        (
            "an empty block first",
            all(&[START, OPEN, CLOSE, &OPEN.replace('0', "1"), &SAY.replace("\"index\":0", "\"index\":1"), &MORE.replace("\"index\":0", "\"index\":1"), &CLOSE.replace('0', "1"), WHY, STOP]),
            some,
        ),
        // vLLM: the end of the block is missing before the end of the message.
        ("a block that never ends", all(&[START, OPEN, SAY, MORE, WHY, STOP]), some),
        // Claude Code's proxies: usage at the end in OpenAI's words.
        (
            "usage in other words",
            all(&[START, OPEN, SAY, MORE, CLOSE, &WHY.replace("\"output_tokens\":9", "\"prompt_tokens\":15,\"completion_tokens\":9"), STOP]),
            some,
        ),
    ] {
        assert_good(what, Api::Messages, body, HELLO, tokens).await;
    }
}

const CREATED: &str = r#"{"type":"response.created","sequence_number":0,"response":{"id":"r","object":"response","created_at":1742424515.0,"status":"in_progress","model":"x","output":[],"usage":null}}"#;
const COMPLETED: &str = r#"{"type":"response.completed","sequence_number":9,"response":{"id":"r","object":"response","created_at":1742424515.0,"status":"completed","model":"x","output":[{"type":"message","id":"m","role":"assistant","status":"completed","content":[{"type":"output_text","text":"Hello world","annotations":[]}]}],"usage":{"input_tokens":15,"output_tokens":9,"total_tokens":24}}}"#;
const ADDED: &str = r#"{"type":"response.output_item.added","sequence_number":1,"output_index":0,"item":{"type":"message","id":"m","role":"assistant","status":"in_progress","content":[]}}"#;
const PART: &str = r#"{"type":"response.content_part.added","sequence_number":2,"item_id":"m","output_index":0,"content_index":0,"part":{"type":"output_text","text":"","annotations":[]}}"#;
const HEL: &str = r#"{"type":"response.output_text.delta","sequence_number":3,"item_id":"m","output_index":0,"content_index":0,"delta":"Hello"}"#;
const WORLD: &str = r#"{"type":"response.output_text.delta","sequence_number":4,"item_id":"m","output_index":0,"content_index":0,"delta":" world"}"#;
const TEXT_DONE: &str = r#"{"type":"response.output_text.done","sequence_number":5,"item_id":"m","output_index":0,"content_index":0,"text":"Hello world"}"#;
const DONE_ITEM: &str = r#"{"type":"response.output_item.done","sequence_number":7,"output_index":0,"item":{"type":"message","id":"m","role":"assistant","status":"completed","content":[{"type":"output_text","text":"Hello world","annotations":[]}]}}"#;

/// The same events without some of their members.
fn without(text: &str, members: &[&str]) -> String {
    let lines = text.lines().map(|line| {
        let Some(data) = line.strip_prefix("data: ") else {
            return line.to_owned();
        };
        let mut event: Value = serde_json::from_str(data).unwrap();
        for member in members {
            event.as_object_mut().unwrap().remove(*member);
        }
        format!("data: {event}")
    });
    lines.fold(String::new(), |all, line| all + &line + "\n")
}

#[tokio::test(start_paused = true)]
async fn responses_of_other_servers_are_passed_on_whole() {
    let some = Some((15, 9));
    let whole = all(&[CREATED, ADDED, PART, HEL, WORLD, TEXT_DONE, DONE_ITEM, COMPLETED]);
    let output = json!(serde_json::from_str::<Value>(COMPLETED).unwrap()["response"]["output"]).to_string();
    for (what, body, tokens) in [
        // gemini-web2api: the text comes once, whole.
        ("text without deltas", all(&[CREATED, TEXT_DONE, COMPLETED]), some),
        // vLLM, before its models of Harmony: the last event has no output.
        ("an empty output at the end", whole.replace(&output, "[]"), some),
        // llama.cpp: events without numbers and indexes.
        (
            "no numbers",
            without(&whole, &["sequence_number", "output_index", "content_index", "item_id"]),
            some,
        ),
        // Llama Stack: the text is never said once more.
        (
            "no end of the text",
            all(&[CREATED, ADDED, PART, HEL, WORLD, DONE_ITEM, COMPLETED]),
            some,
        ),
        // transformers serve, UOR: no items at all.
        ("deltas alone", all(&[CREATED, HEL, WORLD, COMPLETED]), some),
        // Gateways that pad each delta against guesses of its length: OpenAI's own.
        (
            "obfuscation",
            whole.replace(
                "\"delta\":\"Hello\"",
                "\"delta\":\"Hello\",\"obfuscation\":\"xYzXyZxYzXyZ\"",
            ),
            some,
        ),
        // LM Studio: the last event says nothing of usage.
        (
            "no usage",
            whole.replace(
                r#","usage":{"input_tokens":15,"output_tokens":9,"total_tokens":24}"#,
                "",
            ),
            None,
        ),
        // Azure: heartbeats as comments and as events between the others.
        (
            "heartbeats",
            [
                ": ping\n\n",
                &all(&[CREATED, ADDED, PART, HEL]),
                "event: keepalive\ndata: {\"type\":\"keepalive\",\"sequence_number\":3}\n\n",
                &all(&[WORLD, TEXT_DONE, DONE_ITEM, COMPLETED]),
            ]
            .concat(),
            some,
        ),
        // NousResearch/hermes-agent issue 32883: the last response has null for its items.
        (
            "no list at the end",
            all(&[
                CREATED,
                ADDED,
                PART,
                HEL,
                WORLD,
                TEXT_DONE,
                DONE_ITEM,
                r#"{"type":"response.completed","sequence_number":9,"response":{"id":"r","object":"response","status":"completed","model":"x","output":null,"usage":{"input_tokens":15,"output_tokens":9,"total_tokens":24}}}"#,
            ]),
            some,
        ),
        // Ollama: the reasoning is an item of its own without an index, begun and ended at once.
        (
            "a thought at once",
            all(&[
                CREATED,
                r#"{"type":"response.output_item.added","output_index":0,"item":{"type":"reasoning","id":"rs","summary":[{"type":"summary_text","text":"hm"}]}}"#,
                r#"{"type":"response.output_item.done","output_index":0,"item":{"type":"reasoning","id":"rs","summary":[{"type":"summary_text","text":"hm"}]}}"#,
                &ADDED.replace("\"output_index\":0", "\"output_index\":1"),
                &HEL.replace("\"output_index\":0", "\"output_index\":1"),
                &WORLD.replace("\"output_index\":0", "\"output_index\":1"),
                &DONE_ITEM.replace("\"output_index\":0", "\"output_index\":1"),
                COMPLETED,
            ]),
            some,
        ),
    ] {
        assert_good(what, Api::Responses, body, HELLO, tokens).await;
    }
}

/// Answers of one document.
#[tokio::test(start_paused = true)]
async fn plain_answers_of_other_servers_are_passed_on() {
    for (what, api, body) in [
        // Llama Stack: no `stop_sequence`.
        (
            "no stop sequence",
            Api::Messages,
            r#"{"id":"m","type":"message","role":"assistant","model":"x","content":[{"type":"text","text":"Hello world"}],"stop_reason":"end_turn","usage":{"input_tokens":1,"output_tokens":10}}"#,
        ),
        // vLLM: a block of text that is null beside the one that counts.
        (
            "a text that is null",
            Api::Messages,
            r#"{"id":"m","type":"message","role":"assistant","model":"x","content":[{"type":"text","text":null},{"type":"text","text":"Hello world"}],"stop_reason":"end_turn","stop_sequence":null,"usage":{"input_tokens":1,"output_tokens":10}}"#,
        ),
        // OpenAI's SDK, dumped as it is: a number with a point for the time, and nulls for what is not there.
        (
            "a time with a point",
            Api::Responses,
            r#"{"id":"r","object":"response","created_at":1742424515.0,"error":null,"incomplete_details":null,"model":"x","status":"completed","output":[{"type":"message","id":"m","role":"assistant","content":[{"type":"output_text","text":"Hello world"}],"status":null,"phase":null}],"usage":null}"#,
        ),
        // Open-source gateways: no `status`.
        (
            "no status",
            Api::Responses,
            r#"{"id":"r","object":"response","model":"x","output":[{"type":"message","role":"assistant","content":[{"type":"output_text","text":"Hello world"}]}],"usage":{"input_tokens":1,"output_tokens":10}}"#,
        ),
    ] {
        let (raw, stack) = upstream(vec![json_head(), send(body)]).await;
        let path = format!("/v1/{}", api.path());
        let (head, sent) = mounted::send(stack.into_endpoints(), mounted::post(&path, ask(api, false))).await;
        assert_eq!(
            (head.status, sent.as_str(), raw.seen().len()),
            (StatusCode::OK, body, 1),
            "{what}"
        );
    }
}

/// Bedrock, seen of its models of Anthropic's: an end of the turn without a word and without a token is no answer.
#[tokio::test(start_paused = true)]
async fn an_end_without_a_word_is_no_answer() {
    let start = START.replace("15,\"output_tokens\":1", "0,\"output_tokens\":0");
    let why = WHY.replace("\"output_tokens\":9", "\"input_tokens\":0,\"output_tokens\":0");
    for body in [all(&[&start, &why, STOP]), all(&[&start, OPEN, CLOSE, &why, STOP])] {
        let (_raw, stack) = upstream(vec![events(), send(body)]).await;
        let (head, sent) = mounted::send(
            stack.into_endpoints(),
            mounted::post("/v1/messages", ask(Api::Messages, true)),
        )
        .await;
        assert_ne!(head.status, StatusCode::OK, "{sent}");
    }
}

/// Anthropic, of calls that code in a container makes: the first event has all of the content, and why it ended.
#[tokio::test(start_paused = true)]
async fn an_answer_may_be_all_in_the_first_event() {
    let start = START
        .replace(
            r#""content":[]"#,
            r#""content":[{"type":"text","text":"Hello world"},{"type":"tool_use","id":"t","name":"f","input":{"a":1}}]"#,
        )
        .replace(r#""stop_reason":null"#, r#""stop_reason":"tool_use""#)
        .replace(r#""output_tokens":1"#, r#""output_tokens":9"#);
    let body = all(&[&start, STOP]);
    let (raw, stack) = upstream(vec![events(), send(body.clone())]).await;
    let post = mounted::post("/v1/messages", ask(Api::Messages, true));
    let (head, sent) = mounted::send(stack.clone().into_endpoints(), post).await;
    assert_eq!((head.status, sent, raw.seen().len()), (StatusCode::OK, body, 1));
    let mut plain = ApiRequest::from_json(Api::Messages, ask(Api::Messages, false))
        .unwrap()
        .into_http();
    plain.extensions_mut().insert(StreamUpstreamMode::On);
    let mut answer = Answer::new(stack.oneshot(plain).await.unwrap());
    let frame = answer.next_frame().await.unwrap().unwrap();
    let document: Value = serde_json::from_slice(frame.bytes()).unwrap();
    assert_eq!(frame.text().as_deref(), Some("Hello world"));
    assert_eq!(
        (
            &document["content"][1]["name"],
            &document["stop_reason"],
            &document["usage"]["output_tokens"]
        ),
        (&json!("f"), &json!("tool_use"), &json!(9)),
        "{document}"
    );
    assert_eq!(raw.seen().len(), 2);
}

/// A reason in the first event, before any content, ends nothing: what comes behind it may be cut.
#[tokio::test(start_paused = true)]
async fn a_reason_before_any_content_is_no_end() {
    let start = START.replace(r#""stop_reason":null"#, r#""stop_reason":"end_turn""#);
    for body in [
        all(&[&start, OPEN, SAY]),
        all(&[&start, OPEN, SAY, CLOSE]),
        all(&[&start, OPEN, SAY, CLOSE, STOP]),
    ] {
        let (_raw, stack) = upstream(vec![events(), send(body)]).await;
        let (_, sent) = mounted::send(
            stack.into_endpoints(),
            mounted::post("/v1/messages", ask(Api::Messages, true)),
        )
        .await;
        assert!(!shown(Api::Messages, &sent).1, "{sent}");
    }
}

/// Anthropic explains a refusal beside its reason: a caller gets these words.
#[tokio::test(start_paused = true)]
async fn a_refusal_is_reported_with_its_explanation() {
    let details = r#""stop_reason":"refusal","stop_details":{"type":"refusal","category":"cyber","explanation":"Blocked under the Usage Policy."}"#;
    let why = WHY.replace(r#""stop_reason":"end_turn""#, details);
    let plain = START
        .split_once(r#""message":"#)
        .and_then(|(_, message)| message.strip_suffix('}'))
        .map(|message| message.replace(r#""stop_reason":null"#, details))
        .unwrap();
    for (streamed, steps) in [
        (true, vec![events(), send(all(&[START, &why, STOP]))]),
        (false, vec![json_head(), send(plain)]),
    ] {
        let (_raw, stack) = upstream(steps).await;
        let post = mounted::post("/v1/messages", ask(Api::Messages, streamed));
        let (head, sent) = mounted::send(stack.into_endpoints(), post).await;
        assert_ne!(head.status, StatusCode::OK, "{sent}");
        assert!(sent.contains("Blocked under the Usage Policy."), "{streamed}: {sent}");
    }
}
