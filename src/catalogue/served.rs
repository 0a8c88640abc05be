//! The endpoints of a model, and their prices.

use tower_llm_layers::PriceTier;

use super::{
    prices::PLUGIN_SEARCH,
    rates::{NoRates, Rates},
};
use openrouter_wire::{
    catalogue::{Endpoint, Model, ModelEndpoints, PRIORITY},
    usage::ServedTier,
};

/// How the tag of an endpoint of a cheaper tier ends.
const CHEAPER: [&str; 2] = ["/flex", "/batch"];

/// What is known of the endpoints of a model.
#[derive(Debug, Default)]
pub(super) struct Served {
    /// One for each endpoint; empty if they were not requested, or no provider serves it now.
    pub(super) offers: Vec<Offer>,
    /// As it was received, to be saved.
    pub(super) list: ModelEndpoints,
}

/// The price of one endpoint.
#[derive(Debug)]
pub(super) struct Offer {
    pub(super) rates: Result<Rates, NoRates>,
    /// Its provider, as answers name it.
    pub(super) provider: Box<str>,
    /// It serves only requests that select it.
    pub(super) priority: bool,
    /// It serves at a lower price the requests that ask for one: flex, batch.
    pub(super) cheaper: bool,
    /// The longest answer it gives, if it is known.
    longest_answer: Option<u64>,
}

impl Served {
    pub(super) fn read(list: ModelEndpoints) -> Self {
        Self {
            offers: list.endpoints.iter().map(Offer::read).collect(),
            list,
        }
    }

    /// Whether the prices of a priority tier are known.
    pub(super) fn has_tier(&self) -> bool {
        self.offers.iter().any(|offer| offer.priority && offer.rates.is_ok())
    }

    /// Whether the prices of a cheaper tier are known.
    pub(super) fn has_cheaper_tier(&self) -> bool {
        self.offers.iter().any(|offer| offer.cheaper && offer.rates.is_ok())
    }
}

impl Offer {
    /// Whether it is of this tier.
    pub(super) const fn is_of(&self, tier: PriceTier) -> bool {
        match tier {
            PriceTier::Priority => self.priority,
            PriceTier::Cheaper => self.cheaper,
            _ => !self.priority && !self.cheaper,
        }
    }

    fn read(endpoint: &Endpoint) -> Self {
        Self {
            rates: Rates::read(&endpoint.pricing, PLUGIN_SEARCH),
            provider: endpoint.provider_name.as_str().into(),
            priority: endpoint.tag.ends_with(PRIORITY) || is_of_tier(endpoint, ServedTier::Priority),
            cheaper: CHEAPER.iter().any(|tier| endpoint.tag.ends_with(tier))
                || is_of_tier(endpoint, ServedTier::Cheaper),
            longest_answer: endpoint.max_completion_tokens.or(endpoint.context_length),
        }
    }
}

/// Whether an endpoint says that it is of this tier.
fn is_of_tier(endpoint: &Endpoint, wanted: ServedTier) -> bool {
    let tier = endpoint.service_tier.as_ref().and_then(serde_json::Value::as_str);
    tier.is_some_and(|tier| ServedTier::of(tier) == wanted)
}

/// The longest answer that any endpoint gives. If none is known, that of the first endpoint; no answer is longer than the context.
pub(super) fn longest_answer(model: &Model, served: &Served) -> Option<u64> {
    let context = model.top_provider.context_length.max(model.context_length);
    if served.offers.is_empty() {
        return model.top_provider.max_completion_tokens.or(context);
    }
    let all: Option<Vec<u64>> = served
        .offers
        .iter()
        .map(|offer| offer.longest_answer.or(context))
        .collect();
    all.and_then(|all| all.into_iter().max())
}
