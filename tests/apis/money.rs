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

use super::{SKY, TYPED, call, good, request, stream};
use crate::support::{
    FIRST, SECOND, TEXT, World,
    ledger::{Kept, bill},
    prices::account_at,
    raw::{Raw, events, send},
};

#[tokio::test(start_paused = true)]
async fn the_ledger_has_what_the_upstream_charged() {
    for api in TYPED {
        for streamed in [true, false] {
            let raw = Raw::start(move |request| good(api, request)).await;
            let ledger = Kept::new();
            let stack = raw.builder().ledger(Arc::clone(&ledger) as _).build().unwrap();
            assert_eq!(call(&stack, request(api, streamed)).await.text, SKY);
            let entries = ledger.entries();
            assert_eq!(entries.len(), 1, "{api} {streamed}");
            let entry = &entries[0];
            assert_eq!(
                entry.cost(),
                "0.000123".parse::<UsdAmount>().unwrap(),
                "{api} {streamed}"
            );
            assert_eq!(entry.state, EntryState::Settled, "{api} {streamed}");
            let usage = entry.usage;
            assert_eq!(
                (usage.prompt, usage.cached, usage.answer),
                (120, 100, 6),
                "{api} {streamed}"
            );
            let id = if api == Api::Responses { "resp_1" } else { "msg_1" };
            assert_eq!(entry.generation_id.as_deref(), Some(id));
        }
    }
}

/// To the last digit. A stream of messages says no cost: its bill comes later.
#[tokio::test(start_paused = true)]
async fn the_ledger_equals_the_bill_of_the_simulator() {
    for api in TYPED {
        for (plan, streamed) in [("503", true), ("503", false), ("GOOD", true), ("GOOD", false)] {
            let world = World::new(plan).await;
            let ledger = Kept::new();
            let bills = Arc::new(Bills::openrouter(account_at(world.upstream())));
            let reconciler = Reconciler::builder(bills)
                .ledger(Arc::clone(&ledger) as _)
                .spawn_on(Handle::current());
            let stack = world.builder().chain([FIRST, SECOND]).ledger(Arc::clone(&ledger) as _);
            let stack = stack.reconciler(reconciler).build().unwrap();
            let got = call(&stack, request(api, streamed)).await;
            assert_eq!(
                (got.text.as_str(), got.kind()),
                (TEXT, None),
                "{api} {plan} {streamed}: {got:?}"
            );
            let is_late = api == Api::Messages && streamed;
            let awaits = |ledger: &Kept| ledger.entries().iter().any(Entry::awaits_bill);
            assert_eq!(awaits(&ledger), is_late, "{api} {plan} {streamed}");
            for _ in 0..100 {
                if !awaits(&ledger) {
                    break;
                }
                sleep(Duration::from_secs(10)).await;
            }
            assert!(bill(&world.simulator) > 0);
            assert_eq!(ledger.total(), bill(&world.simulator), "{api} {plan} {streamed}");
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
    for api in TYPED {
        let raw = Raw::start(move |request| good(api, request)).await;
        // A call is reserved at a little over 0.0001, and charged at a little more than that.
        let budget = Budget::usd("all", "0.0002").unwrap();
        let price = WorstCasePrice {
            prompt_token: "0.000001".parse().unwrap(),
            answer_token: "0.000001".parse().unwrap(),
            ..WorstCasePrice::default()
        };
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
