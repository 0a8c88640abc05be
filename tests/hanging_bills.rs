//! A source of bills that hangs holds up no other question for good.

use std::{
    future::{pending, ready},
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use tokio::{runtime::Handle, time::sleep};
use tower_openrouter::{
    UsdAmount,
    layers::{
        Tags, TokenUsage, UtcTime,
        ledger::{CallId, Entry, EntryId, EntryOutcome, EntryState, Ledger},
        reconcile::{Bill, BillFuture, BillSource, Reconciler},
    },
};

use crate::support::ledger::Kept;

/// Hangs at the first questions.
#[derive(Debug)]
struct Hanging {
    times: usize,
    asked: AtomicUsize,
}

impl BillSource for Hanging {
    fn bill(&self, _: &Entry) -> BillFuture {
        if self.asked.fetch_add(1, Ordering::Relaxed) < self.times {
            return Box::pin(pending());
        }
        Box::pin(ready(Ok(Some(Bill::new(UsdAmount::from_pico(7), None)))))
    }
}

fn estimated() -> Entry {
    let at = UtcTime::now();
    let estimate = UsdAmount::from_pico(5);
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
        reserved: estimate,
        estimate: Some(estimate),
        bill: None,
        recorded: estimate,
        usage: TokenUsage::default(),
        generation_id: Some("gen-1".into()),
        first_token: None,
        clamped_to: None,
        affordable_tokens: None,
    }
}

#[tokio::test(start_paused = true)]
async fn a_source_that_hangs_is_given_up_on_and_asked_again() {
    let kept = Kept::new();
    let source = Hanging {
        times: 4,
        asked: AtomicUsize::new(0),
    };
    let reconciler = Reconciler::builder(Arc::new(source))
        .ledger(kept.clone())
        .spawn_on(Handle::current())
        .unwrap();
    for _ in 0..8 {
        let entry = estimated();
        kept.record(&entry);
        reconciler.record(&entry);
    }
    sleep(Duration::from_secs(600)).await;
    assert_eq!((reconciler.pending(), reconciler.expired()), (0, 0));
    assert!(kept.entries().iter().all(|entry| entry.state == EntryState::Reconciled));
}

#[tokio::test]
async fn a_reconciler_that_cannot_be_is_refused_with_all_that_is_wrong() {
    let builder = || {
        Reconciler::builder(Arc::new(Hanging {
            times: 0,
            asked: AtomicUsize::new(0),
        }))
    };
    let wrong = builder().first_wait(Duration::ZERO).longest_wait(Duration::MAX);
    let error = wrong
        .max_pending(0)
        .max_requests(0)
        .spawn_on(Handle::current())
        .unwrap_err();
    let text = error.to_string();
    assert_eq!((error.problems().len(), text.lines().count()), (4, 4), "{text}");
    for field in ["first_wait", "longest_wait", "max_pending", "max_requests"] {
        assert!(text.contains(&format!("`{field}` of the reconciler is ")), "{text}");
    }
    let most = builder().max_requests(usize::MAX).max_pending(usize::MAX);
    let reconciler = most.spawn_on(Handle::current()).unwrap();
    assert_eq!(reconciler.pending(), 0);
}
