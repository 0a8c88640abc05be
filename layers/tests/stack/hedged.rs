//! All layers together, hedges and money too: nothing leaks, and no call is worse off for a hedge.

use std::{collections::HashSet, pin::pin, sync::Arc};

use proptest::{collection::vec, prelude::*};
use tower::ServiceBuilder;
use tower_llm_layers::{
    FailureKind, FailureScope, Outcome, Phase, Stage, UsdAmount,
    adaptive_concurrency::{AdaptiveConcurrencyLayer, ConcurrencyPolicy},
    attempt::AttemptLayer,
    auth::{ApiKey, AuthLayer},
    budget::{Budget, BudgetStore, Budgets, InMemoryBudgetStore},
    circuit_breaker::{CircuitBreakerLayer, CircuitPolicy},
    cost::CostLayer,
    deadline::DeadlineLayer,
    fallback::{FallbackLayer, Hedge},
    first_token::FirstTokenLayer,
    pause::PauseLayer,
    rate_limit::{Limits, PerCandidate, Rate, RateLimitLayer},
    resume::ResumeLayer,
    retry::{RetryBudget, RetryLayer},
    timeout::AttemptTimeoutLayer,
};

use crate::support::{
    Beat, Kept, Leaf, Prices, SlowStore, Step, ask, cases, chain, fails, in_virtual_time, join_all, millis, read, secs,
    step, streamed,
};

proptest! {
    #![proptest_config(cases(200))]

    #[test]
    fn whatever_happens_nothing_leaks(
        steps in vec(step(), 60),
        leaves_at in vec(prop_oneof![0_u64..3_000, 0_u64..60_000, Just(u64::MAX)], 6),
        begins_at in vec(0_u64..20_000, 6),
        store_polls in 0_u32..4,
        cents in 1_u64..30,
        ready_after in prop_oneof![Just(0_u64), 0_u64..2_000],
        hedge_after in 0_u64..4_000,
        cap in 1_u32..7,
        resumes in any::<bool>(),
        may_retry in any::<bool>(),
    ) {
        in_virtual_time(async move {
            let leaf = Leaf::new(steps).ready_after(millis(ready_after));
            let probe = leaf.probe();
            let (kept, book) = (Kept::new(), InMemoryBudgetStore::new());
            let store: Arc<dyn BudgetStore> = if store_polls == 0 {
                Arc::new(book.clone())
            } else {
                Arc::new(SlowStore(book.clone(), store_polls))
            };
            let most = UsdAmount::from_pico(i128::from(cents) * 1_000_000_000);
            let all = [
                Budget::new("all", most).unwrap(),
                Budget::new("model", most).unwrap().each("model"),
            ];
            let limits = Limits::new().requests(Rate::new(100, secs(1)).unwrap());
            let limits = limits.concurrency(3).unwrap();
            let policy = ConcurrencyPolicy::new().initial(2).floor(1).ceiling(4);
            let concurrency = AdaptiveConcurrencyLayer::new(policy).unwrap();
            let hedge = Hedge::after(millis(hedge_after)).ratio(1.0);
            let stack = ServiceBuilder::new()
                .layer(DeadlineLayer::new(secs(90)))
                .layer(if resumes { ResumeLayer::new() } else { ResumeLayer::off() })
                .layer(FallbackLayer::new(chain(["a", "costly", "unknown", "b"])).hedge(hedge))
                .layer(RetryLayer::new().budget(RetryBudget::new(if may_retry { 0.5 } else { 0.0 }, 0.0)))
                .layer(CircuitBreakerLayer::new(CircuitPolicy::new()).unwrap())
                .layer(concurrency.clone())
                .layer(PauseLayer::new())
                .layer(RateLimitLayer::new(limits, PerCandidate).unwrap().max_wait(secs(5)))
                .layer(AttemptLayer::new().cap(cap))
                .layer(AttemptTimeoutLayer::new(secs(10)))
                .layer(FirstTokenLayer::new())
                .layer(
                    CostLayer::new()
                        .prices(Arc::new(Prices))
                        .ledger(kept.clone())
                        .budgets(Budgets::in_store(all, store).unwrap()),
                )
                .layer(AuthLayer::new(ApiKey::new("sk-secret").unwrap()))
                .service(leaf);
            let calls = leaves_at.into_iter().zip(begins_at).map(|(leaves, begins)| {
                let stack = stack.clone();
                async move {
                    tokio::time::sleep(millis(begins)).await;
                    let begun = tokio::time::Instant::now();
                    let whole = async {
                        match ask(&stack, streamed()).await {
                            Ok(response) => read(response.into_body()).await.error,
                            Err(error) => Some(error),
                        }
                    };
                    let error = tokio::time::timeout(millis(leaves), pin!(whole)).await;
                    (error.ok().flatten(), begun.elapsed())
                }
            });
            for (error, took) in join_all(calls).await {
                prop_assert!(took <= secs(92) + millis(1), "{took:?}");
                if let Some(error) = error {
                    let log = error.marks.attempts().map(ToString::to_string).unwrap_or_default();
                    prop_assert!(error.kind != FailureKind::Internal, "{}\n{log}", error.summary);
                }
            }
            probe.assert_quiet();
            let entries = kept.entries();
            prop_assert_eq!(entries.len(), probe.calls());
            let numbers: HashSet<_> = entries.iter().map(|entry| (entry.call, entry.attempt)).collect();
            prop_assert_eq!(numbers.len(), entries.len(), "each attempt once");
            let calls: HashSet<_> = entries.iter().map(|entry| entry.call).collect();
            let mut repeats = 0;
            for call in calls {
                let own: Vec<_> = entries.iter().filter(|entry| entry.call == call).collect();
                prop_assert!(own.len() <= cap as usize);
                let models: HashSet<_> = own.iter().map(|entry| entry.model.clone()).collect();
                repeats += own.len() - models.len();
            }
            prop_assert!(repeats <= if may_retry { 3 } else { 0 }, "{repeats} repeats of six calls");
            let recorded = entries.iter().fold(UsdAmount::ZERO, |sum, entry| sum.saturating_add(entry.recorded));
            for state in book.accounts() {
                prop_assert_eq!(state.reserved, UsdAmount::ZERO);
                prop_assert!(state.settled <= state.budget.cap());
                if state.budget.name() == "all" {
                    prop_assert_eq!(state.settled.saturating_add(state.overrun), recorded);
                }
            }
            for seen in probe.seen() {
                for line in seen.log.unwrap().attempts() {
                    prop_assert!(!matches!(line.outcome, Outcome::Waiting | Outcome::Answering), "{line}");
                }
            }
            for report in concurrency.limits().reports() {
                prop_assert_eq!((report.in_flight, report.waiting), (0, 0));
            }
            Ok(())
        })?;
    }
}

