//! A plain message as the events of Messages.

use super::{
    Events,
    shaped::{as_text, blocks, string, word},
};
use crate::endpoint::object::Object;

/// What clients require of a message that begins: some stop at one without its usage.
const REQUIRED: [(&str, &[u8]); 2] = [("type", b"\"message\""), ("role", b"\"assistant\"")];
const NO_USAGE: &[u8] = b"{\"input_tokens\":0,\"output_tokens\":0}";

pub(super) fn message(answer: &Object<'_>, events: &mut Events) {
    let usage = answer.get("usage").filter(|usage| usage.first() == Some(&b'{'));
    let begun: [(&str, &[u8]); 4] = [
        ("content", b"[]"),
        ("stop_reason", b"null"),
        ("stop_sequence", b"null"),
        ("usage", usage.unwrap_or(NO_USAGE)),
    ];
    let begun = answer.completed(&begun, &REQUIRED);
    events.add("message_start", false, &[("message", &begun)]);
    for (at, block) in blocks(answer).iter().enumerate() {
        let at = at.to_string();
        let index = ("index", at.as_bytes());
        let Ok(read) = Object::read(block) else { continue };
        let (begun, deltas) = deltas(&read);
        events.add("content_block_start", false, &[index, ("content_block", &begun)]);
        for delta in &deltas {
            events.add("content_block_delta", false, &[index, ("delta", delta)]);
        }
        events.add("content_block_stop", false, &[index]);
    }
    let delta = answer.only(&["stop_reason", "stop_sequence", "stop_details", "container"]);
    let nothing: [(&str, &[u8]); 2] = [("stop_reason", b"null"), ("stop_sequence", b"null")];
    let delta = Object::read(&delta).unwrap_or_default().completed(&[], &nothing);
    let usage = usage.unwrap_or(b"{\"output_tokens\":0}");
    events.add("message_delta", false, &[("delta", &delta), ("usage", usage)]);
    events.add("message_stop", false, &[]);
}

/// A block as it begins, and what is added to it then. A block of another kind begins whole.
fn deltas(block: &Object<'_>) -> (Vec<u8>, Vec<Vec<u8>>) {
    let delta = |kind: &str, member: &str, value: &[u8]| {
        let mut delta = format!("{{\"type\":\"{kind}\",\"{member}\":").into_bytes();
        delta.extend_from_slice(value);
        delta.push(b'}');
        delta
    };
    match word(block, "type").as_deref() {
        Some("text") => {
            let text = string(block, "text").map(|text| delta("text_delta", "text", text));
            let citations = block.items("citations");
            let mut begun: Vec<(&str, &[u8])> = vec![("text", b"\"\"")];
            if !citations.is_empty() {
                begun.push(("citations", b"[]"));
            }
            let citations = citations
                .into_iter()
                .map(|citation| delta("citations_delta", "citation", citation));
            (block.with(&begun), text.into_iter().chain(citations).collect())
        }
        Some("thinking") => {
            let thinking = string(block, "thinking").map(|text| delta("thinking_delta", "thinking", text));
            let signature = string(block, "signature").map(|text| delta("signature_delta", "signature", text));
            (
                block.with(&[("thinking", b"\"\""), ("signature", b"\"\"")]),
                thinking.into_iter().chain(signature).collect(),
            )
        }
        Some("tool_use" | "server_tool_use") => {
            let input = block.get("input").and_then(as_text);
            let input = input.as_deref().unwrap_or(b"\"{}\"");
            (
                block.with(&[("input", b"{}")]),
                vec![delta("input_json_delta", "partial_json", input)],
            )
        }
        _ => (block.with(&[]), Vec::new()),
    }
}
