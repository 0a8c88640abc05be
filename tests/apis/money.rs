//! What a call costs, and that a budget holds, in every API.

use std::{sync::Arc, time::Duration};

use tokio::{runtime::Handle, time::sleep};
use tower_openrouter::{
    Api, Candidate, FailureKind, UsdAmount,
    account::Bills,
    layers::{
        FixedPrices, WorstCasePrice,
        budget::Budget,
        ledger::{Entry, EntryState},
        reconcile::Reconciler,
    },
};

use super::{TYPED, call, forms, good, is_good, request, stream};
use crate::{
    scorecard_apis::{OTHERS, ask, standard, whole, world},
    support::{
        FIRST, World,
        ledger::{Kept, bill},
        prices::account_at,
        raw::{Raw, events, send},
    },
};

#[tokio::test(start_paused = true)]
async fn the_ledger_has_what_the_upstream_charged() {
    for api in Api::ALL {
        for &streamed in forms(api) {
            let raw = Raw::start(move |request| good(api, request)).await;
            let ledger = Kept::new();
            let stack = raw.builder().ledger(Arc::clone(&ledger) as _).build().unwrap();
            let got = call(&stack, request(api, streamed)).await;
            assert!(is_good(api, &got), "{api} {streamed}: {got:?}");
            let entries = ledger.entries();
            assert_eq!(entries.len(), 1, "{api} {streamed}");
            let entry = &entries[0];
            assert_eq!(
                entry.cost(),
                "0.000123".parse::<UsdAmount>().unwrap(),
                "{api} {streamed}"
            );
            assert_eq!(entry.state, EntryState::Settled, "{api} {streamed}");
            let (id, tokens) = match api {
                Api::Chat => ("gen-1", (120, 100, 6)),
                Api::Responses => ("resp_1", (120, 100, 6)),
                Api::Messages => ("msg_1", (120, 100, 6)),
                _ => ("emb_1", (126, 0, 0)),
            };
            let usage = entry.usage;
            assert_eq!((usage.prompt, usage.cached, usage.answer), tokens, "{api} {streamed}");
            assert_eq!(entry.generation_id.as_deref(), Some(id), "{api} {streamed}");
        }
    }
}

/// Fetches the late bills of this simulator for this ledger.
pub(crate) fn late_bills(world: &World, ledger: &Arc<Kept>) -> Reconciler {
    let bills = Arc::new(Bills::openrouter(account_at(world.upstream())));
    Reconciler::builder(bills)
        .ledger(Arc::clone(ledger) as _)
        .spawn_on(Handle::current())
        .unwrap()
}

fn awaits_bill(ledger: &Kept) -> bool {
    ledger.entries().iter().any(Entry::awaits_bill)
}

/// Waits until each entry has its bill.
pub(crate) async fn all_billed(ledger: &Kept) {
    for _ in 0..100 {
        if !awaits_bill(ledger) {
            return;
        }
        sleep(Duration::from_secs(10)).await;
    }
    panic!("no bill came: {:?}", ledger.entries());
}

/// To the last digit. A stream of messages has no cost in it, and one that was cut has none either: the bill comes later.
#[tokio::test(start_paused = true)]
async fn the_ledger_equals_the_bill_of_the_simulator() {
    for api in OTHERS {
        for plan in ["503;no-hint", "GOOD", "reasoning=20;cached=5;GOOD", "GOOD;cut@4"] {
            for &streamed in forms(api) {
                let is_cut = plan.contains("cut");
                // A plain answer that was cut is given by the next model.
                if is_cut && !streamed {
                    continue;
                }
                let what = format!("{api} {plan}, streamed: {streamed}");
                let (world, spare) = (world(api, plan).await, World::new("ok").await);
                let ledger = Kept::new();
                let builder = standard(api, &world, &spare).ledger(Arc::clone(&ledger) as _);
                let stack = builder.reconciler(late_bills(&world, &ledger)).build().unwrap();
                let got = call(&stack, ask(api, streamed)).await;
                if is_cut {
                    assert_eq!(got.kind(), Some(FailureKind::Truncated), "{what}: {got:?}");
                } else {
                    whole(&what, api, &got);
                }
                let is_late = is_cut || (api == Api::Messages && streamed);
                assert_eq!(awaits_bill(&ledger), is_late, "{what}: {:?}", ledger.entries());
                all_billed(&ledger).await;
                let billed = bill(&world.simulator) + bill(&spare.simulator);
                assert!(billed > 0, "{what}");
                assert_eq!(ledger.total(), billed, "{what}: {:?}", ledger.entries());
                if plan.starts_with("reasoning") && api != Api::Embeddings {
                    let usage = ledger.entries()[0].usage;
                    assert!(usage.reasoning == 20 && usage.cached > 0, "{what}: {usage:?}");
                }
            }
        }
    }
}

/// A stream that breaks is settled by what was shown.
#[tokio::test(start_paused = true)]
async fn an_interrupted_stream_is_estimated() {
    for api in TYPED {
        let raw = Raw::always(vec![events(), send(stream(api).0)]).await;
        let ledger = Kept::new();
        let stack = raw.builder().ledger(Arc::clone(&ledger) as _).build().unwrap();
        assert_eq!(
            call(&stack, request(api, true)).await.kind(),
            Some(FailureKind::Truncated)
        );
        let entries = ledger.entries();
        assert_eq!((entries.len(), entries[0].state), (1, EntryState::Estimated), "{api}");
        assert!(entries[0].usage.answer > 0, "{api}: {:?}", entries[0]);
    }
}

#[tokio::test(start_paused = true)]
async fn a_budget_counts_what_was_charged_and_refuses_what_does_not_fit() {
    for api in OTHERS {
        let raw = Raw::start(move |request| good(api, request)).await;
        // A call is reserved at a little over 0.0001, and charged at a little more than that.
        let budget = Budget::usd("all", "0.0002").unwrap();
        let price = WorstCasePrice::new()
            .prompt_token("0.000001".parse().unwrap())
            .answer_token("0.000001".parse().unwrap());
        let candidate = Candidate::new("openrouter", FIRST).unwrap();
        let prices = Arc::new(FixedPrices::new([(candidate, price)]));
        let stack = raw.builder().prices(prices).budget(budget).build().unwrap();
        let kinds = [
            call(&stack, request(api, true)).await.kind(),
            call(&stack, request(api, true)).await.kind(),
        ];
        assert_eq!(kinds, [None, Some(FailureKind::BudgetExceeded)], "{api}");
        assert_eq!(raw.seen().len(), 1, "{api}");
    }
}
