//! An account that refuses the question uses up no try, and the refusals end.

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
    Tags, TokenUsage, UsdAmount, UtcTime,
    budget::{Budget, Budgets, InMemoryBudgetStore},
    ledger::{CallId, Entry, EntryId, EntryOutcome, EntryState, Ledger, MemoryLedger},
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
    let at = UtcTime::now();
    let reserved = UsdAmount::from_pico(50);
    Entry {
        id: EntryId::new(at),
        call: CallId::new(at),
        attempt: 1,
        began: at,
        ended: at,
        upstream: "openrouter".into(),
        provider: None,
        model: "a/b".into(),
        served_model: None,
        tags: Tags::default(),
        state: EntryState::Estimated,
        outcome: EntryOutcome::Dropped,
        streamed: true,
        reserved,
        estimate: Some(UsdAmount::from_pico(5)),
        bill: None,
        recorded: reserved,
        usage: TokenUsage::default(),
        generation_id: Some("gen-1".into()),
        first_token: None,
        clamped_to: None,
        affordable_tokens: None,
    }
}

/// What became of one entry at such an account: the entry, what its budget has spent, and how many questions there were.
async fn after(refusals: usize, misses: usize, time: Duration) -> (Entry, UsdAmount, usize) {
    let questions = Arc::new(AtomicUsize::new(0));
    let account = Account {
        refusals,
        misses,
        questions: Arc::clone(&questions),
    };
    let (store, ledger, entry) = (InMemoryBudgetStore::new(), MemoryLedger::new(), estimated());
    let budgets = Budgets::in_store([Budget::usd("all", "1").unwrap()], Arc::new(store.clone())).unwrap();
    budgets.refill([&entry]);
    let reconciler = Reconciler::builder(Arc::new(account))
        .ledger(Arc::new(ledger.clone()))
        .budgets(budgets)
        .spawn_on(Handle::current())
        .unwrap();
    ledger.record(&entry);
    reconciler.record(&entry);
    sleep(time).await;
    let spent = store.accounts().iter().map(|state| state.settled).next().unwrap();
    let is_pending = usize::from(reconciler.pending() > 0);
    assert_eq!(is_pending, 0, "the wait has an end");
    (ledger.recent(1).remove(0), spent, questions.load(Ordering::Relaxed))
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
