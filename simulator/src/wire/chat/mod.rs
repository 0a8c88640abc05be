//! `/chat/completions`.

mod chunk;
mod completion;
mod stream;

use serde_json::value::RawValue;

pub(crate) use completion::plain;
pub(crate) use stream::Stream;

use super::usage::Fields;
use crate::answer::Tally;
use crate::fault::{Fault, UsageForm};

/// The `usage` object.
pub(crate) fn usage(tally: &Tally, faults: &[Fault]) -> Box<RawValue> {
    let fields = Fields::new(faults);
    if fields.is(UsageForm::Names) {
        let fields = fields.tokens("input_tokens", tally.prompt);
        return fields.tokens("output_tokens", tally.completion).end();
    }
    fields
        .tokens("prompt_tokens", tally.prompt)
        .tokens("completion_tokens", tally.completion)
        .tokens("total_tokens", tally.prompt + tally.completion)
        .cost("cost", tally.cost())
        .json("is_byok", "false")
        .object("prompt_tokens_details", |details| {
            details
                .tokens("cached_tokens", tally.caching.read)
                .tokens("cache_write_tokens", tally.caching.written)
                .tokens("audio_tokens", 0)
                .tokens("video_tokens", 0)
        })
        .object("cost_details", |details| {
            details
                .cost("upstream_inference_cost", tally.cost())
                .cost("upstream_inference_prompt_cost", tally.prompt_cost)
                .cost("upstream_inference_completions_cost", tally.completion_cost())
        })
        .object("completion_tokens_details", |details| {
            details
                .tokens("reasoning_tokens", tally.reasoning)
                .tokens("image_tokens", 0)
                .tokens("audio_tokens", 0)
        })
        .end()
}
