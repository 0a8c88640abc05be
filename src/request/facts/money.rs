//! What a request says that changes its price.

use tower_llm_layers::{PriceCeiling, UsdAmount};

use super::super::document::Document;
use super::super::scan::{Cursor, whole_number};
use super::messages::is_for_an_hour;
use super::{RequestFacts, member, raw_member, text};

/// How many calls a tool may have that OpenRouter runs, where the request does not say.
const SERVER_TOOL_CALLS: u64 = 30;

/// What is said of the tools.
#[derive(Default)]
pub(super) struct Tools {
    pub(super) count: usize,
    /// How long they are; nothing where there are none.
    pub(super) bytes: usize,
    pub(super) long_cache: bool,
    /// OpenRouter searches, as often as the model asks it to.
    searches: bool,
}

impl Tools {
    pub(super) fn read(tools: &[u8]) -> Self {
        let mut read = Self::default();
        let walked = Cursor::new(tools).array_or_skip(|tool| {
            read.count += 1;
            tool.object_or_skip(|key, value| {
                match key.name() {
                    b"cache_control" => read.long_cache |= is_for_an_hour(value.raw()?),
                    b"type" => {
                        let kind = value.string_or_skip()?;
                        read.searches |= kind.is_some_and(|kind| kind.is("openrouter:web_search"));
                    }
                    _ => value.skip()?,
                }
                Ok(())
            })
        });
        if walked.is_err() || read.count == 0 {
            return Self::default();
        }
        read.bytes = tools.len();
        read
    }
}

impl RequestFacts {
    pub(super) fn read_money(&mut self, document: &Document, tools: &Tools) {
        let preset = document.get("preset").is_some_and(is_there);
        let calls = || {
            document
                .get("max_tool_calls")
                .and_then(number)
                .unwrap_or(SERVER_TOOL_CALLS)
        };
        self.searches = u64::from(preset || searches(document));
        if tools.searches {
            self.searches = self.searches.saturating_add(calls());
        }
        self.choices = document.get("n").and_then(number).unwrap_or(1).max(1);
        self.long_cache |= document.get("cache_control").is_some_and(is_for_an_hour);
        let tier = document.get("service_tier").and_then(text);
        self.priority = preset || tier.is_some_and(|tier| !tier.is("default") && !tier.is("flex"));
        if let Some(provider) = document.get("provider") {
            self.priority |= ["order", "only"]
                .into_iter()
                .filter_map(|list| raw_member(provider, list))
                .any(names_priority);
            if let Some(most) = raw_member(provider, "max_price") {
                self.ceiling = ceiling(most);
            }
        }
    }
}

/// Whether the plugin for searches is on, or there are options for one.
fn searches(document: &Document) -> bool {
    if document.get("web_search_options").is_some_and(is_there) {
        return true;
    }
    let mut found = false;
    let walked = document.get("plugins").map(|plugins| {
        Cursor::new(plugins).array_or_skip(|plugin| {
            let raw = plugin.raw()?;
            let on = raw_member(raw, "enabled") != Some(b"false");
            found |= on && member(raw, "id").is_some_and(|id| id.is("web"));
            Ok(())
        })
    });
    walked.is_some_and(|walked| walked.is_ok()) && found
}

/// Whether a list of providers names an endpoint of a priority tier, such as `openai/priority`.
fn names_priority(providers: &[u8]) -> bool {
    let mut found = false;
    let walked = Cursor::new(providers).array_or_skip(|provider| {
        let name = provider.string_or_skip()?;
        found |= name.is_some_and(|name| name.to_str().ends_with(crate::catalogue::PRIORITY));
        Ok(())
    });
    walked.is_ok() && found
}

/// Tokens are priced by the million there.
fn ceiling(most: &[u8]) -> PriceCeiling {
    let amount = |name| raw_member(most, name).and_then(amount);
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
fn amount(raw: &[u8]) -> Option<UsdAmount> {
    let amount: UsdAmount = std::str::from_utf8(raw).ok()?.trim_matches('"').parse().ok()?;
    (!amount.is_negative() && amount.pico() < i128::MAX / 2).then_some(amount)
}

/// A number of answers or calls, however it is written: `5`, `5.0`, `"5"`. Of a fraction the next whole number: some upstream may round it up.
fn number(raw: &[u8]) -> Option<u64> {
    let text = std::str::from_utf8(raw).ok()?.trim_matches('"').trim();
    whole_number(text.as_bytes()).or_else(|| {
        let number: f64 = text.parse().ok().filter(|number| *number > 0.0)?;
        Some(format!("{:.0}", number.ceil()).parse().unwrap_or(u64::MAX))
    })
}

fn is_there(raw: &[u8]) -> bool {
    raw != b"null"
}
