//! Streams and documents of Responses and of Messages: what the tests read.

mod ends;
mod failed_ends;
mod properties;
mod spliced;
mod streams;
mod wholes;

use bytes::Bytes;
use http_body_util::Full;

use super::{
    ChatBody,
    tests::{End, Read, read, wire},
};
use crate::Api;

/// An event with its name before it.
pub(super) fn event(json: &str) -> String {
    let value: serde_json::Value = serde_json::from_str(json).unwrap();
    format!("event: {}\ndata: {json}\n\n", value["type"].as_str().unwrap())
}

pub(super) fn stream(events: &[&str]) -> String {
    events.iter().map(|json| event(json)).collect()
}

pub(super) const CREATED: &str = r#"{"type":"response.created","sequence_number":0,"response":{"id":"resp_1","object":"response","status":"in_progress","model":"a/b","output":[],"error":null,"usage":null}}"#;
pub(super) const ADDED: &str = r#"{"type":"response.output_item.added","sequence_number":1,"output_index":0,"item":{"type":"message","id":"msg_1","role":"assistant","status":"in_progress","content":[]}}"#;
pub(super) const PART: &str = r#"{"type":"response.content_part.added","sequence_number":2,"item_id":"msg_1","output_index":0,"content_index":0,"part":{"type":"output_text","text":"","annotations":[]}}"#;
pub(super) const OS: &str = r#"{"type":"response.output_text.delta","sequence_number":3,"item_id":"msg_1","output_index":0,"content_index":0,"delta":"Os","logprobs":[],"obfuscation":"x9"}"#;
pub(super) const LO: &str = r#"{"type":"response.output_text.delta","sequence_number":4,"item_id":"msg_1","output_index":0,"content_index":0,"delta":"lo.","logprobs":[]}"#;
pub(super) const TEXT: &str = r#"{"type":"response.output_text.done","sequence_number":5,"item_id":"msg_1","output_index":0,"content_index":0,"text":"Oslo.","logprobs":[]}"#;
pub(super) const PART_DONE: &str = r#"{"type":"response.content_part.done","sequence_number":6,"item_id":"msg_1","output_index":0,"content_index":0,"part":{"type":"output_text","text":"Oslo.","annotations":[]}}"#;
pub(super) const DONE: &str = r#"{"type":"response.output_item.done","sequence_number":7,"output_index":0,"item":{"type":"message","id":"msg_1","role":"assistant","status":"completed","content":[{"type":"output_text","text":"Oslo.","annotations":[]}]}}"#;
pub(super) const COMPLETED: &str = r#"{"type":"response.completed","sequence_number":8,"response":{"id":"resp_1","object":"response","status":"completed","model":"a/b","output":[{"type":"message","id":"msg_1","role":"assistant","status":"completed","content":[{"type":"output_text","text":"Oslo.","annotations":[]}]}],"error":null,"incomplete_details":null,"usage":{"input_tokens":14,"input_tokens_details":{"cached_tokens":4},"output_tokens":3,"output_tokens_details":{"reasoning_tokens":1},"total_tokens":17,"cost":0.0000039}}}"#;

pub(super) const OSLO: [&str; 9] = [CREATED, ADDED, PART, OS, LO, TEXT, PART_DONE, DONE, COMPLETED];

pub(super) const START: &str = r#"{"type":"message_start","message":{"id":"msg_1","type":"message","role":"assistant","model":"a/b","content":[],"stop_reason":null,"stop_sequence":null,"usage":{"input_tokens":20,"cache_creation_input_tokens":0,"cache_read_input_tokens":1500,"output_tokens":1}}}"#;
pub(super) const BLOCK: &str = r#"{"type":"content_block_start","index":0,"content_block":{"type":"text","text":""}}"#;
pub(super) const PING: &str = r#"{"type":"ping"}"#;
pub(super) const M_OS: &str = r#"{"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":"Os"}}"#;
pub(super) const M_LO: &str = r#"{"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":"lo."}}"#;
pub(super) const BLOCK_STOP: &str = r#"{"type":"content_block_stop","index":0}"#;
pub(super) const DELTA: &str = r#"{"type":"message_delta","delta":{"stop_reason":"end_turn","stop_sequence":null},"usage":{"input_tokens":null,"output_tokens":3,"cost":0.25}}"#;
pub(super) const STOP: &str = r#"{"type":"message_stop"}"#;

pub(super) const M_OSLO: [&str; 8] = [START, BLOCK, PING, M_OS, M_LO, BLOCK_STOP, DELTA, STOP];

pub(super) async fn got(api: Api, text: &str, end: End) -> Read {
    let pieces = vec![Bytes::copy_from_slice(text.as_bytes())];
    read(ChatBody::from_event_stream_of(api, wire(pieces, end))).await
}

pub(super) async fn plain(api: Api, json: &str) -> Read {
    let body = Full::new(Bytes::copy_from_slice(json.as_bytes()));
    read(ChatBody::from_plain_of(api, body)).await
}
