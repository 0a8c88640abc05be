//! The names of the fields, in the order they are written.

use std::cmp::Ordering;

/// Every field this crate has a setter for, in the order a built request writes them: what is fixed for a caller first and the messages last, as prompt caches and
/// readers of logs like it.
const ORDER: &[&str] = &[
    "model",
    "models",
    "preset",
    "route",
    "provider",
    "stream",
    "stream_options",
    "max_tokens",
    "max_completion_tokens",
    "max_output_tokens",
    "temperature",
    "top_p",
    "top_k",
    "min_p",
    "top_a",
    "frequency_penalty",
    "presence_penalty",
    "repetition_penalty",
    "seed",
    "stop",
    "stop_sequences",
    "logit_bias",
    "logprobs",
    "top_logprobs",
    "reasoning",
    "reasoning_effort",
    "include_reasoning",
    "thinking",
    "output_config",
    "verbosity",
    "modalities",
    "image_config",
    "response_format",
    "text",
    "structured_outputs",
    "tools",
    "tool_choice",
    "parallel_tool_calls",
    "max_tool_calls",
    "stop_server_tools_when",
    "deferred_tools",
    "plugins",
    "transforms",
    "web_search_options",
    "x_search_filter",
    "prediction",
    "service_tier",
    "cache_control",
    "prompt_cache_key",
    "prompt_cache_options",
    "session_id",
    "user",
    "metadata",
    "trace",
    "usage",
    "debug",
    "system",
    "instructions",
];

const OPENROUTER_ONLY: &[&str] = &[
    "models",
    "preset",
    "route",
    "provider",
    "top_k",
    "min_p",
    "top_a",
    "repetition_penalty",
    "reasoning",
    "include_reasoning",
    "image_config",
    "structured_outputs",
    "max_tool_calls",
    "stop_server_tools_when",
    "deferred_tools",
    "plugins",
    "transforms",
    "x_search_filter",
    "cache_control",
    "session_id",
    "trace",
    "usage",
    "debug",
    "system",
    "instructions",
];

/// Fields of a chat that only OpenRouter reads: a provider that speaks OpenAI's wire answers 400 to most of them.
#[must_use]
pub const fn openrouter_only_fields() -> &'static [&'static str] {
    OPENROUTER_ONLY
}

/// Which of two added fields is written first: the known ones in their order, then the others by name, then what can be long.
pub(super) fn order(left: &str, right: &str) -> Ordering {
    rank(left).cmp(&rank(right)).then_with(|| left.cmp(right))
}

fn rank(field: &str) -> usize {
    match field {
        "prompt" | "messages" | "input" => ORDER.len() + 1,
        _ => ORDER.iter().position(|known| *known == field).unwrap_or(ORDER.len()),
    }
}
