//! A caller leaves a whole stack of layers at any instant: one entry for each attempt that was sent, and no reservation left.

use std::{pin::pin, sync::Arc};

use proptest::{collection::vec, prelude::*};
use tower::ServiceBuilder;
use tower_llm_layers::{
    GlobalKey, UsdAmount,
    attempt::AttemptLayer,
    auth::{ApiKey, AuthLayer},
    budget::{Budget, BudgetStore, Budgets, InMemoryBudgetStore},
    cost::CostLayer,
    deadline::DeadlineLayer,
    fallback::FallbackLayer,
    first_token::FirstTokenLayer,
    pause::PauseLayer,
    rate_limit::{Limits, PerCandidate, Rate, RateLimitLayer},
    retry::RetryLayer,
    timeout::AttemptTimeoutLayer,
};

use crate::support::{
    Kept, Leaf, Prices, SlowStore, ask, cases, chain, in_virtual_time, millis, read, secs, step, streamed,
};

proptest! {
    #![proptest_config(cases(300))]

    #[test]
    fn one_entry_for_each_attempt_and_no_reservation_left(
        steps in vec(step(), 40),
        leaves_at in prop_oneof![0_u64..3_000, 0_u64..60_000, Just(u64::MAX)],
        store_polls in 0_u32..4,
        cents in 1_u64..30,
    ) {
        in_virtual_time(async move {
            let leaf = Leaf::new(steps);
            let probe = leaf.probe();
            let (kept, book) = (Kept::new(), InMemoryBudgetStore::new());
            let store: Arc<dyn BudgetStore> = if store_polls == 0 {
                Arc::new(book.clone())
            } else {
                Arc::new(SlowStore(book.clone(), store_polls))
            };
            let cap = UsdAmount::from_pico(i128::from(cents) * 1_000_000_000);
            let all = [Budget::new("all", cap).unwrap(), Budget::new("model", cap).unwrap().each("model")];
            let budgets = Budgets::in_store(all, store).unwrap();
            let rate = Rate::new(100, secs(1)).unwrap();
            let limits = Limits::new().requests(rate).concurrency(3).unwrap();
            let stack = ServiceBuilder::new()
                .layer(DeadlineLayer::new(secs(90)))
                .layer(RateLimitLayer::new(limits, GlobalKey).unwrap().max_wait(secs(5)))
                .layer(FallbackLayer::new(chain(["a", "costly", "unknown", "b"])))
                .layer(RetryLayer::new())
                .layer(PauseLayer::new())
                .layer(RateLimitLayer::new(limits, PerCandidate).unwrap().max_wait(secs(5)))
                .layer(AttemptLayer::new())
                .layer(AttemptTimeoutLayer::new(secs(10)))
                .layer(FirstTokenLayer::new())
                .layer(CostLayer::new().prices(Arc::new(Prices)).ledger(kept.clone()).budgets(budgets))
                .layer(AuthLayer::new(ApiKey::new("sk-secret").unwrap()))
                .service(leaf);
            let whole = async {
                if let Ok(response) = ask(&stack, streamed()).await {
                    read(response.into_body()).await;
                }
            };
            {
                let whole = pin!(whole);
                let _left = tokio::time::timeout(millis(leaves_at), whole).await;
            }
            probe.assert_quiet();
            let entries = kept.entries();
            prop_assert_eq!(entries.len(), probe.calls());
            let mut numbers: Vec<_> = entries.iter().map(|entry| entry.attempt).collect();
            numbers.dedup();
            prop_assert_eq!(numbers.len(), entries.len(), "each attempt once");
            let recorded = entries.iter().fold(UsdAmount::ZERO, |sum, entry| sum.saturating_add(entry.recorded));
            for state in book.accounts() {
                prop_assert_eq!(state.reserved, UsdAmount::ZERO);
                prop_assert!(state.settled <= state.budget.cap());
                if state.budget.name() == "all" {
                    prop_assert_eq!(state.settled.saturating_add(state.overrun), recorded);
                }
            }
            Ok(())
        })?;
    }
}
