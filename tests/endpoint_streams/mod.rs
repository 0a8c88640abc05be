//! Streams of each API, mounted: what goes out, and how an interruption looks.

mod cuts;

use std::time::Duration;

use http::StatusCode;
use serde_json::{Value, json};
use tower_openrouter::{
    Api, ApiKey, Candidate, ChatServiceExt, Stack,
    endpoint::Envelope,
    transport::{Dialect, Upstream},
};

use crate::support::{
    FIRST,
    mounted::{post, send},
    raw::{self, Raw, Step, events, send as sent},
};

/// Each event of a whole stream of this API, with its name.
fn whole(api: Api) -> Vec<(&'static str, &'static str)> {
    match api {
        Api::Responses => vec![
            (
                "response.created",
                r#"{"type":"response.created","sequence_number":0,"response":{"id":"resp_1","object":"response","status":"in_progress","output":[]}}"#,
            ),
            (
                "response.output_item.added",
                r#"{"type":"response.output_item.added","sequence_number":1,"output_index":0,"item":{"type":"message","id":"msg_1","role":"assistant","status":"in_progress","content":[]}}"#,
            ),
            (
                "response.output_text.delta",
                r#"{"sequence_number":2,"type":"response.output_text.delta","item_id":"msg_1","output_index":0,"content_index":0,"delta":"Os"}"#,
            ),
            (
                "response.new_event",
                r#"{"type":"response.new_event","sequence_number":3,"new":[1e400]}"#,
            ),
            (
                "response.output_text.delta",
                r#"{"type":"response.output_text.delta","sequence_number":4,"item_id":"msg_1","output_index":0,"content_index":0,"delta":"lo."}"#,
            ),
            (
                "response.output_item.done",
                r#"{"type":"response.output_item.done","sequence_number":5,"output_index":0,"item":{"type":"message","id":"msg_1","role":"assistant","status":"completed","content":[{"type":"output_text","text":"Oslo."}]}}"#,
            ),
            (
                "response.completed",
                r#"{"type":"response.completed","sequence_number":6,"response":{"id":"resp_1","object":"response","status":"completed","output":[{"type":"message","id":"msg_1","role":"assistant","status":"completed","content":[{"type":"output_text","text":"Oslo."}]}],"usage":{"input_tokens":3,"output_tokens":2,"total_tokens":5}}}"#,
            ),
        ],
        Api::Messages => vec![
            (
                "message_start",
                r#"{"type":"message_start","message":{"id":"msg_1","type":"message","role":"assistant","model":"demo/model","content":[],"stop_reason":null,"usage":{"input_tokens":3,"output_tokens":1}}}"#,
            ),
            (
                "content_block_start",
                r#"{"type":"content_block_start","index":0,"content_block":{"type":"text","text":""}}"#,
            ),
            (
                "content_block_delta",
                r#"{"index":0,"type":"content_block_delta","delta":{"type":"text_delta","text":"Os"}}"#,
            ),
            ("new_event", r#"{"type":"new_event","new":[1e400]}"#),
            (
                "content_block_delta",
                r#"{"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":"lo."}}"#,
            ),
            ("content_block_stop", r#"{"type":"content_block_stop","index":0}"#),
            (
                "message_delta",
                r#"{"type":"message_delta","delta":{"stop_reason":"end_turn","stop_sequence":null},"usage":{"output_tokens":2}}"#,
            ),
            ("message_stop", r#"{"type":"message_stop"}"#),
        ],
        _ => vec![
            (
                "",
                r#"{"id":"gen-1","object":"chat.completion.chunk","created":1795500000,"model":"demo/dated","choices":[{"index":0,"delta":{"role":"assistant","content":""},"finish_reason":null}]}"#,
            ),
            (
                "",
                r#"{"id":"gen-1","object":"chat.completion.chunk","created":1795500000,"model":"demo/dated","choices":[{"index":0,"delta":{"content":"Os"},"finish_reason":null}]}"#,
            ),
            (
                "",
                r#"{"id":"gen-1","choices":[{"index":0,"delta":{"content":"lo."},"finish_reason":null}],"new":[1e400]}"#,
            ),
            (
                "",
                r#"{"id":"gen-1","choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}"#,
            ),
        ],
    }
}

fn written(list: &[(&str, &str)], with_names: bool) -> String {
    let event = |(name, data): &(&str, &str)| match (*name, with_names) {
        ("", _) | (_, false) => format!("data: {data}\n\n"),
        (name, true) => format!("event: {name}\ndata: {data}\n\n"),
    };
    list.iter().map(event).collect()
}

fn body(api: Api) -> String {
    let mut body = match api {
        Api::Responses => json!({"input": "Hi"}),
        Api::Messages => json!({"max_tokens": 64, "messages": [{"role": "user", "content": "Hi"}]}),
        _ => json!({"messages": [{"role": "user", "content": "Hi"}]}),
    };
    body["model"] = FIRST.into();
    body["stream"] = true.into();
    body.to_string()
}

/// What a client gets of this API while the upstream sends this.
async fn mounted(api: Api, envelope: Envelope, upstream: &str) -> (StatusCode, String) {
    mounted_over(api, envelope, vec![events(), sent(upstream)]).await
}

async fn mounted_over(api: Api, envelope: Envelope, upstream: Vec<Step>) -> (StatusCode, String) {
    let raw = Raw::always(upstream).await;
    let endpoint = raw.alone().into_endpoint(api).envelope(envelope);
    let (parts, text) = send(endpoint, post("/", body(api))).await;
    if parts.status == StatusCode::OK {
        assert_eq!(parts.headers["content-type"], "text/event-stream");
        assert_eq!(parts.headers["cache-control"], "no-cache");
        assert_eq!(parts.headers["x-accel-buffering"], "no", "nginx does not buffer it");
        assert_eq!(parts.headers["x-llm-model"], FIRST);
    }
    (parts.status, text)
}

const STREAMED: [Api; 3] = [Api::Chat, Api::Responses, Api::Messages];

#[tokio::test(start_paused = true)]
async fn a_stream_goes_out_as_it_came_with_the_names_of_its_events() {
    for api in STREAMED {
        for envelope in [Envelope::OpenAi, Envelope::OpenRouter] {
            // Of the upstream's own lines only the data counts: it may leave the names out, and end in any way.
            for (with_names, end) in [
                (true, ""),
                (true, "data: [DONE]\n\n"),
                (false, ""),
                (false, "data: [DONE]\n\n"),
            ] {
                let upstream = format!(": OPENROUTER PROCESSING\n\n{}{end}", written(&whole(api), with_names));
                let (_, text) = mounted(api, envelope, &upstream).await;
                let end = match (api, envelope) {
                    (Api::Chat, _) | (Api::Responses, Envelope::OpenRouter) => "data: [DONE]\n\n",
                    _ => "",
                };
                assert_eq!(
                    text,
                    format!("{}{end}", written(&whole(api), true)),
                    "{api:?} {envelope:?} {with_names}"
                );
            }
        }
    }
}

/// OpenAI sends a chunk with usage and no choice only to a client that requested it. The stack requests it of each provider, and OpenRouter always sends it.
#[tokio::test(start_paused = true)]
async fn usage_that_only_the_stack_requested_is_left_out() {
    let usage = r#"{"id":"gen-1","choices":[],"usage":{"prompt_tokens":3,"completion_tokens":2,"total_tokens":5}}"#;
    let upstream = format!("{}data: {usage}\n\ndata: [DONE]\n\n", written(&whole(Api::Chat), false));
    for (dialect, options, is_there) in [
        (Dialect::OpenAi, None, false),
        (Dialect::OpenAi, Some(json!({"include_usage": false})), false),
        (Dialect::OpenAi, Some(json!({"include_usage": true})), true),
        (Dialect::OpenRouter, None, true),
    ] {
        let raw = Raw::always(vec![events(), sent(upstream.clone())]).await;
        let stack = Stack::builder()
            .upstream(
                Upstream::new("direct", raw.url(), dialect).unwrap(),
                ApiKey::new(raw::KEY).unwrap(),
            )
            .chain([Candidate::new("direct", FIRST).unwrap()])
            .build()
            .unwrap();
        let mut body: Value = serde_json::from_str(&body(Api::Chat)).unwrap();
        if let Some(options) = options {
            body["stream_options"] = options;
        }
        let (_, text) = send(stack.into_endpoint(Api::Chat), post("/", body.to_string())).await;
        let usage = if is_there {
            format!("data: {usage}\n\n")
        } else {
            String::new()
        };
        let expected = format!("{}{usage}data: [DONE]\n\n", written(&whole(Api::Chat), false));
        assert_eq!(text, expected, "{dialect:?}: {body}");
        let is_requested = raw.seen().concat().contains("\"include_usage\":true");
        assert_eq!(is_requested, dialect == Dialect::OpenAi, "{dialect:?}: {body}");
    }
}

/// Clients count events, and no comments: Codex gives a stream of responses up after 300 s without one.
#[tokio::test(start_paused = true)]
async fn signs_of_life_within_a_stream_are_events_of_its_api() {
    let wait = || Step::Wait(Duration::from_secs(15));
    let comment = ": keep-alive\n\n";
    let numbered = r#"{"type":"keepalive","sequence_number":7}"#;
    let spaced = r#"{ "type": "ping" }"#;
    for envelope in [Envelope::OpenAi, Envelope::OpenRouter] {
        for (api, alive, from_a_comment) in [
            (Api::Chat, comment.to_owned(), comment.to_owned()),
            (
                Api::Responses,
                written(&[("keepalive", numbered)], true),
                match envelope {
                    Envelope::OpenAi => format!("event: keepalive\ndata: {numbered}\n\n"),
                    _ => comment.to_owned(),
                },
            ),
            (
                Api::Messages,
                written(&[("ping", spaced)], true),
                "event: ping\ndata: {\"type\":\"ping\"}\n\n".to_owned(),
            ),
        ] {
            let events = whole(api);
            let (begun, ended) = (written(&events[..3], true), written(&events[3..], true));
            // Before its head no SDK expects another event.
            let mut steps = vec![raw::events(), sent(alive.clone()), wait(), sent(begun.clone())];
            for _ in 0..3 {
                steps.extend([wait(), sent(alive.clone())]);
            }
            steps.extend([wait(), sent(": still here\n\n")]);
            let end = if api == Api::Chat { "data: [DONE]\n\n" } else { "" };
            let cut = Raw::always([&steps[..], &[wait()]].concat()).await;
            steps.extend([wait(), sent(format!("{ended}{end}"))]);
            let raw = Raw::always(steps).await;
            let expected = format!("{begun}{}{from_a_comment}", alive.repeat(3));
            let endpoint = |raw: &Raw| {
                let stack = raw.builder().idle_timeout(Duration::from_secs(20)).build().unwrap();
                stack.into_endpoint(api).envelope(envelope)
            };
            let (_, text) = send(endpoint(&raw), post("/", body(api))).await;
            let end = match (api, envelope) {
                (Api::Chat, _) | (Api::Responses, Envelope::OpenRouter) => "data: [DONE]\n\n",
                _ => "",
            };
            assert_eq!(text, format!("{expected}{ended}{end}"), "{api:?} {envelope:?}");
            let (_, text) = send(endpoint(&cut), post("/", body(api))).await;
            assert!(text.starts_with(&expected), "{api:?} {envelope:?}: {text}");
            if api == Api::Responses {
                // Behind `response.failed`, which is the eighth.
                assert_eq!(last(&text).1["sequence_number"], 9, "{text}");
            }
        }
    }
}

/// The name and the data of the last event.
fn last(text: &str) -> (&str, Value) {
    let last = text.trim_end().rsplit("\n\n").next().unwrap();
    let (name, data) = match last.split_once('\n') {
        Some((name, data)) => (name.strip_prefix("event: ").unwrap(), data),
        None => ("", last),
    };
    (
        name,
        serde_json::from_str(data.strip_prefix("data: ").unwrap()).unwrap(),
    )
}

#[tokio::test(start_paused = true)]
async fn an_interrupted_stream_ends_with_the_error_that_its_sdks_read() {
    let message = "the stream was cut before the answer was whole";
    for envelope in [Envelope::OpenAi, Envelope::OpenRouter] {
        for api in STREAMED {
            let events = whole(api);
            let (_, text) = mounted(api, envelope, &written(&events[..3], true)).await;
            assert!(text.starts_with(&written(&events[..3], true)), "{text}");
            let (name, error) = last(&text);
            let expected = match api {
                Api::Responses => json!({
                    "type": "error", "sequence_number": 4, "code": "truncated", "message": message, "param": null,
                    "error": {"message": message, "type": "api_error", "param": null, "code": "truncated"},
                }),
                Api::Messages => json!({
                    "type": "error",
                    "error": {
                        "type": "api_error", "message": message, "error_type": "truncated",
                        "details": {"error_code": "truncated"},
                    },
                    "request_id": error["request_id"],
                }),
                _ => json!({
                    "id": "gen-1", "object": "chat.completion.chunk", "created": 1_795_500_000, "model": "demo/dated",
                    "choices": [{"index": 0, "delta": {"content": ""}, "finish_reason": "error"}],
                    "error": {
                        "message": message, "type": "api_error", "param": null, "code": 502,
                        "metadata": {"error_type": "truncated"},
                    },
                }),
            };
            assert_eq!(error, expected, "{api:?}");
            assert_eq!(name, if api == Api::Chat { "" } else { "error" }, "{api:?}");
            assert!(!text.contains("[DONE]"), "{api:?}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn an_upstreams_own_error_in_mid_stream_becomes_that_of_the_api() {
    let table = [
        (
            Api::Chat,
            r#"{"id":"gen-1","choices":[{"index":0,"delta":{"content":""},"finish_reason":"error"}],"error":{"code":502,"message":"Provider disconnected"}}"#,
        ),
        (
            Api::Responses,
            r#"{"type":"response.failed","sequence_number":3,"response":{"id":"resp_1","status":"failed","output":[],"error":{"code":"server_error","message":"Provider disconnected"}}}"#,
        ),
        (
            Api::Responses,
            r#"{"type":"error","sequence_number":3,"code":"server_error","message":"Provider disconnected","param":null}"#,
        ),
        (
            Api::Messages,
            r#"{"type":"error","error":{"type":"api_error","message":"Provider disconnected"}}"#,
        ),
    ];
    for (api, error) in table {
        let shown = written(&whole(api)[..3], true);
        let (_, text) = mounted(api, Envelope::OpenAi, &format!("{shown}data: {error}\n\n")).await;
        assert!(text.starts_with(&shown), "{api:?}: {text}");
        let (name, data) = last(&text);
        let message = match api {
            Api::Responses => &data["message"],
            _ => &data["error"]["message"],
        };
        let said = message.as_str().unwrap();
        assert!(said.contains("Provider disconnected"), "{api:?}: {text}");
        assert_eq!(name, if api == Api::Chat { "" } else { "error" });
        if api == Api::Responses {
            assert_eq!(data["error"]["message"], *message, "{text}");
            assert_eq!(text.matches("event: response.failed").count(), 1, "{text}");
        }
        assert!(!text.contains("[DONE]"), "{api:?}");
        // A key that it repeats is hidden.
        let error = error.replace("Provider", raw::KEY);
        let (_, text) = mounted(api, Envelope::OpenAi, &format!("{shown}data: {error}\n\n")).await;
        assert!(
            text.contains("disconnected") && !text.contains(raw::KEY),
            "{api:?}: {text}"
        );
    }
}

/// Some providers ignore `stream`.
#[tokio::test(start_paused = true)]
async fn a_whole_answer_is_streamed_in_the_events_of_its_api() {
    let table = [
        (
            Api::Chat,
            r#"{"id":"gen-1","system_fingerprint":null,"choices":[{"index":0,"message":{"role":"assistant","content":"Oslo."},"finish_reason":"stop"}]}"#,
            vec![""],
        ),
        (
            Api::Responses,
            r#"{"id":"resp_1","object":"response","status":"completed","output":[{"type":"message","id":"msg_1","role":"assistant","status":"completed","content":[{"type":"output_text","text":"Oslo."}]}]}"#,
            vec![
                "response.created",
                "response.output_item.added",
                "response.content_part.added",
                "response.output_text.delta",
                "response.output_text.done",
                "response.content_part.done",
                "response.output_item.done",
                "response.completed",
            ],
        ),
        (
            Api::Messages,
            r#"{"id":"msg_1","type":"message","role":"assistant","content":[{"type":"text","text":"Oslo."}],"stop_reason":"end_turn","usage":{"input_tokens":3,"output_tokens":2}}"#,
            vec![
                "message_start",
                "content_block_start",
                "content_block_delta",
                "content_block_stop",
                "message_delta",
                "message_stop",
            ],
        ),
    ];
    for (api, answer, names) in table {
        let raw = Raw::always(vec![raw::json(), sent(answer)]).await;
        let (parts, text) = send(raw.alone().into_endpoint(api), post("/", body(api))).await;
        assert_eq!(
            (parts.status, parts.headers["content-type"].to_str().unwrap()),
            (StatusCode::OK, "text/event-stream"),
            "{text}"
        );
        let events: Vec<_> = text
            .split("\n\n")
            .filter(|event| !event.is_empty() && *event != "data: [DONE]")
            .collect();
        let got: Vec<_> = events
            .iter()
            .map(|event| match event.split_once('\n') {
                Some((name, _)) => name.strip_prefix("event: ").unwrap(),
                None => "",
            })
            .collect();
        assert_eq!(got, names, "{api:?}");
        assert_eq!(text.contains("[DONE]"), api == Api::Chat, "{text}");
        assert!(text.contains("\"Oslo.\""), "{text}");
    }
}
