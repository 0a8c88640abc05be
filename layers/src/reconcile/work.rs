//! The bill of one entry: requested until it comes, then posted.

use std::{
    collections::HashSet,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use tokio::{
    sync::Semaphore,
    time::{sleep, timeout},
};

use super::{
    Bill, BillError, BillSource,
    ended::EndedEntries,
    schedule::{MOST_REFUSALS, spread, waits},
};
use crate::{
    UtcTime,
    budget::Budgets,
    ledger::{Correction, Entry, EntryId, Ledger},
    util::Lock,
};

/// How long a source may take for one answer: longer than any upstream does, so that one that hangs holds no place for good.
const LONGEST_QUESTION: Duration = Duration::from_secs(60);

/// What each task needs. It does not hold the tasks, so that they end with the last handle.
#[derive(Debug)]
pub(super) struct Work {
    pub(super) source: Arc<dyn BillSource>,
    pub(super) ledger: Arc<dyn Ledger>,
    pub(super) budgets: Option<Budgets>,
    pub(super) requests: Semaphore,
    pub(super) most: usize,
    pub(super) max_age: Duration,
    pub(super) waits: (Duration, Duration),
    /// The entries that wait for their bill.
    pub(super) pending: Lock<HashSet<EntryId>>,
    /// Those whose bill was posted, or whose estimate is final.
    pub(super) ended: Lock<EndedEntries>,
    pub(super) rejected: AtomicU64,
    pub(super) expired: AtomicU64,
}

/// One of the places to wait in, and the entry that has it. Dropped with its task, whatever ends that.
pub(super) struct PendingSlot {
    work: Arc<Work>,
    entry: EntryId,
}

/// Why an entry gets no place.
pub(super) enum NoSlot {
    /// It has one, or had one until its bill was posted: that must not be posted twice.
    Held,
    Full,
}

impl PendingSlot {
    pub(super) fn take(work: &Arc<Work>, entry: EntryId) -> Result<Self, NoSlot> {
        let mut pending = work.pending.lock();
        if pending.contains(&entry) || work.ended.lock().contains(entry) {
            return Err(NoSlot::Held);
        }
        if pending.len() >= work.most {
            return Err(NoSlot::Full);
        }
        pending.insert(entry);
        let work = Arc::clone(work);
        Ok(Self { work, entry })
    }
}

impl Drop for PendingSlot {
    fn drop(&mut self) {
        self.work.pending.lock().remove(&self.entry);
    }
}

/// Requests the bill of an entry until this time, which is wall time, since other processes go by it; a suspended machine's time passes too. If the clock
/// steps beyond it, the bill is left to a later run. After it the entry may be another process's, and no bill is posted.
pub(super) async fn reconcile(place: PendingSlot, entry: Entry, until: UtcTime) {
    let work = &place.work;
    let mut reason = "the upstream does not know it yet".to_owned();
    let (first, longest) = work.waits;
    let mut waits = waits(first, longest);
    let mut refusals = 0;
    let mut next = waits.next();
    while let Some(wait) = next {
        sleep(wait.min(time_left(until))).await;
        let Some(answer) = work.request(&entry, until).await else {
            return work.leave(&entry, &reason);
        };
        next = match answer {
            Ok(Some(bill)) => return work.post(&entry, bill),
            Ok(None) => waits.next(),
            Err(BillError::Later { reason: why }) => {
                reason = why;
                waits.next()
            }
            Err(BillError::Refused { reason: why }) if refusals == MOST_REFUSALS => return work.leave(&entry, &why),
            Err(BillError::Refused { reason: why }) => {
                reason = why;
                refusals += 1;
                Some(spread(longest))
            }
            Err(BillError::Never { reason: why }) => {
                reason = why;
                None
            }
        };
    }
    work.give_up(&entry, &reason);
}

/// How long it is until this time.
fn time_left(until: UtcTime) -> Duration {
    until.since(UtcTime::now())
}

impl Work {
    /// Requests a bill; `None` if there is no answer by this time, also if too many other questions are on their way.
    async fn request(&self, entry: &Entry, until: UtcTime) -> Option<Result<Option<Bill>, BillError>> {
        // Closed never.
        let _request = timeout(time_left(until), self.requests.acquire()).await.ok()?.ok()?;
        let time = LONGEST_QUESTION.min(time_left(until));
        if time.is_zero() {
            return None;
        }
        let answer = timeout(time, self.source.bill(entry)).await;
        let late = |_| {
            Err(BillError::Later {
                reason: format!("no answer within {} s", LONGEST_QUESTION.as_secs()),
            })
        };
        (!time_left(until).is_zero()).then(|| answer.unwrap_or_else(late))
    }

    fn post(&self, entry: &Entry, bill: Bill) {
        tracing::debug!(target: "llm::cost", entry = %entry.id, bill = %bill.amount, estimate = %entry.cost(), "bill came");
        if let Some(budgets) = &self.budgets {
            budgets.correct(entry, bill.amount);
        }
        let correction = Correction::new(entry.id, UtcTime::now(), bill.amount, bill.usage);
        self.ended.lock().add(entry.id, self.most);
        self.ledger.correct(&correction);
    }

    /// No bill is waited for any more.
    pub(super) fn give_up(&self, entry: &Entry, reason: &str) {
        self.report(entry, reason, "no bill was received: the estimate is final");
        self.settle(entry);
    }

    /// The account refused the question, or did not answer it in time: the bill is left to a later run. The ledger records what the budgets keep, so
    /// that the bill takes the place of that.
    fn leave(&self, entry: &Entry, reason: &str) {
        let message = "the account does not report the bill: the estimate stands until a later run requests it";
        self.report(entry, reason, message);
        self.keep_estimate(entry);
        self.ledger
            .correct(&Correction::deferred(entry.id, UtcTime::now(), entry.cost()));
    }

    fn report(&self, entry: &Entry, reason: &str, message: &'static str) {
        self.expired.fetch_add(1, Ordering::Relaxed);
        tracing::warn!(
            target: "llm::cost",
            entry = %entry.id,
            model = &*entry.model,
            estimate = %entry.cost(),
            reason,
            message
        );
    }

    /// The estimate is final: the budgets keep no more than it, and the ledger says so.
    pub(super) fn settle(&self, entry: &Entry) {
        self.keep_estimate(entry);
        self.ended.lock().add(entry.id, self.most);
        self.ledger
            .correct(&Correction::unbilled(entry.id, UtcTime::now(), entry.cost()));
    }

    /// The budgets keep no more than the estimate.
    fn keep_estimate(&self, entry: &Entry) {
        if let Some(budgets) = &self.budgets {
            budgets.correct(entry, entry.cost());
        }
    }
}
