//! Interrupted answers: their recorded cost, and how their bill is fetched later.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

#[cfg(feature = "sqlite")]
use crate::support::call;
use crate::support::{
    FIRST, World, ask,
    ledger::{Kept, bill},
    prices::account_at,
    raw::{Raw, Step, head, json, send},
};
use openrouter_simulator::Simulator;
use tokio::{runtime::Handle, time::sleep};
use tower_openrouter::{
    Account, ApiKey, ChatServiceExt, Stack, Transport, UsdAmount,
    account::Bills,
    layers::{
        WorstCasePrice,
        budget::{Budget, Budgets, InMemoryBudgetStore, Window},
        cost::UnknownPrice,
        ledger::{Entry, EntryId, EntryOutcome, EntryState, Ledger},
        reconcile::Reconciler,
    },
};

/// Answers word by word, and knows of them only so much later.
async fn late(lag: Duration) -> World {
    let simulator = Simulator::builder().generation_lag(lag).start().await.unwrap();
    World::over(simulator, "delay=1s;words=50")
}

fn account(world: &World) -> Account {
    let upstream = world.upstream();
    let transport = Transport::builder().upstream(upstream.clone()).build().unwrap();
    let key = ApiKey::new("sk-or-v1-0123456789abcdef0123456789abtest").unwrap();
    Account::new(transport, upstream, Some(key))
}

/// The budgets of a process, its ledger, and who fetches late bills.
struct Books {
    budgets: Budgets,
    book: InMemoryBudgetStore,
    kept: Arc<Kept>,
    reconciler: Reconciler,
}

impl Books {
    fn new(world: &World, kept: Arc<Kept>) -> Self {
        let book = InMemoryBudgetStore::new();
        let budget = Budget::usd("all", "1").unwrap().per(Window::Month);
        let budgets = Budgets::in_store([budget], Arc::new(book.clone())).unwrap();
        let reconciler = Reconciler::builder(Arc::new(Bills::openrouter(account(world))))
            .ledger(kept.clone())
            .budgets(budgets.clone())
            .spawn_on(Handle::current())
            .unwrap();
        Self {
            budgets,
            book,
            kept,
            reconciler,
        }
    }

    fn stack(&self, world: &World) -> Stack {
        let half_a_dollar = WorstCasePrice::new().fixed("0.5".parse().unwrap());
        world
            .builder()
            .chain([FIRST])
            .budgets(self.budgets.clone())
            .unknown_price(UnknownPrice::Assume(half_a_dollar))
            .ledger(self.kept.clone())
            .reconciler(self.reconciler.clone())
            .build()
            .unwrap()
    }

    fn spent(&self) -> (UsdAmount, UsdAmount) {
        let state = &self.book.accounts()[0];
        (state.settled, state.reserved)
    }
}

async fn leave_after_three_words(stack: &Stack) {
    let mut answer = stack.stream(ask()).await.unwrap();
    for _ in 0..3 {
        answer.next_text().await.unwrap().unwrap();
    }
}

#[tokio::test(start_paused = true)]
async fn a_stream_left_mid_way_ends_at_the_upstreams_own_bill() {
    let world = late(Duration::from_secs(90)).await;
    let books = Books::new(&world, Kept::new());
    leave_after_three_words(&books.stack(&world)).await;

    let entry = books.kept.entries().remove(0);
    assert_eq!(
        (entry.state, entry.outcome),
        (EntryState::Estimated, EntryOutcome::Dropped)
    );
    assert_eq!((entry.usage.answer, entry.bill), (3, None));
    let half = "0.5".parse().unwrap();
    assert_eq!(
        books.spent(),
        (half, UsdAmount::ZERO),
        "the reservation stays until the bill is there"
    );
    assert_eq!(books.reconciler.pending(), 1);

    sleep(Duration::from_secs(80)).await;
    assert_eq!(
        books.kept.entries()[0].state,
        EntryState::Estimated,
        "it is not known yet"
    );
    sleep(Duration::from_secs(80)).await;
    let entry = books.kept.entries().remove(0);
    assert_eq!(entry.state, EntryState::Reconciled);
    assert!(bill(&world.simulator) > 0);
    assert_eq!(entry.cost().pico(), bill(&world.simulator));
    assert_eq!(books.spent(), (entry.cost(), UsdAmount::ZERO));
    assert_eq!(books.reconciler.pending(), 0);
}

