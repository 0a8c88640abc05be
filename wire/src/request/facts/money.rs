//! What a request says that changes its price.

use super::content::is_long;
use super::tools::Tools;
use super::{RequestFacts, is_there, number};
use crate::{
    catalogue::PRIORITY,
    document::Document,
    json::{Cursor, Text, raw_member, text},
};

/// The tiers of OpenAI and of Anthropic that cost no more than the usual one. `auto` may be served by a priority tier.
const USUAL_TIERS: [&str; 5] = ["default", "flex", "batch", "standard", "standard_only"];

impl RequestFacts {
    pub(super) fn read_money(&mut self, document: &Document, tools: &Tools) {
        self.read_tools(document, tools);
        let preset = document.get("preset").is_some_and(is_there);
        self.choices = choices(document);
        self.long_cache |= ["cache_control", "prompt_cache_options"]
            .into_iter()
            .filter_map(|field| document.get(field))
            .any(is_long);
        let tier = document.get("service_tier").and_then(text);
        let costs_more = |tier: Text<'_>| !USUAL_TIERS.iter().any(|usual| tier.is(usual));
        self.priority = preset || tier.is_some_and(costs_more);
        // Messages ask for a speed, at the price of a priority tier.
        let speed = document.get("speed").and_then(text);
        self.priority |= speed.is_some_and(|speed| !speed.is("standard"));
        if let Some(provider) = document.get("provider") {
            self.priority |= ["order", "only"]
                .into_iter()
                .filter_map(|list| raw_member(provider, list))
                .any(names_priority);
        }
    }
}

/// The number of requested answers; the largest, if `n` is written several times: an upstream may read any of them.
fn choices(document: &Document) -> u64 {
    if !document.has("n") {
        return 1;
    }
    let numbers = document
        .written()
        .filter_map(|(field, _, raw)| (field == "n").then(|| number(raw)).flatten());
    numbers.max().unwrap_or(1).max(1)
}

/// Whether a list of providers names an endpoint of a priority tier, such as `openai/priority`.
fn names_priority(providers: &[u8]) -> bool {
    let mut found = false;
    let walked = Cursor::new(providers).array_or_skip(|provider| {
        let name = provider.string_or_skip()?;
        found |= name.is_some_and(|name| name.to_str().ends_with(PRIORITY));
        Ok(())
    });
    walked.is_ok() && found
}
