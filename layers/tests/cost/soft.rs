//! Budgets that only warn refuse nothing, and change no request.

use std::sync::Arc;

use tower::Layer;
use tower_llm_layers::{
    FailureKind, OutputLimit, Stage, ToolLoop,
    budget::{Budget, Budgets, InMemoryBudgetStore},
    cost::CostLayer,
};

use super::{to, up_to};
use crate::support::{Beat, Kept, Leaf, Prices, Step, ask, charged, read, usd};

/// A layer with these budgets.
fn with<const N: usize>(budgets: [Budget; N]) -> (CostLayer, InMemoryBudgetStore, Arc<Kept>) {
    let (kept, book) = (Kept::new(), InMemoryBudgetStore::new());
    let budgets = Budgets::in_store(budgets, Arc::new(book.clone())).unwrap();
    let layer = CostLayer::new()
        .prices(Arc::new(Prices))
        .ledger(kept.clone())
        .budgets(budgets);
    (layer, book, kept)
}

fn watch() -> Budget {
    Budget::usd("watch", "0.001").unwrap().soft()
}

fn hard() -> Budget {
    Budget::usd("hard", "1.00").unwrap()
}

#[tokio::test(start_paused = true)]
async fn an_unknown_price_passes_and_its_bill_is_counted() {
    for model in ["unknown", "varies"] {
        let (layer, book, kept) = with([watch()]);
        let answer = Step::body([Beat::Frame(Stage::Content), charged(1, 1, "0.5")]);
        let service = layer.layer(Leaf::new([answer]));
        read(ask(&service, to(model)).await.unwrap().into_body()).await;
        assert_eq!(book.accounts()[0].settled, usd("0.5"), "{model}");
        assert_eq!((kept.only().reserved, kept.only().recorded), (usd("0"), usd("0.5")));

        // One that refuses does so beside it.
        let (layer, ..) = with([watch(), hard()]);
        let error = ask(&layer.layer(Leaf::new([])), to(model)).await.err().unwrap();
        assert_eq!(error.kind, FailureKind::NoEndpoint, "{model}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_request_is_sent_as_it_is() {
    for (model, reserved) in [("a", "0.0101"), ("endless", "0.32778")] {
        let (layer, book, _) = with([watch()]);
        let leaf = Leaf::new([]);
        let probe = leaf.probe();
        let response = ask(&layer.layer(leaf), to(model)).await.unwrap();
        assert_eq!(probe.seen()[0].max_tokens, None, "{model}");
        assert!(response.extensions().get::<OutputLimit>().is_none(), "{model}");
        // The most it can cost all the same, although the budget has less.
        assert_eq!(book.accounts()[0].reserved, usd(reserved), "{model}");
        read(response.into_body()).await;
        assert_eq!(book.accounts()[0].reserved, usd("0"), "{model}");
    }
    let (layer, _, kept) = with([watch()]);
    let leaf = Leaf::new([]);
    let probe = leaf.probe();
    read(ask(&layer.layer(leaf), up_to("a", 500)).await.unwrap().into_body()).await;
    assert_eq!((probe.seen()[0].max_tokens, kept.only().clamped_to), (Some(500), None));

    // One that refuses limits the answer beside it.
    let (layer, ..) = with([watch(), hard()]);
    let leaf = Leaf::new([]);
    let probe = leaf.probe();
    let response = ask(&layer.layer(leaf), to("a")).await.unwrap();
    assert_eq!(probe.seen()[0].max_tokens, Some(1_000));
    assert!(response.extensions().get::<OutputLimit>().is_some());
}

#[tokio::test(start_paused = true)]
async fn a_loop_of_tools_is_not_limited() {
    let request = || {
        let mut request = up_to("a", 100);
        request.body_mut().needs.tool_loop = Some(ToolLoop::of_steps(30));
        request
    };
    // The test's request takes no limit on its tools.
    let (layer, ..) = with([watch(), hard()]);
    assert!(ask(&layer.layer(Leaf::new([])), request()).await.is_err());
    let (layer, _, kept) = with([watch()]);
    read(ask(&layer.layer(Leaf::new([])), request()).await.unwrap().into_body()).await;
    assert!(kept.only().reserved > usd("0"));
}
