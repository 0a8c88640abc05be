//! The names of members that readers look for, for those that are written with escapes.

/// Names in answers and requests, as a `match` on [`Text::name`](super::Text::name) has them.
const KNOWN: [&str; 56] = [
    "id",
    "type",
    "role",
    "name",
    "model",
    "message",
    "delta",
    "content",
    "text",
    "error",
    "usage",
    "choices",
    "index",
    "finish_reason",
    "native_finish_reason",
    "tool_calls",
    "function",
    "arguments",
    "function_call",
    "reasoning",
    "reasoning_details",
    "refusal",
    "thinking",
    "partial_json",
    "signature",
    "data",
    "status",
    "response",
    "output",
    "output_index",
    "item",
    "part",
    "summary",
    "sequence_number",
    "stop_reason",
    "content_block",
    "code",
    "detail",
    "errors",
    "incomplete_details",
    "reason",
    "prompt_tokens",
    "completion_tokens",
    "total_tokens",
    "input_tokens",
    "output_tokens",
    "prompt_tokens_details",
    "completion_tokens_details",
    "cached_tokens",
    "reasoning_tokens",
    "cost",
    "created",
    "object",
    "provider",
    "messages",
    "input",
];

/// A name that was written with an escape, as the constant; nothing if no reader looks for it.
pub(super) fn known(name: &str) -> &'static [u8] {
    KNOWN
        .iter()
        .find(|known| **known == name)
        .map_or(b"", |known| known.as_bytes())
}
