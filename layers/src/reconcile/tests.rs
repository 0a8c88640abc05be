//! An account that refuses the question uses up no try, the refusals end, and each bill is posted once.

use std::{
    future::ready,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use tokio::{runtime::Handle, time::sleep};

use super::*;
use crate::{
    UsdAmount, UtcTime,
    budget::{Budget, Budgets, InMemoryBudgetStore},
    ledger::{Entry, EntryState, Ledger, MemoryLedger},
};

/// Refuses this many questions, then knows nothing for this many, then knows the bill.
#[derive(Debug)]
struct Account {
    refusals: usize,
    misses: usize,
    questions: Arc<AtomicUsize>,
}

impl BillSource for Account {
    fn bill(&self, _: &Entry) -> BillFuture {
        let before = self.questions.fetch_add(1, Ordering::Relaxed);
        let answer = if before < self.refusals {
            let reason = "the key is rejected".to_owned();
            Err(BillError::Refused { reason })
        } else if before < self.refusals + self.misses {
            Ok(None)
        } else {
            Ok(Some(Bill::new(UsdAmount::from_pico(7), None)))
        };
        Box::pin(ready(answer))
    }
}

/// An entry whose estimate is less than what is reserved for it.
fn estimated() -> Entry {
    let reserved = UsdAmount::from_pico(50);
    Entry {
        reserved,
        recorded: reserved,
        ..Entry::estimated(UtcTime::now(), UsdAmount::from_pico(5))
    }
}

/// A ledger and a budget in which entries are recorded, and which outlive a reconciler.
struct Recorded {
    ledger: MemoryLedger,
    store: InMemoryBudgetStore,
    budgets: Budgets,
}

impl Recorded {
    fn new(entries: &[Entry]) -> Self {
        let (store, ledger) = (InMemoryBudgetStore::new(), MemoryLedger::new());
        let budgets = Budgets::in_store([Budget::usd("all", "1").unwrap()], Arc::new(store.clone())).unwrap();
        budgets.refill(entries);
        entries.iter().for_each(|entry| ledger.record(entry));
        Self { ledger, store, budgets }
    }

    fn reconciler(&self, source: impl BillSource + 'static) -> Reconciler {
        Reconciler::builder(Arc::new(source))
            .ledger(Arc::new(self.ledger.clone()))
            .budgets(self.budgets.clone())
            .spawn_on(Handle::current())
            .unwrap()
    }

    fn spent(&self) -> UsdAmount {
        self.store.accounts().iter().map(|state| state.settled).next().unwrap()
    }
}

/// What became of one entry at such an account: the entry, what its budget has spent, and how many questions there were.
async fn after(refusals: usize, misses: usize, time: Duration) -> (Entry, UsdAmount, usize) {
    let questions = Arc::new(AtomicUsize::new(0));
    let entry = estimated();
    let recorded = Recorded::new(std::slice::from_ref(&entry));
    let reconciler = recorded.reconciler(Account {
        refusals,
        misses,
        questions: Arc::clone(&questions),
    });
    reconciler.record(&entry);
    sleep(time).await;
    assert_eq!(reconciler.pending(), 0, "the wait has an end");
    let entry = recorded.ledger.recent(1).remove(0);
    (entry, recorded.spent(), questions.load(Ordering::Relaxed))
}

const HOUR: Duration = Duration::from_secs(3600);

#[tokio::test(start_paused = true)]
async fn a_refusal_uses_up_no_try_and_is_looked_at_again_at_the_longest_interval() {
    // The schedule has twelve tries: the last of them brings the bill.
    let most = usize::try_from(MOST_REFUSALS).unwrap();
    let (entry, spent, questions) = after(most, 11, 2 * HOUR).await;
    assert_eq!(entry.bill, Some(UsdAmount::from_pico(7)));
    assert_eq!((entry.state, questions), (EntryState::Reconciled, most + 12));
    assert_eq!(spent, UsdAmount::from_pico(7));
}

#[tokio::test(start_paused = true)]
async fn refusals_end_and_leave_the_bill_to_a_later_run() {
    let most = usize::try_from(MOST_REFUSALS).unwrap();
    let (entry, spent, questions) = after(usize::MAX / 2, 0, HOUR).await;
    assert_eq!(questions, most + 1);
    assert!(entry.awaits_bill(), "the ledger's entry is not final: {entry:?}");
    assert_eq!(
        spent,
        UsdAmount::from_pico(5),
        "the budget keeps no more than the estimate"
    );
}

#[tokio::test(start_paused = true)]
async fn a_bill_that_was_left_takes_the_place_of_the_estimate_in_a_later_run() {
    let recorded = Recorded::new(&[estimated()]);
    let refusing = recorded.reconciler(Account {
        refusals: usize::MAX,
        misses: 0,
        questions: Arc::default(),
    });
    refusing.resume(recorded.ledger.awaiting_bill());
    sleep(HOUR).await;
    assert_eq!((refusing.pending(), recorded.spent()), (0, UsdAmount::from_pico(5)));
    let left = recorded.ledger.awaiting_bill();
    assert_eq!(left[0].recorded, UsdAmount::from_pico(5), "as the budget counts it");
    // The same budgets: they are in a store that outlives the process.
    let later = recorded.reconciler(Account {
        refusals: 0,
        misses: 0,
        questions: Arc::default(),
    });
    later.resume(left);
    sleep(Duration::from_secs(60)).await;
    assert_eq!(recorded.ledger.recent(1)[0].state, EntryState::Reconciled);
    assert_eq!(recorded.spent(), UsdAmount::from_pico(7));
}

#[tokio::test(start_paused = true)]
async fn an_entry_that_waits_already_is_not_taken_up_again() {
    let entry = estimated();
    let recorded = Recorded::new(std::slice::from_ref(&entry));
    let questions = Arc::new(AtomicUsize::new(0));
    let reconciler = recorded.reconciler(Account {
        refusals: 0,
        misses: 3,
        questions: Arc::clone(&questions),
    });
    reconciler.record(&entry);
    reconciler.resume([entry.clone(), entry]);
    assert_eq!(reconciler.pending(), 1);
    sleep(Duration::from_secs(60)).await;
    assert_eq!((reconciler.pending(), questions.load(Ordering::Relaxed)), (0, 4));
    assert_eq!(recorded.spent(), UsdAmount::from_pico(7));
}

/// A ledger that writes later lists it still.
#[tokio::test(start_paused = true)]
async fn an_entry_whose_bill_was_just_posted_is_not_taken_up_again() {
    let entry = estimated();
    let recorded = Recorded::new(std::slice::from_ref(&entry));
    let questions = Arc::new(AtomicUsize::new(0));
    let reconciler = recorded.reconciler(Account {
        refusals: 0,
        misses: 0,
        questions: Arc::clone(&questions),
    });
    reconciler.record(&entry);
    for _ in 0..9 {
        sleep(Duration::from_secs(60)).await;
        reconciler.resume([entry.clone()]);
        assert_eq!((reconciler.pending(), questions.load(Ordering::Relaxed)), (0, 1));
    }
    assert_eq!(recorded.spent(), UsdAmount::from_pico(7));
    // It is not remembered permanently: by then the ledger has the correction.
    sleep(Duration::from_secs(120)).await;
    reconciler.resume([entry]);
    assert_eq!(reconciler.pending(), 1);
}

/// Takes half a minute for each answer, and has no bill before this time.
#[derive(Debug)]
struct Slow(UtcTime);

impl BillSource for Slow {
    fn bill(&self, _: &Entry) -> BillFuture {
        let known_at = self.0;
        Box::pin(async move {
            sleep(Duration::from_secs(30)).await;
            if UtcTime::now() < known_at {
                let reason = "it is overloaded".to_owned();
                return Err(BillError::Later { reason });
            }
            Ok(Some(Bill::new(UsdAmount::from_pico(2), None)))
        })
    }
}

/// Far more entries than a slow account answers in the time, so that they are claimed again while questions are still on their way.
#[tokio::test(start_paused = true)]
async fn bills_that_a_slow_account_delays_are_posted_once() {
    let entries: Vec<_> = (0..200).map(|_| estimated()).collect();
    let recorded = Recorded::new(&entries);
    let reconciler = recorded.reconciler(Slow(UtcTime::now().after(2 * HOUR)));
    reconciler.resume(entries);
    sleep(HOUR * 4 / 3).await;
    assert_eq!(reconciler.pending(), 0, "each is left in time");
    assert_eq!(recorded.ledger.awaiting_bill().len(), 200);
    sleep(HOUR / 6).await;
    // By this process or another.
    reconciler.resume(recorded.ledger.awaiting_bill());
    assert_eq!(reconciler.pending(), 200);
    sleep(2 * HOUR).await;
    assert_eq!((reconciler.pending(), recorded.ledger.awaiting_bill().len()), (0, 0));
    assert_eq!(recorded.spent(), UsdAmount::from_pico(2 * 200));
}
