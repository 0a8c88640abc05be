//! Prices that are unknown, and models that cost nothing, once the budget is spent.

use tower::{Layer, ServiceBuilder};
use tower_llm_layers::{
    FailureKind, LayerError, Stage, attempt::AttemptLayer, budget::RefusalReason, cost::UnknownPrice,
    fallback::FallbackLayer,
};

use super::{budgeted, to};
use crate::support::{Beat, Leaf, Step, ask, chain, charged, read, secs, streamed, usd};

#[tokio::test(start_paused = true)]
async fn an_unknown_price_is_refused_once_the_budget_is_spent_and_a_free_model_never() {
    for bill in ["1.00", "1.25"] {
        for wait in [0, 2] {
            let what = format!("{bill}, waits {wait} s");
            let (layer, book, _) = budgeted("1.00");
            let answer = Step::body([Beat::Frame(Stage::Content), charged(1, 1, bill)]);
            let service = layer
                .unknown_price(UnknownPrice::Allow)
                .max_reservation_wait(secs(wait))
                .layer(Leaf::new([answer]));
            read(ask(&service, to("unknown")).await.unwrap().into_body()).await;
            for model in ["unknown", "varies"] {
                let error = ask(&service, to(model)).await.err().unwrap();
                assert_eq!(error.kind, FailureKind::BudgetExceeded, "{what}: {error:?}");
                let Some(LayerError::BudgetExceeded(refusal)) = &error.layer else {
                    unreachable!("{error:?}");
                };
                assert!(
                    matches!(refusal.reason, RefusalReason::Spent { .. }),
                    "{what}: {refusal}"
                );
                assert_eq!(refusal.affordable_tokens, None, "{what}: no answer has a price");
            }
            let free = ask(&service, to("free")).await;
            assert!(free.is_ok(), "{what}: {:?}", free.as_ref().err());
            drop(free);
            assert_eq!(book.accounts()[0].reserved, usd("0"), "{what}");
        }
    }
}

/// The place in the chain makes no difference.
#[tokio::test(start_paused = true)]
async fn every_candidate_of_a_chain_is_refused_alike_and_a_free_one_answers() {
    for (models, answered) in [
        (["unknown", "varies"], None),
        (["varies", "unknown"], None),
        (["unknown", "free"], Some("free")),
        (["free", "unknown"], Some("free")),
    ] {
        let (layer, ..) = budgeted("1.00");
        let layer = layer.unknown_price(UnknownPrice::Allow).max_reservation_wait(secs(2));
        let answer = Step::body([Beat::Frame(Stage::Content), charged(1, 1, "1.25")]);
        let leaf = Leaf::new([answer]);
        let probe = leaf.probe();
        let alone = layer.layer(leaf.clone());
        read(ask(&alone, to("unknown")).await.unwrap().into_body()).await;
        let service = ServiceBuilder::new()
            .layer(FallbackLayer::new(chain(models)))
            .layer(AttemptLayer::new())
            .layer(layer)
            .service(leaf);
        let response = ask(&service, streamed()).await;
        assert_eq!(response.is_ok(), answered.is_some(), "{models:?}");
        let called = probe.models();
        assert_eq!(called.get(1).map(String::as_str), answered, "{models:?}: {called:?}");
    }
}
