//! A refusal on our side is no attempt of the router's: the models that went along are still called.

use std::sync::Arc;

use tower::ServiceBuilder;
use tower_llm_layers::{
    AttemptLog, FailureKind,
    attempt::AttemptLayer,
    budget::{Budget, Budgets},
    circuit_breaker::{CircuitBreakerLayer, CircuitPolicy},
    cost::CostLayer,
    fallback::FallbackLayer,
    rate_limit::{Limits, PerCandidate, Rate, RateLimitLayer},
};

use crate::support::{Kept, Leaf, Prices, Probe, Step, ask, chain, fails, read, secs, streamed};

fn leaf() -> (Leaf, Probe) {
    let leaf = Leaf::new([]);
    let probe = leaf.probe();
    (leaf, probe)
}

#[tokio::test(start_paused = true)]
async fn a_price_that_is_unknown_leaves_the_others() {
    let (leaf, probe) = leaf();
    let budgets = Budgets::new([Budget::usd("all", "1.00").unwrap()]).unwrap();
    let cost = CostLayer::new()
        .prices(Arc::new(Prices))
        .budgets(budgets)
        .ledger(Kept::new());
    let service = ServiceBuilder::new()
        .layer(FallbackLayer::new(chain(["unknown", "a"]).server_side(3)))
        .layer(AttemptLayer::new())
        .layer(cost)
        .service(leaf);
    let response = ask(&service, streamed()).await.unwrap();
    let log = response.extensions().get::<AttemptLog>().unwrap().clone();
    read(response.into_body()).await;
    assert_eq!((probe.models(), log.sent()), (vec!["a".to_owned()], 1), "{log}");
}

#[tokio::test(start_paused = true)]
async fn a_limit_of_ours_leaves_the_others() {
    let (leaf, probe) = leaf();
    let limits = Limits::new().requests(Rate::new(1, secs(3_600)).unwrap());
    let service = ServiceBuilder::new()
        .layer(FallbackLayer::new(chain(["a", "b"]).server_side(3)))
        .layer(RateLimitLayer::new(limits, PerCandidate).unwrap())
        .layer(AttemptLayer::new())
        .service(leaf);
    for _ in 0..2 {
        read(ask(&service, streamed()).await.unwrap().into_body()).await;
    }
    assert_eq!(probe.models(), ["a", "b"]);
}

#[tokio::test(start_paused = true)]
async fn an_open_circuit_leaves_the_others_and_what_was_sent_does_not() {
    let failed = || Step::fail(fails(FailureKind::Overloaded));
    let leaf = Leaf::new([]).on("a", (0..40).map(|_| failed()).collect::<Vec<_>>());
    let probe = leaf.probe();
    let service = ServiceBuilder::new()
        .layer(FallbackLayer::new(chain(["a", "b"]).server_side(3)))
        .layer(CircuitBreakerLayer::new(CircuitPolicy::new()).unwrap())
        .layer(AttemptLayer::new())
        .service(leaf);
    let mut sent_along = 0;
    for _ in 0..30 {
        if ask(&service, streamed()).await.is_err() {
            sent_along += 1;
        }
    }
    // The router had tried `b` with each attempt that was sent; once the circuit is open, `b` is called by itself.
    assert!(
        sent_along > 0 && probe.models().contains(&"b".to_owned()),
        "{:?}",
        probe.models()
    );
}
