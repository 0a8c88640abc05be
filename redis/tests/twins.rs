//! The store and the book of one process are twins: the same asks, the same answers, to the last pico-dollar.

use std::{sync::Arc, time::Duration};

use fastrand::Rng;
use test_servers::Redis;
use tower_llm_layers::{
    Tags, UsdAmount, UtcTime,
    budget::{Budget, BudgetStore, Budgets, Decision, InMemoryBudgetStore, Reservation, ReserveRequest, Window},
};
use tower_llm_redis::{RedisBudgets, Store};

async fn reserve(store: &dyn BudgetStore, ask: ReserveRequest) -> Option<Reservation> {
    match store.reserve(ask) {
        Decision::Now(decision) => decision.ok(),
        Decision::Later(decision) => decision.await.ok(),
    }
}

/// Amounts of all sizes, so that every carry is met; one in four is a number of half dollars.
fn amount(rng: &mut Rng) -> UsdAmount {
    if rng.u8(..4) == 0 {
        return UsdAmount::from_pico(i128::from(rng.u64(..200)) * 500_000_000_000);
    }
    let digits = rng.u32(..16);
    UsdAmount::from_pico(i128::from(rng.u64(..10_u64.pow(digits).max(2))))
}

async fn same(shared: &RedisBudgets, book: &InMemoryBudgetStore, budgets: &Budgets, step: usize) {
    shared.flush().await;
    let lines = budgets.lines(&Tags::default(), "", "");
    for (line, state) in lines.iter().filter_map(|line| {
        let accounts = book.accounts();
        let state = accounts
            .into_iter()
            .find(|state| state.budget.name() == line.budget.name())?;
        Some((line, state))
    }) {
        let there = shared.account(line).await.unwrap();
        let there = there.map_or((UsdAmount::ZERO, UsdAmount::ZERO, UsdAmount::ZERO), |there| {
            (there.settled, there.reserved, there.overrun)
        });
        assert_eq!(
            there,
            (state.settled, state.reserved, state.overrun),
            "step {step}, {}",
            line.account
        );
        let taken = state.settled.saturating_add(state.reserved);
        assert!(
            state.budget.is_soft() || taken <= state.budget.cap(),
            "step {step}: {state:?}"
        );
    }
}

#[tokio::test]
async fn the_same_asks_get_the_same_answers() {
    let Some(server) = Redis::start() else { return };
    for seed in 0..6 {
        let mut rng = Rng::with_seed(seed);
        let prefix = format!("{{twin{seed}}}");
        let store = Store::builder(&server.url())
            .prefix(&prefix)
            .decision_timeout(Duration::from_secs(30));
        let shared = store.connect().await.unwrap().budgets();
        let book = InMemoryBudgetStore::new();
        let all = || {
            [
                Budget::usd("a", "700.000000000003").unwrap(),
                Budget::usd("b", "1200.5").unwrap().per(Window::Month),
                Budget::usd("soft", "3").unwrap().soft(),
                Budget::usd("rolling", "1500.25")
                    .unwrap()
                    .per(Window::Rolling(Duration::from_secs(24 * 60 * 60))),
                Budget::usd("from", "1400").unwrap().per(Window::MonthFrom(31)),
            ]
        };
        let budgets = Budgets::in_store(all(), Arc::new(shared.clone())).unwrap();
        let mut held: Vec<(Reservation, Reservation)> = Vec::new();
        for step in 0..150 {
            match rng.u8(..10) {
                0..5 => {
                    let want = amount(&mut rng);
                    let at_least = UsdAmount::from_pico(want.pico() / i128::from(rng.u8(1..4)));
                    let ask = || {
                        ReserveRequest::new(budgets.lines(&Tags::default(), "", ""), want, UtcTime::now())
                            .at_least(at_least)
                    };
                    let (there, here) = (reserve(&shared, ask()).await, reserve(&book, ask()).await);
                    assert_eq!(there.is_some(), here.is_some(), "seed {seed} step {step}");
                    if let (Some(there), Some(here)) = (there, here) {
                        assert_eq!(there.amount(), here.amount(), "seed {seed} step {step}");
                        held.push((there, here));
                    }
                }
                5..9 if !held.is_empty() => {
                    let (there, here) = held.swap_remove(rng.usize(..held.len()));
                    let spent = match rng.u8(..4) {
                        0 => UsdAmount::ZERO,
                        1 => there.amount(),
                        _ => amount(&mut rng),
                    };
                    there.settle(spent);
                    here.settle(spent);
                }
                9 if rng.u8(..8) == 0 => {
                    let name = *rng.choice(["a", "rolling", "from"].as_slice()).unwrap();
                    // In the order of what is delivered.
                    assert!(budgets.reset(name, &Tags::default()));
                    let line = budgets.line(name).unwrap();
                    assert!(book.reset(&[line]));
                    // The times of the two differ: what is taken back next is later than both.
                    shared.flush().await;
                    tokio::time::sleep(Duration::from_millis(20)).await;
                }
                _ => {
                    let lines = budgets.lines(&Tags::default(), "", "");
                    let by = amount(&mut rng);
                    let by = if rng.bool() {
                        by
                    } else {
                        UsdAmount::ZERO.saturating_sub(by)
                    };
                    shared.adjust(&lines, by, UtcTime::now());
                    book.adjust(&lines, by, UtcTime::now());
                }
            }
            same(&shared, &book, &budgets, step).await;
        }
        held.clear();
        same(&shared, &book, &budgets, 150).await;
        assert!(book.accounts().iter().all(|state| state.reserved == UsdAmount::ZERO));
    }
}