/// What a model always does.
fn habit() -> impl Strategy<Value = Step> {
    let kind = proptest::sample::select(vec![
        FailureKind::Connect,
        FailureKind::Timeout(Phase::FirstToken),
        FailureKind::RateLimited,
        FailureKind::QuotaExhausted,
        FailureKind::Overloaded,
        FailureKind::NoEndpoint,
        FailureKind::ContextLengthExceeded,
        FailureKind::InsufficientFunds,
        FailureKind::Auth,
    ]);
    let scope = proptest::sample::select(vec![
        FailureScope::Candidate,
        FailureScope::Candidate,
        FailureScope::Pool,
        FailureScope::Upstream,
    ]);
    let good = || vec![Beat::Frame(Stage::Content), Beat::Frame(Stage::Finish)];
    prop_oneof![
        3 => (0_u64..6_000, kind, scope).prop_map(|(wait, kind, scope)| Step::Fail(millis(wait), fails(kind).scope(scope))),
        1 => (0_u64..9_000).prop_map(move |wait| Step::Answer(millis(wait), good())),
    ]
}

proptest! {
    #![proptest_config(cases(300))]

    #[test]
    fn a_call_that_is_answered_without_hedges_is_answered_with_them(
        habits in vec(habit(), 4),
        hedge_after in 0_u64..3_000,
        ready_after in prop_oneof![Just(0_u64), 0_u64..2_000],
    ) {
        in_virtual_time(async move {
            let mut answered = Vec::new();
            for hedge in [None, Some(Hedge::after(millis(hedge_after)).ratio(1.0))] {
                let leaf = ["a", "b", "c", "d"]
                    .into_iter()
                    .zip(habits.clone())
                    .fold(Leaf::new([]), |leaf, (name, habit)| leaf.always(name, habit));
                let stack = ServiceBuilder::new()
                    .layer(FallbackLayer::new(chain(["x/a", "x/b", "y/c", "z/d"])).hedge(hedge))
                    .layer(RetryLayer::new())
                    .layer(AttemptLayer::new().cap(50))
                    .service(leaf.ready_after(millis(ready_after)));
                let mut own = Vec::new();
                for _ in 0..8 {
                    own.push(ask(&stack, streamed()).await.map_or_else(|error| error.log().to_string(), |_| String::new()));
                }
                answered.push(own);
            }
            for (without, with) in answered[0].iter().zip(&answered[1]) {
                prop_assert!(!without.is_empty() || with.is_empty(), "{with}");
            }
            Ok(())
        })?;
    }
}
