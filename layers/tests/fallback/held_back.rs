//! A hedge that is held back by our own limits, and what it may take of them.

use std::sync::Arc;

use tower::Layer;
use tower_llm_layers::{
    FailureKind, WorstCasePrice,
    attempt::AttemptLayer,
    budget::{Budget, Budgets, InMemoryBudgetStore},
    cost::{CostLayer, UnknownPrice},
    fallback::{FallbackLayer, Hedge},
    retry::{Delays, RetryBudget, RetryLayer, Schedule},
};

use super::hedge::{always, late};
use crate::support::{Leaf, Step, ask, chain, fails, millis, read, secs, streamed, usd};

/// A hedge that a budget refused while the first was in flight is tried in its turn once the first has failed, and its money is free.
#[tokio::test(start_paused = true)]
async fn a_hedge_that_was_not_sent_for_lack_of_money_is_tried_in_its_turn() {
    let price = WorstCasePrice::new().answer_token(usd("0.001"));
    let mut models = Vec::new();
    for hedge in [None, Some(always(Hedge::after(secs(1))))] {
        let book = InMemoryBudgetStore::new();
        let budgets = Budgets::in_store([Budget::usd("all", "1.5").unwrap()], Arc::new(book.clone())).unwrap();
        let leaf = Leaf::new([])
            .on("a", [Step::Fail(secs(3), fails(FailureKind::Overloaded))])
            .on("b", [late(secs(1))]);
        let probe = leaf.probe();
        let cost = CostLayer::new()
            .budgets(budgets)
            .unknown_price(UnknownPrice::Assume(price));
        let service = FallbackLayer::new(chain(["a", "b"]))
            .hedge(hedge)
            .layer(AttemptLayer::new().layer(cost.layer(leaf)));
        let mut request = streamed();
        request.body_mut().max_tokens = Some(1_000);
        let result = ask(&service, request)
            .await
            .map(drop)
            .map_err(|error| (error.kind, error.log().to_string()));
        models.push((probe.models(), result));
    }
    assert_eq!(models[0], models[1], "without a hedge, and with one");
}

#[derive(Clone, Debug)]
struct EachSecond;

impl Schedule for EachSecond {
    fn delays(&self) -> Delays {
        Box::new(std::iter::repeat(secs(1)))
    }
}

/// The last attempt goes to the hedge's retry while the first waits for its own: the error says why they failed.
#[tokio::test(start_paused = true)]
async fn the_cap_spent_by_a_hedge_is_no_bug_of_ours() {
    // The hedge fails before the first's retry, and after it.
    for b in [100, 5_000] {
        let leaf = Leaf::new([])
            .on("a", [Step::Fail(millis(900), fails(FailureKind::Overloaded))])
            .on(
                "b",
                [100, b].map(|wait| Step::Fail(millis(wait), fails(FailureKind::Upstream))),
            );
        let probe = leaf.probe();
        let service = FallbackLayer::new(chain(["a", "b", "c"]))
            .hedge(always(Hedge::after(millis(500))))
            .layer(
                RetryLayer::new()
                    .schedule(EachSecond)
                    .layer(AttemptLayer::new().cap(3).layer(leaf)),
            );
        let error = ask(&service, streamed()).await.map(drop).unwrap_err();
        let expected = [FailureKind::Overloaded, FailureKind::Upstream];
        assert!(expected.contains(&error.kind), "{}\n{}", error.summary, error.log());
        assert_eq!(probe.models(), ["a", "b", "b"]);
    }
}

/// As the budgets have it: a shorter answer that comes first would be no better one.
#[tokio::test(start_paused = true)]
async fn a_hedge_is_not_cut_short_by_a_retry_with_fewer_tokens() {
    let leaf = Leaf::new([]).on("a", [late(secs(9))]).on(
        "b",
        [
            Step::fail(fails(FailureKind::InsufficientFunds).affordable(50)),
            late(secs(1)),
        ],
    );
    let probe = leaf.probe();
    let retry = RetryLayer::new().schedule(EachSecond);
    let service = FallbackLayer::new(chain(["a", "b"]))
        .hedge(always(Hedge::after(secs(1))))
        .layer(retry.layer(AttemptLayer::new().layer(leaf)));
    let mut request = streamed();
    request.body_mut().max_tokens = Some(1_000);
    ask(&service, request).await.map(drop).unwrap();
    let seen: Vec<_> = probe
        .seen()
        .iter()
        .map(|seen| (seen.model.clone(), seen.max_tokens))
        .collect();
    assert!(seen.iter().all(|(_, tokens)| *tokens == Some(1_000)), "{seen:?}");
}

