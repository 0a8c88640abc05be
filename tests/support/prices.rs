//! Catalogues of a simulator, and what they quote.

use openrouter_simulator::Simulator;
use tower_openrouter::{
    Account, ApiKey, Candidate, Catalogue, Transport, UsdAmount,
    layers::{Needs, PriceList, Quote, UtcTime, WorstCasePrice},
    transport::{Dialect, OPENROUTER, Upstream},
};

pub(crate) fn account(simulator: &Simulator) -> Account {
    account_at(Upstream::new(OPENROUTER, &simulator.base_url(), Dialect::OpenRouter).unwrap())
}

pub(crate) fn account_at(upstream: Upstream) -> Account {
    let transport = Transport::builder().upstream(upstream.clone()).build().unwrap();
    Account::new(transport, upstream, Some(ApiKey::new("sk-or-v1-test").unwrap()))
}

pub(crate) fn at(model: &str) -> Candidate {
    Candidate::new(OPENROUTER, model).unwrap()
}

pub(crate) fn quote(catalogue: &Catalogue, model: &str, needs: &Needs) -> Quote {
    catalogue.quote(&at(model), needs, UtcTime::now())
}

/// The quote of a model that must have one.
pub(crate) fn known(catalogue: &Catalogue, model: &str, needs: &Needs) -> WorstCasePrice {
    let quote = quote(catalogue, model, needs);
    let Quote::Known(worst_case) = quote else {
        unreachable!("{model}: {quote:?}");
    };
    worst_case
}

/// The same for a prompt of so many tokens and nothing else.
pub(crate) fn worst_case(catalogue: &Catalogue, model: &str, prompt: u64) -> WorstCasePrice {
    let mut needs = Needs::default();
    needs.most_prompt_tokens = prompt;
    known(catalogue, model, &needs)
}

/// A catalogue of these rows, as `/models` shows them.
pub(crate) fn of(rows: &[&str]) -> Catalogue {
    Catalogue::new(rows.iter().map(|row| serde_json::from_str(row).unwrap()))
}

pub(crate) fn usd(text: &str) -> UsdAmount {
    text.parse().unwrap()
}
