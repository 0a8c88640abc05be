//! `/messages`.

mod error;
mod message;
mod request;
mod stream;

use serde_json::value::RawValue;

pub(crate) use error::envelope;
pub(crate) use message::plain;
pub(crate) use request::read;
pub(crate) use stream::Stream;

use super::usage::Fields;
use crate::answer::Tally;
use crate::fault::{Fault, UsageForm};

/// The place of a usage object.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum UsagePosition {
    /// In a plain answer, with the cost.
    Plain,
    /// In the event that begins a stream: the prompt, and one token.
    Start,
    /// In the event that ends it: all counts again.
    Delta,
}

/// The `usage` object. Cached tokens stand beside `input_tokens`.
fn usage(tally: &Tally, place: UsagePosition, faults: &[Fault]) -> Box<RawValue> {
    let fields = Fields::new(faults);
    let zeros = place == UsagePosition::Start && fields.is(UsageForm::Zeros);
    let has_cost = place == UsagePosition::Plain || (place == UsagePosition::Delta && fields.is(UsageForm::Cost));
    let count = |tokens: u64| if zeros { 0 } else { tokens };
    let caching = &tally.caching;
    let input = tally.prompt.saturating_sub(caching.read + caching.written);
    let output = if place == UsagePosition::Start {
        1
    } else {
        tally.completion
    };
    let (short, long) = if caching.long {
        (0, caching.written)
    } else {
        (caching.written, 0)
    };
    let mut fields = fields
        .tokens("input_tokens", count(input))
        .tokens("cache_creation_input_tokens", count(caching.written))
        .tokens("cache_read_input_tokens", count(caching.read))
        .object("cache_creation", |parts| {
            parts
                .tokens("ephemeral_5m_input_tokens", count(short))
                .tokens("ephemeral_1h_input_tokens", count(long))
        })
        .tokens("output_tokens", count(output));
    if place != UsagePosition::Start {
        fields = fields.object("output_tokens_details", |details| {
            details.tokens("thinking_tokens", tally.reasoning)
        });
    }
    fields = fields.json("server_tool_use", "null");
    if place != UsagePosition::Delta {
        fields = fields
            .json("service_tier", "\"standard\"")
            .json("inference_geo", "null");
    }
    if has_cost {
        fields = fields
            .cost("cost", tally.cost())
            .json("is_byok", "false")
            .object("cost_details", |details| {
                details
                    .cost("upstream_inference_cost", tally.cost())
                    .cost("upstream_inference_prompt_cost", tally.prompt_cost)
                    .cost("upstream_inference_completions_cost", tally.completion_cost())
            });
    }
    fields.end()
}
