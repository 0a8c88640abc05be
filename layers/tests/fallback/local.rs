//! A refusal on our side is no attempt of the router's: the models that went along are still called.

use std::sync::Arc;

use tower::ServiceBuilder;
use tower_llm_layers::{
    AttemptLog, FailureKind, LayerError, UsdAmount, UtcTime,
    attempt::AttemptLayer,
    budget::{AccountRef, Budget, BudgetStore, Budgets, Decision, Refusal, RefusalReason, ReserveRequest},
    circuit_breaker::{CircuitBreakerLayer, CircuitPolicy},
    cost::CostLayer,
    fallback::FallbackLayer,
    rate_limit::{Admitting, LimitStore, LimitWait, Limits, PerCandidate, Rate, RateLimitLayer, WaitReason},
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

const CAUSE: &str = "no answer in 250ms";

/// A shared store that is down.
#[derive(Debug)]
struct Down;

impl BudgetStore for Down {
    fn reserve(&self, ask: ReserveRequest) -> Decision {
        let line = &ask.lines[0];
        let reason = RefusalReason::StoreDown {
            cause: CAUSE.to_owned(),
        };
        Decision::Now(Err(Box::new(Refusal::new(
            &line.budget,
            &line.account,
            reason,
            ask.at_least,
            ask.at,
        ))))
    }

    fn adjust(&self, _: &[AccountRef], _: UsdAmount, _: UtcTime) {}
}

impl LimitStore for Down {
    fn admit(&self, _: &Arc<str>, _: &Limits, _: u64) -> Admitting {
        Box::pin(async {
            Err(LimitWait::new(
                secs(60),
                WaitReason::StoreDown {
                    cause: CAUSE.to_owned(),
                },
                None,
            ))
        })
    }
}

/// No other candidate would be counted either: the call ends with the store's failure, and the caller learns when the store is probed again.
#[tokio::test(start_paused = true)]
async fn a_store_that_is_down_ends_the_chain() {
    let limits = Limits::new().requests(Rate::new(100, secs(60)).unwrap());
    for (budgets_down, limits_down) in [(true, false), (false, true), (true, true)] {
        let (leaf, probe) = leaf();
        let budget = Budget::usd("all", "1.00").unwrap();
        let budgets = if budgets_down {
            Budgets::in_store([budget], Arc::new(Down)).unwrap()
        } else {
            Budgets::new([budget]).unwrap()
        };
        let limit = RateLimitLayer::new(limits, PerCandidate).unwrap();
        let limit = if limits_down {
            limit.store(Arc::new(Down))
        } else {
            limit
        };
        let service = ServiceBuilder::new()
            .layer(FallbackLayer::new(chain(["a", "b"])))
            .layer(limit)
            .layer(AttemptLayer::new())
            .layer(CostLayer::new().prices(Arc::new(Prices)).budgets(budgets))
            .service(leaf);
        for _ in 0..3 {
            let what = format!("budgets {budgets_down}, limits {limits_down}");
            let error = ask(&service, streamed()).await.err().unwrap();
            assert_eq!(error.kind, FailureKind::StoreUnavailable, "{what}: {error:?}");
            assert_eq!(error.hint, Some(secs(1)), "{what}");
            let is_of_the_store = match error.layer.as_ref().unwrap() {
                LayerError::BudgetExceeded(refusal) => budgets_down && !limits_down && refusal.is_store_down(),
                LayerError::LimitsDown { cause } => limits_down && cause == CAUSE,
                _ => false,
            };
            assert!(is_of_the_store, "{what}: {error:?}");
            assert!(error.summary.contains(CAUSE), "{what}: {}", error.summary);
            assert_eq!(error.log().sent(), 0, "{what}: nothing was sent");
        }
        assert_eq!(probe.calls(), 0);
    }
}
