//! `/responses`.

mod object;
mod request;
mod stream;

use serde_json::value::RawValue;

pub(crate) use object::plain;
pub(crate) use request::read;
pub(crate) use stream::Stream;

use super::usage::Fields;
use crate::answer::Tally;
use crate::fault::Fault;

/// The `error.code` of a status and a word for the kind of error.
pub(super) fn code(status: u16, kind: Option<&str>) -> &'static str {
    match (kind, status) {
        (Some("rate_limit_exceeded"), _) | (None, 429) => "rate_limit_exceeded",
        (Some("context_length_exceeded" | "invalid_request"), _) | (None, 400) => "invalid_prompt",
        (Some("content_policy_violation"), _) => "image_content_policy_violation",
        _ => "server_error",
    }
}

/// The `usage` object. Cached tokens are inside `input_tokens`.
fn usage(tally: &Tally, faults: &[Fault]) -> Box<RawValue> {
    Fields::new(faults)
        .tokens("input_tokens", tally.prompt)
        .object("input_tokens_details", |details| {
            details
                .tokens("cached_tokens", tally.caching.read)
                .tokens("cache_write_tokens", tally.caching.written)
        })
        .tokens("output_tokens", tally.completion)
        .object("output_tokens_details", |details| {
            details.tokens("reasoning_tokens", tally.reasoning)
        })
        .tokens("total_tokens", tally.prompt + tally.completion)
        .cost("cost", tally.cost())
        .json("is_byok", "false")
        .object("cost_details", |details| {
            details
                .cost("upstream_inference_cost", tally.cost())
                .cost("upstream_inference_input_cost", tally.prompt_cost)
                .cost("upstream_inference_output_cost", tally.completion_cost())
        })
        .end()
}
