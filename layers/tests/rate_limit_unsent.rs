//! Rate limits: what a layer within refuses, or is dropped before it is sent, takes nothing of them.

use std::sync::Arc;

use tower::ServiceBuilder;
use tower_llm_layers::{
    FailureKind,
    attempt::AttemptLayer,
    budget::{Budget, Budgets},
    cost::CostLayer,
    fallback::FallbackLayer,
    rate_limit::{Limits, PerCandidate, RateLimitLayer},
    retry::RetryLayer,
};

use crate::{
    rate_limit::{rate, requests, sized},
    support::{DAY, Leaf, Prices, Step, ask, chain, fails, millis, secs},
};

/// An attempt that a layer within refuses takes nothing of the upstream's limit; one that was sent does, whatever became of it.
#[tokio::test(start_paused = true)]
async fn what_was_never_sent_takes_no_request_and_no_token() {
    for of in [
        Limits::new().requests(rate(60, secs(60), 1)),
        Limits::new().tokens(rate(6_000, secs(60), 600)),
    ] {
        let budget = Budget::usd("all", "0.01").unwrap();
        let prices = CostLayer::new().prices(Arc::new(Prices)).min_output_tokens(2_000);
        let leaf = Leaf::new([Step::fail(fails(FailureKind::BadRequest))]);
        let service = ServiceBuilder::new()
            .layer(FallbackLayer::new(chain(["a"])))
            .layer(RetryLayer::new().max_attempts(1))
            .layer(RateLimitLayer::new(of, PerCandidate).unwrap())
            .layer(AttemptLayer::new())
            .layer(prices.budgets(Budgets::new([budget]).unwrap()))
            .service(leaf);
        for _ in 0..3 {
            let error = ask(&service, sized(100, 5_000)).await.err().unwrap();
            assert_eq!(error.kind, FailureKind::BudgetExceeded, "{error:?}");
        }
        let sent = ask(&service, sized(100, 500)).await.err().unwrap();
        assert_eq!(sent.kind, FailureKind::BadRequest);
        let next = ask(&service, sized(100, 500)).await;
        // The tokens of a failure go back, its request does not.
        assert_eq!(next.is_err(), of.requests.is_some());
    }
}

/// So does one that is dropped while it waits for its reservation.
#[tokio::test(start_paused = true)]
async fn what_is_dropped_before_it_is_sent_takes_no_request() {
    let (budgets, leaf) = (
        Budgets::new([Budget::usd("all", "0.012").unwrap()]).unwrap(),
        Leaf::new([]),
    );
    let cost = CostLayer::new().prices(Arc::new(Prices)).max_reservation_wait(secs(60));
    let service = ServiceBuilder::new()
        .layer(FallbackLayer::new(chain(["a"])))
        .layer(RetryLayer::new().max_attempts(1))
        .layer(RateLimitLayer::new(requests(60, secs(60), 2), PerCandidate).unwrap())
        .layer(AttemptLayer::new())
        .layer(cost.budgets(budgets))
        .service(leaf);
    let first = ask(&service, sized(100, 1_000)).await.unwrap();
    for _ in 0..3 {
        let waiting = tokio::time::timeout(millis(1), ask(&service, sized(100, 1_000))).await;
        assert!(waiting.is_err(), "the money is reserved");
    }
    drop(first);
    assert!(ask(&service, sized(100, 1_000)).await.is_ok());
}

/// Nor does a retry that a layer within refuses, although the attempt before it was sent.
#[tokio::test(start_paused = true)]
async fn a_retry_that_was_never_sent_takes_no_request() {
    // The first attempt is interrupted, and costs its prompt: then the budget is too small for another one.
    let budget = Budget::usd("all", "0.01015").unwrap();
    let prices = CostLayer::new().prices(Arc::new(Prices)).min_output_tokens(2_000);
    let leaf = Leaf::new([Step::fail(fails(FailureKind::Reset))]);
    let probe = leaf.probe();
    let service = ServiceBuilder::new()
        .layer(FallbackLayer::new(chain(["a"])))
        .layer(RetryLayer::new().max_attempts(2))
        .layer(RateLimitLayer::new(requests(1, DAY, 2), PerCandidate).unwrap())
        .layer(AttemptLayer::new())
        .layer(prices.budgets(Budgets::new([budget]).unwrap()))
        .service(leaf);
    for _ in 0..3 {
        let error = ask(&service, sized(100, 1_000)).await.err().unwrap();
        assert_eq!(error.kind, FailureKind::BudgetExceeded, "{error:?}");
    }
    assert_eq!(probe.calls(), 1);
}
