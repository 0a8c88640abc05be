//! A budget for a model counts every call of it, however the model is spelt, and whichever of the request's models answers.

use std::sync::Arc;

use crate::support::{
    ask, call,
    ledger::Kept,
    prices::{of, usd},
    raw::{Raw, Step, json, send},
};
use tower_openrouter::{
    Catalogue, ChatRequest, Stack,
    layers::budget::{Budget, Budgets, InMemoryBudgetStore},
};

const ROWS: [&str; 3] = [
    r#"{"id":"acme/a","canonical_slug":"acme/a-2025-08-07","context_length":100000,"pricing":{"prompt":"0","completion":"0.00001"}}"#,
    r#"{"id":"acme/b","context_length":100000,"pricing":{"prompt":"0","completion":"0.00002"}}"#,
    r#"{"id":"acme/auto","context_length":100000,"pricing":{"prompt":"0","completion":"0.00003"}}"#,
];

/// A response of this model that costs two cents.
fn by(model: &str) -> Vec<Step> {
    let body = format!(
        r#"{{"id":"gen-1","model":"{model}","choices":[{{"index":0,"message":{{"role":"assistant","content":"Sky"}},"finish_reason":"stop"}}],"usage":{{"prompt_tokens":12,"completion_tokens":2,"cost":0.02}}}}"#
    );
    vec![json(), send(body)]
}

struct Shop {
    stack: Stack,
    book: InMemoryBudgetStore,
    budgets: Budgets,
    kept: Arc<Kept>,
}

fn shop(raw: &Raw, chain: &str, budget: Budget) -> Shop {
    let (kept, book) = (Kept::new(), InMemoryBudgetStore::new());
    let budgets = Budgets::in_store([budget], Arc::new(book.clone())).unwrap();
    let prices: Arc<Catalogue> = Arc::new(of(&ROWS));
    let stack = raw
        .builder()
        .chain([chain])
        .prices(prices)
        .budgets(budgets.clone())
        .ledger(kept.clone())
        .build()
        .unwrap();
    Shop {
        stack,
        book,
        budgets,
        kept,
    }
}

impl Shop {
    async fn buy(&self, request: ChatRequest) {
        let got = call(&self.stack, false, request.max_tokens(100)).await;
        assert!(got.error.is_none(), "{:?}", got.error);
    }

    /// Each account with what is settled on it; nothing is reserved.
    fn accounts(&self) -> Vec<(String, String)> {
        let mut accounts = self.book.accounts();
        accounts.retain(|account| account.settled > usd("0"));
        assert!(self.book.accounts().iter().all(|account| account.reserved == usd("0")));
        let mut all: Vec<_> = accounts
            .into_iter()
            .map(|account| (account.account, account.settled.to_string()))
            .collect();
        all.sort();
        all
    }
}

fn only_a() -> Budget {
    Budget::usd("a", "1").unwrap().only("model", "acme/a")
}

fn one(account: &str, settled: &str) -> Vec<(String, String)> {
    vec![(account.to_owned(), settled.to_owned())]
}

#[tokio::test(start_paused = true)]
async fn each_spelling_of_a_model_is_counted_for_it() {
    for spelling in [
        "acme/a",
        "acme/a:nitro",
        "acme/a-2025-08-07",
        "acme/a:floor@preset/mine",
    ] {
        let raw = Raw::always(by("acme/a-2025-08-07")).await;
        let only = shop(&raw, spelling, only_a());
        only.buy(ask()).await;
        assert_eq!(only.accounts(), one("model=acme/a", "$0.02"), "{spelling}");
        let each = shop(&raw, spelling, Budget::usd("each", "1").unwrap().each("model"));
        each.buy(ask()).await;
        assert_eq!(each.accounts(), one("model=acme/a", "$0.02"), "{spelling}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_budget_may_be_named_by_any_spelling_itself() {
    let raw = Raw::always(by("acme/a")).await;
    let budget = Budget::usd("a", "1").unwrap().only("model", "acme/a-2025-08-07");
    let shop = shop(&raw, "acme/a:nitro", budget);
    shop.buy(ask()).await;
    assert_eq!(shop.accounts(), one("model=acme/a", "$0.02"));
}

#[tokio::test(start_paused = true)]
async fn the_models_that_the_upstream_may_try_by_itself_are_reserved_and_the_one_that_answers_is_counted() {
    for (answers, settled) in [("acme/a", one("model=acme/a", "$0.02")), ("acme/b", Vec::new())] {
        let raw = Raw::always(by(answers)).await;
        let shop = shop(&raw, "acme/b", only_a());
        shop.buy(ask().models(["acme/b", "acme/a:nitro"])).await;
        assert_eq!(shop.accounts(), settled, "{answers}");
    }
    let raw = Raw::always(by("acme/a")).await;
    let full = shop(
        &raw,
        "acme/b",
        Budget::usd("a", "0.0001").unwrap().only("model", "acme/a"),
    );
    let refused = call(&full.stack, false, ask().max_tokens(2_000).models(["acme/b", "acme/a"])).await;
    assert!(refused.error.is_some(), "its reservation does not fit");
}

#[tokio::test(start_paused = true)]
async fn a_model_that_a_router_chose_is_counted() {
    let raw = Raw::always(by("acme/a-2025-08-07")).await;
    let only = shop(&raw, "acme/auto", only_a());
    only.buy(ask()).await;
    assert_eq!(only.accounts(), one("model=acme/a", "$0.02"));
    // What comes back from the ledger, and what a bill corrects, is counted on the same accounts.
    let entry = only.kept.entries().remove(0);
    only.budgets.correct(&entry, usd("0.03"));
    assert_eq!(only.accounts(), one("model=acme/a", "$0.03"));
    let each = shop(&raw, "acme/auto", Budget::usd("each", "1").unwrap().each("model"));
    each.budgets.refill(&[entry]);
    let both = ["model=acme/a", "model=acme/auto"].map(|account| (account.to_owned(), "$0.02".to_owned()));
    assert_eq!(each.accounts(), both);
}