#[tokio::test(start_paused = true)]
async fn the_same_over_a_restart() {
    let world = late(Duration::from_secs(90)).await;
    let kept = Kept::new();
    let first = Books::new(&world, kept.clone());
    leave_after_three_words(&first.stack(&world)).await;
    sleep(Duration::from_secs(20)).await;
    drop(first);
    sleep(Duration::from_secs(300)).await;
    assert_eq!(
        kept.entries()[0].state,
        EntryState::Estimated,
        "nothing runs after the end"
    );

    let second = Books::new(&world, kept.clone());
    second.budgets.refill(&kept.entries());
    assert_eq!(second.spent().0, "0.5".parse().unwrap());
    second.reconciler.resume(kept.entries());
    sleep(Duration::from_secs(10)).await;
    assert_eq!(kept.entries()[0].state, EntryState::Reconciled);
    assert_eq!(kept.total(), bill(&world.simulator));
    assert_eq!(second.spent(), (kept.entries()[0].cost(), UsdAmount::ZERO));
}

#[tokio::test(start_paused = true)]
async fn a_bill_that_never_comes_leaves_the_estimate() {
    let world = late(Duration::from_secs(100_000)).await;
    let books = Books::new(&world, Kept::new());
    leave_after_three_words(&books.stack(&world)).await;
    sleep(Duration::from_secs(3600)).await;
    let entry = books.kept.entries().remove(0);
    assert_eq!(
        (entry.state, entry.recorded, entry.bill),
        (EntryState::Unbilled, entry.cost(), None),
        "the ledger says that it is final"
    );
    assert!(!entry.awaits_bill());
    assert_eq!((books.reconciler.pending(), books.reconciler.expired()), (0, 1));
    assert_eq!(
        books.spent().0,
        entry.cost(),
        "the budget keeps no more than the estimate"
    );
}

/// A generation endpoint that answers by these scripts, the last one again and again, and the entry that waits for its bill.
async fn asked_for(replies: Vec<Vec<Step>>) -> (Arc<Kept>, Reconciler) {
    let world = late(Duration::from_secs(100_000)).await;
    let kept = Kept::new();
    let stack = world.builder().chain([FIRST]).ledger(kept.clone()).build().unwrap();
    leave_after_three_words(&stack).await;
    let (asked, last) = (AtomicUsize::new(0), replies.len() - 1);
    let raw = Raw::start(move |_| replies[asked.fetch_add(1, Ordering::Relaxed).min(last)].clone()).await;
    let reconciler = Reconciler::builder(Arc::new(Bills::openrouter(account_at(raw.upstream()))))
        .ledger(kept.clone())
        .spawn_on(Handle::current())
        .unwrap();
    reconciler.record(&kept.entries()[0]);
    sleep(Duration::from_secs(3600)).await;
    assert_eq!(reconciler.pending(), 0);
    (kept, reconciler)
}

fn generation(of: &str) -> Vec<Step> {
    vec![
        json(),
        send(format!(
            r#"{{"data":{{"id":"gen-1","native_tokens_prompt":9,"native_tokens_completion":3,{of}}}}}"#
        )),
    ]
}

fn status(status: &str) -> Vec<Step> {
    let error = r#"{"error":{"code":401,"message":"No auth credentials found"}}"#;
    vec![head(status, "application/json"), send(error)]
}

