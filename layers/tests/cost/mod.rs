//! What attempts cost: reserved before, settled once after.

mod alternatives;
mod connecting;
mod drops;
mod events;
mod extreme;
mod failed;
mod hold;
mod plausible;
mod recorded;
mod reserved;
mod soft;
mod turns;
mod unknown;
mod unsent;

use std::sync::Arc;

use http::Request;
use tower::Layer;
use tower_llm_layers::{
    Candidate, Tags,
    budget::{Budget, Budgets, InMemoryBudgetStore},
    cost::{Cost, CostLayer},
};

use crate::support::{Kept, Leaf, Prices, TestRequest, streamed};

/// A layer with prices and a ledger, over this inner service.
fn recorded(leaf: Leaf) -> (Cost<Leaf>, Arc<Kept>) {
    let kept = Kept::new();
    let layer = CostLayer::new().prices(Arc::new(Prices)).ledger(kept.clone());
    (layer.layer(leaf), kept)
}

/// A layer with one budget over everything as well.
fn budgeted(cap: &str) -> (CostLayer, InMemoryBudgetStore, Arc<Kept>) {
    let (kept, book) = (Kept::new(), InMemoryBudgetStore::new());
    let budget = Budget::usd("all", cap).unwrap();
    let budgets = Budgets::in_store([budget], Arc::new(book.clone())).unwrap();
    let layer = CostLayer::new()
        .prices(Arc::new(Prices))
        .ledger(kept.clone())
        .budgets(budgets);
    (layer, book, kept)
}

/// A streamed request to this model with a prompt of a hundred tokens.
fn to(model: &str) -> Request<TestRequest> {
    let mut request = streamed();
    let body = request.body_mut();
    body.model = Some(model.to_owned());
    body.needs.prompt_tokens = 100;
    body.needs.most_prompt_tokens = 100;
    body.call.set_candidate(Candidate::new("router", model).unwrap());
    body.call.set_tags(Tags::new([("team", "search")]).unwrap());
    request
}

/// The same with a longest answer.
fn up_to(model: &str, tokens: u64) -> Request<TestRequest> {
    let mut request = to(model);
    request.body_mut().max_tokens = Some(tokens);
    request
}
