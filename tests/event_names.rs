//! Events whose name says something else than their data, or something that the data leaves out.

use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use tower_openrouter::{Api, ChatBody, ChatFrame, ChatServiceExt, Error};

use crate::support::mounted::{self, stack_over};

/// The text of a stream of these events, a name and its data each, and how it ended.
async fn read(api: Api, events: &[(&str, &str)]) -> (String, Option<Error>) {
    let events = events.iter().map(|(name, data)| match *name {
        "" => format!("data: {data}\n\n"),
        name => format!("event: {name}\ndata: {data}\n\n"),
    });
    let stream: String = events.collect();
    let mut body = ChatBody::from_event_stream_of(api, Full::new(Bytes::from(stream)));
    let mut text = String::new();
    while let Some(frame) = body.frame().await {
        match frame {
            Ok(frame) => text.extend(frame.data_ref().and_then(ChatFrame::text)),
            Err(error) => return (text, Some(error)),
        }
    }
    (text, None)
}

fn chunk(text: &str, finish: &str) -> String {
    format!(r#"{{"choices":[{{"index":0,"delta":{{"content":"{text}"}},"finish_reason":{finish}}}]}}"#)
}

/// The name says that the connection lives, and the data is a piece of the answer, or its end.
#[tokio::test(start_paused = true)]
async fn a_piece_under_the_name_of_a_sign_of_life_is_shown() {
    let (first, piece, last) = (chunk("Sc", "null"), chunk("at", "null"), chunk("ter", "\"stop\""));
    for name in ["ping", "heartbeat", "keep-alive", "PING"] {
        let blank = chunk("", "null");
        let events = [
            (name, "{}"),
            (name, r#"{"type":"ping"}"#),
            (name, "12:00"),
            (name, &*blank),
            ("", &*first),
            (name, &*piece),
            (name, &*last),
            ("", "[DONE]"),
        ];
        let (text, error) = read(Api::Chat, &events).await;
        assert!(text == "Scatter" && error.is_none(), "{name}: {text} {error:?}");
    }
    let (text, error) = read(
        Api::Messages,
        &[
            ("message_start", r#"{"type":"message_start","message":{"id":"m","type":"message","role":"assistant","model":"a/b","content":[],"usage":{"input_tokens":9,"output_tokens":1}}}"#),
            ("ping", r#"{"type":"ping"}"#),
            ("content_block_start", r#"{"type":"content_block_start","index":0,"content_block":{"type":"text","text":""}}"#),
            ("ping", r#"{"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":"Oslo."}}"#),
            ("content_block_stop", r#"{"type":"content_block_stop","index":0}"#),
            ("message_delta", r#"{"type":"message_delta","delta":{"stop_reason":"end_turn"},"usage":{"output_tokens":3}}"#),
            ("message_stop", r#"{"type":"message_stop"}"#),
        ],
    )
    .await;
    assert!(text == "Oslo." && error.is_none(), "{text} {error:?}");
}

const MESSAGE: [(&str, &str); 6] = [
    (
        "message_start",
        r#"{"message":{"id":"msg_1","type":"message","role":"assistant","model":"a/b","content":[],"stop_reason":null,"usage":{"input_tokens":9,"output_tokens":1}}}"#,
    ),
    (
        "content_block_start",
        r#"{"index":0,"content_block":{"type":"text","text":""}}"#,
    ),
    (
        "content_block_delta",
        r#"{"index":0,"delta":{"type":"text_delta","text":"Oslo."}}"#,
    ),
    ("content_block_stop", r#"{"index":0}"#),
    (
        "message_delta",
        r#"{"delta":{"stop_reason":"end_turn"},"usage":{"output_tokens":3}}"#,
    ),
    ("message_stop", "{}"),
];

/// By the standard of events the type of one is its name: the copy in the data may be missing.
#[tokio::test(start_paused = true)]
async fn events_with_their_type_in_their_name_alone_are_an_answer() {
    let (text, error) = read(Api::Messages, &MESSAGE).await;
    assert!(text == "Oslo." && error.is_none(), "{text} {error:?}");
    let response = [
        (
            "response.created",
            r#"{"sequence_number":0,"response":{"id":"resp_1","object":"response","status":"in_progress","output":[]}}"#,
        ),
        (
            "response.output_text.delta",
            r#"{"sequence_number":1,"item_id":"msg_1","output_index":0,"content_index":0,"delta":"Oslo."}"#,
        ),
        (
            "response.completed",
            r#"{"sequence_number":2,"response":{"id":"resp_1","object":"response","status":"completed","output":[{"type":"message","id":"msg_1","role":"assistant","content":[{"type":"output_text","text":"Oslo."}]}],"usage":{"input_tokens":9,"output_tokens":3}}}"#,
        ),
    ];
    let (text, error) = read(Api::Responses, &response).await;
    assert!(text.starts_with("Oslo.") && error.is_none(), "{text} {error:?}");
}

/// A client finds the type in the data, where its SDK looks for it.
#[tokio::test(start_paused = true)]
async fn a_client_gets_the_type_in_the_data() {
    let text: String = MESSAGE
        .iter()
        .map(|(name, data)| format!("event: {name}\ndata: {data}\n\n"))
        .collect();
    let text = Bytes::from(text);
    let stack = stack_over(move |_| Ok(ChatBody::from_event_stream_of(Api::Messages, Full::new(text.clone()))));
    let body = r#"{"model":"demo/model","max_tokens":64,"stream":true,"messages":[{"role":"user","content":"Hi"}]}"#;
    let (parts, text) = mounted::send(stack.into_endpoints(), mounted::post("/v1/messages", body)).await;
    assert_eq!(parts.status, 200, "{text}");
    for (name, _) in MESSAGE {
        let (event, data) = (format!("event: {name}\n"), format!(r#"{{"type":"{name}""#));
        assert!(text.contains(&event) && text.contains(&data), "{name}: {text}");
    }
}