#[tokio::test(start_paused = true)]
async fn a_key_that_is_refused_for_a_while_gives_up_no_bill() {
    for refusal in ["401 Unauthorized", "403 Forbidden", "429 Too Many Requests", "500 Oops"] {
        let (kept, reconciler) = asked_for(vec![
            status(refusal),
            status(refusal),
            generation(r#""total_cost":0.25"#),
        ])
        .await;
        let entry = kept.entries().remove(0);
        assert_eq!(
            (entry.state, reconciler.expired()),
            (EntryState::Reconciled, 0),
            "{refusal}"
        );
        assert_eq!(entry.bill, Some("0.25".parse().unwrap()));
    }
}

#[tokio::test(start_paused = true)]
async fn with_the_accounts_own_key_the_fee_alone_is_no_bill_yet() {
    let early = generation(r#""total_cost":0,"is_byok":true,"upstream_inference_cost":null"#);
    let late = generation(r#""total_cost":0,"is_byok":true,"upstream_inference_cost":0.5"#);
    let (kept, _) = asked_for(vec![early, late]).await;
    assert_eq!(kept.entries()[0].bill, Some("0.5".parse().unwrap()));
}

#[tokio::test(start_paused = true)]
async fn what_does_not_fit_is_counted_and_settled_at_its_estimate() {
    let world = late(Duration::from_secs(5)).await;
    let kept = Kept::new();
    let reconciler = Reconciler::builder(Arc::new(Bills::openrouter(account(&world))))
        .ledger(kept.clone())
        .max_pending(2)
        .spawn_on(Handle::current())
        .unwrap();
    let stack = world
        .builder()
        .chain([FIRST])
        .ledger(kept.clone())
        .reconciler(reconciler.clone())
        .build()
        .unwrap();
    for _ in 0..3 {
        leave_after_three_words(&stack).await;
    }
    // The first two were requested long ago.
    assert_eq!(
        reconciler.rejected() + u64::try_from(reconciler.pending()).unwrap() + reconciled(&kept),
        3
    );
    sleep(Duration::from_secs(60)).await;
    assert_eq!(
        (reconciler.pending(), reconciler.rejected() + reconciled(&kept)),
        (0, 3)
    );
    let open: Vec<_> = kept.entries().into_iter().filter(Entry::awaits_bill).collect();
    assert!(open.is_empty(), "{open:?}");
}

/// The latest entries have the places; what is too old, and what finds no place, is settled at once, in the budgets as well.
#[tokio::test(start_paused = true)]
async fn what_is_resumed_has_an_end_for_every_entry() {
    let world = late(Duration::from_secs(100_000)).await;
    let first = Books::new(&world, Kept::new());
    leave_after_three_words(&first.stack(&world)).await;
    let entry = first.kept.entries().remove(0);
    let kept = Kept::new();
    let aged = |days: u64| {
        let mut aged = entry.clone();
        aged.ended = entry.ended.before(Duration::from_secs(days * 24 * 60 * 60));
        aged.id = EntryId::new(aged.ended);
        kept.record(&aged);
        aged
    };
    let entries: Vec<_> = [0, 1, 2, 30].map(aged).into();
    let budgets = Budgets::new([Budget::usd("all", "10").unwrap()]).unwrap();
    budgets.refill(&entries);
    let reconciler = Reconciler::builder(Arc::new(Bills::openrouter(account(&world))))
        .ledger(kept.clone())
        .budgets(budgets.clone())
        .max_pending(2)
        .spawn_on(Handle::current())
        .unwrap();
    reconciler.resume(entries);
    let states = || kept.entries().iter().map(|entry| entry.state).collect::<Vec<_>>();
    use EntryState::{Estimated, Unbilled};
    assert_eq!(states(), [Estimated, Estimated, Unbilled, Unbilled]);
    assert_eq!((reconciler.rejected(), reconciler.expired()), (1, 1));
    sleep(Duration::from_secs(3600)).await;
    assert_eq!(states(), [Unbilled; 4]);
    let cost = kept
        .entries()
        .iter()
        .fold(UsdAmount::ZERO, |sum, entry| sum.saturating_add(entry.recorded));
    assert_eq!(cost, entry.cost().checked_mul(4).unwrap());
}

fn reconciled(kept: &Kept) -> u64 {
    let entries = kept.entries();
    entries
        .iter()
        .filter(|entry| entry.state == EntryState::Reconciled)
        .count() as u64
}

#[tokio::test(start_paused = true)]
async fn bills_are_requested_a_few_at_a_time_and_another_upstreams_not_at_all() {
    let world = late(Duration::ZERO).await;
    let kept = Kept::new();
    let stack = world.builder().chain([FIRST]).ledger(kept.clone()).build().unwrap();
    leave_after_three_words(&stack).await;
    let entry = kept.entries().remove(0);
    assert!(entry.awaits_bill());
    let reconciler = Reconciler::builder(Arc::new(Bills::openrouter(account(&world))))
        .spawn_on(Handle::current())
        .unwrap();
    let mut elsewhere = entry.clone();
    elsewhere.upstream = "openai".into();
    reconciler.record(&elsewhere);
    sleep(Duration::from_secs(1)).await;
    assert_eq!((reconciler.pending(), reconciler.expired()), (0, 1));
}

/// The whole of it with a real file between two processes.
#[cfg(feature = "sqlite")]
#[tokio::test]
async fn a_file_brings_back_what_was_spent_and_what_awaits_its_bill() {
    use tower_openrouter::{
        layers::ledger::{GroupBy, Tee},
        ledger::{Filter, LedgerOptions},
    };
    let file = std::env::temp_dir().join(format!("late-bills-{}.sqlite", std::process::id()));
    // In real time: the simulator knows of an answer a little later.
    let simulator = Simulator::builder()
        .generation_lag(Duration::from_millis(300))
        .start()
        .await
        .unwrap();
    let world = World::over(simulator, "delay=5ms;words=50");
    let kept = Kept::new();
    {
        let ledger = LedgerOptions::sqlite(&file).open().await.unwrap();
        let stack = world
            .builder()
            .chain([FIRST])
            .ledger(Arc::new(Tee::new([
                kept.clone() as Arc<dyn Ledger>,
                Arc::new(ledger.clone()),
            ])))
            .build()
            .unwrap();
        leave_after_three_words(&stack).await;
        assert!(call(&stack, true, ask()).await.error.is_none());
        assert_eq!(ledger.close().await.lost, 0);
    }
    let ledger = LedgerOptions::sqlite(&file).open().await.unwrap();
    let book = InMemoryBudgetStore::new();
    let budget = Budget::usd("all", "1").unwrap().per(Window::Month);
    let budgets = Budgets::in_store([budget], Arc::new(book.clone())).unwrap();
    let reconciler = Reconciler::builder(Arc::new(Bills::openrouter(account(&world))))
        .ledger(Arc::new(ledger.clone()))
        .budgets(budgets.clone())
        .first_wait(Duration::from_millis(100))
        .spawn_on(Handle::current())
        .unwrap();
    assert_eq!(ledger.restore(&budgets).await.unwrap().recorded, 2);
    assert_eq!(ledger.resume_bills(&reconciler).await.unwrap(), 1);
    assert_eq!(
        book.accounts()[0].settled.pico(),
        kept.total(),
        "estimates and bills as they were recorded"
    );
    while reconciler.pending() > 0 {
        sleep(Duration::from_millis(20)).await;
    }
    assert_eq!(ledger.close().await.lost, 0);
    let total = ledger.total(&Filter::new()).await.unwrap();
    assert_eq!(
        (total.cost.pico(), total.estimated),
        (bill(&world.simulator), UsdAmount::ZERO)
    );
    assert_eq!(book.accounts()[0].settled.pico(), bill(&world.simulator));
    assert_eq!(
        ledger.spend(&GroupBy::Model, &Filter::new()).await.unwrap()[0].group,
        FIRST
    );
    for suffix in ["", "-wal", "-shm", "-accepted"] {
        let mut name = file.clone().into_os_string();
        name.push(suffix);
        drop(std::fs::remove_file(name));
    }
}