/// The same where the hedge found no place: by the time the first has failed there is one.
#[tokio::test(start_paused = true)]
async fn a_hedge_that_found_no_place_is_tried_in_its_turn() {
    use tower_llm_layers::adaptive_concurrency::{AdaptiveConcurrencyLayer, ConcurrencyPolicy};
    let mut models = Vec::new();
    for hedge in [None, Some(always(Hedge::after(secs(1))))] {
        let leaf = Leaf::new([])
            .on("a", [Step::Fail(secs(3), fails(FailureKind::Overloaded))])
            .on("b", [late(secs(2)), late(secs(1))]);
        let probe = leaf.probe();
        let places =
            AdaptiveConcurrencyLayer::new(ConcurrencyPolicy::new().initial(1).floor(1).ceiling(1).queue(0)).unwrap();
        let places = places.layer(AttemptLayer::new().layer(leaf));
        // Another call, until two seconds from now.
        let other = {
            let places = places.clone();
            tokio::spawn(async move {
                let mut request = streamed();
                request.body_mut().model = Some("b".into());
                request.body_mut().call.set_candidate(crate::support::candidate("b"));
                read(ask(&places, request).await.unwrap().into_body()).await
            })
        };
        tokio::task::yield_now().await;
        let service = FallbackLayer::new(chain(["a", "b"])).hedge(hedge).layer(places);
        let result = ask(&service, streamed())
            .await
            .map(drop)
            .map_err(|error| (error.kind, error.log().to_string()));
        models.push((probe.models(), result));
        other.await.unwrap();
    }
    assert_eq!(models[0], models[1], "without a hedge, and with one");
}

/// Given back to its turn it is no retry: nothing was sent to it, and it must not fail for want of one.
#[tokio::test(start_paused = true)]
async fn a_hedge_given_back_is_no_retry() {
    let price = WorstCasePrice::new().answer_token(usd("0.001"));
    let budgets = Budgets::new([Budget::usd("all", "1.5").unwrap()]).unwrap();
    let leaf = Leaf::new([])
        .on("a", [Step::Fail(secs(3), fails(FailureKind::Overloaded))])
        .on("b", [late(secs(1))]);
    let cost = CostLayer::new()
        .budgets(budgets)
        .unknown_price(UnknownPrice::Assume(price));
    let retry = RetryLayer::new().budget(RetryBudget::new(0.0, 0.0));
    let service = FallbackLayer::new(chain(["a", "b"]))
        .hedge(always(Hedge::after(secs(1))))
        .layer(retry.layer(AttemptLayer::new().cap(6).layer(cost.layer(leaf))));
    let mut request = streamed();
    request.body_mut().max_tokens = Some(1_000);
    let result = ask(&service, request)
        .await
        .map(drop)
        .map_err(|error| (error.kind, error.log().to_string()));
    assert_eq!(result, Ok(()));
}

/// The first waits for its place, and the hedge takes the only attempt: no internal error is reported.
#[tokio::test(start_paused = true)]
async fn the_first_that_waits_for_a_place_keeps_its_attempt() {
    use tower_llm_layers::adaptive_concurrency::{AdaptiveConcurrencyLayer, ConcurrencyPolicy};
    let leaf = Leaf::new([])
        .on("a", [late(secs(3)), late(secs(1))])
        .on("b", [Step::Fail(millis(100), fails(FailureKind::Overloaded))]);
    let places = AdaptiveConcurrencyLayer::new(ConcurrencyPolicy::new().initial(1).floor(1).ceiling(1)).unwrap();
    let places = places.layer(AttemptLayer::new().cap(1).layer(leaf));
    let other = {
        let places = places.clone();
        tokio::spawn(async move {
            let mut request = streamed();
            request.body_mut().model = Some("a".into());
            request.body_mut().call.set_candidate(crate::support::candidate("a"));
            read(ask(&places, request).await.unwrap().into_body()).await
        })
    };
    tokio::task::yield_now().await;
    let service = FallbackLayer::new(chain(["a", "b"]))
        .hedge(always(Hedge::after(secs(1))))
        .layer(places);
    let result = ask(&service, streamed())
        .await
        .map(drop)
        .map_err(|error| (error.kind, error.summary));
    other.await.unwrap();
    assert!(!matches!(result, Err((FailureKind::Internal, _))), "{result:?}");
}
