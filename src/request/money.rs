//! What a request says of money: the one place where its decimal text becomes dollars.

use openrouter_wire::{
    document::Document,
    json::{Cursor, member, raw_member},
};
use tower_llm_layers::{PriceCeiling, UsdAmount};

/// The limits of cost that a request brings along.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct RequestMoney {
    /// The cost after which it stops the upstream's loop of tools, as `stop_server_tools_when` says.
    pub(super) max_tool_cost: Option<UsdAmount>,
    /// What its `provider.max_price` says, for one unit each and rounded up.
    pub(super) ceiling: PriceCeiling,
}

impl RequestMoney {
    pub(super) fn read(document: &Document) -> Self {
        let provider = document.get("provider");
        let most = provider.and_then(|provider| raw_member(provider, "max_price"));
        Self {
            max_tool_cost: document.get("stop_server_tools_when").and_then(max_tool_cost),
            ceiling: most.map(ceiling).unwrap_or_default(),
        }
    }
}

/// Any one of the conditions stops the loop: the smallest amount counts.
fn max_tool_cost(conditions: &[u8]) -> Option<UsdAmount> {
    let mut most: Option<UsdAmount> = None;
    let walked = Cursor::new(conditions).array_or_skip(|condition| {
        let raw = condition.raw()?;
        if member(raw, "type").is_some_and(|kind| kind.is("max_cost")) {
            let own = raw_member(raw, "max_cost_in_dollars").and_then(usd);
            most = own.map(|own| most.map_or(own, |known| known.min(own))).or(most);
        }
        Ok(())
    });
    walked.ok().and(most)
}

/// Tokens are priced by the million there.
fn ceiling(most: &[u8]) -> PriceCeiling {
    let amount = |name| raw_member(most, name).and_then(usd);
    let each =
        |name| amount(name).map(|million: UsdAmount| UsdAmount::from_pico((million.pico() + 999_999) / 1_000_000));
    let mut ceiling = PriceCeiling::default();
    ceiling.prompt_token = each("prompt");
    ceiling.answer_token = each("completion");
    ceiling.request = amount("request");
    ceiling.image = amount("image");
    ceiling
}

/// An amount of dollars, as a number or as one in a string. What is none, is below nothing or beyond counting sets no limit.
fn usd(raw: &[u8]) -> Option<UsdAmount> {
    let amount: UsdAmount = std::str::from_utf8(raw).ok()?.trim_matches('"').parse().ok()?;
    (!amount.is_negative() && amount.pico() < i128::MAX / 2).then_some(amount)
}
