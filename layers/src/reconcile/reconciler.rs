//! Asks for late bills in the background, and corrects the entries.

use std::{
    collections::{HashSet, VecDeque},
    fmt,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use tokio::{
    runtime::Handle,
    sync::Semaphore,
    task::JoinSet,
    time::{Instant, sleep, timeout},
};

use super::{
    Bill, BillError, BillSource, ReconcilerError,
    error::check,
    schedule::{INITIAL_BILL_DELAY, MAX_BILL_DELAY, MOST_REFUSALS, longest_pending, spread, waits},
};
use crate::{
    UtcTime,
    budget::Budgets,
    ledger::{Correction, Entry, EntryId, Ledger, Tee},
    util::Lock,
};

/// Entries that may wait for their bill at once, by default.
pub const MAX_PENDING: usize = 10_000;
/// The age from which on an entry waits for no bill, by default: upstreams forget generations.
pub const MAX_AGE: Duration = Duration::from_secs(7 * 24 * 60 * 60);
/// Questions for bills that may be on their way at once, by default.
pub const MAX_REQUESTS: usize = 4;

/// How long a source may take for one answer: longer than any upstream does, so that one that hangs holds no place for good.
const LONGEST_QUESTION: Duration = Duration::from_secs(60);

/// How long an entry that ended here is not taken up again: the ledger may still list it as one that awaits its bill, until it has written the correction.
const REMEMBERED: Duration = Duration::from_secs(600);

/// Requests the bills of interrupted answers. Cheap to clone. See the [module](super).
#[derive(Clone)]
pub struct Reconciler {
    work: Arc<Work>,
    tasks: Arc<Mutex<JoinSet<()>>>,
    runtime: Handle,
}

/// Sets up a [`Reconciler`].
#[derive(Debug, Clone)]
pub struct ReconcilerBuilder {
    source: Arc<dyn BillSource>,
    ledger: Arc<dyn Ledger>,
    budgets: Option<Budgets>,
    max_pending: usize,
    max_requests: usize,
    max_age: Duration,
    first_wait: Duration,
    longest_wait: Duration,
}

/// What each task needs. It does not hold the tasks, so that they end with the last handle.
#[derive(Debug)]
struct Work {
    source: Arc<dyn BillSource>,
    ledger: Arc<dyn Ledger>,
    budgets: Option<Budgets>,
    requests: Semaphore,
    most: usize,
    max_age: Duration,
    waits: (Duration, Duration),
    /// The entries that wait for their bill.
    pending: Lock<HashSet<EntryId>>,
    /// Those whose bill was posted, or whose estimate is final.
    ended: Lock<EndedEntries>,
    rejected: AtomicU64,
    expired: AtomicU64,
}

impl ReconcilerBuilder {
    /// The ledger to which corrections are posted: the one that keeps the entries.
    #[must_use]
    pub fn ledger(mut self, ledger: Arc<dyn Ledger>) -> Self {
        self.ledger = ledger;
        self
    }

    /// The budgets that the difference is posted to: those [in force](Budgets::activate) when it is known, of all over these accounts.
    #[must_use]
    pub fn budgets(mut self, budgets: Budgets) -> Self {
        self.budgets = Some(budgets);
        self
    }

    /// How many entries may wait at once, 1 or more; [`MAX_PENDING`] by default.
    #[must_use]
    pub const fn max_pending(mut self, entries: usize) -> Self {
        self.max_pending = entries;
        self
    }

    /// The age from which on an entry that is [resumed](Reconciler::resume) waits for no bill, but is settled at its estimate; [`MAX_AGE`] by
    /// default.
    #[must_use]
    pub const fn max_age(mut self, age: Duration) -> Self {
        self.max_age = age;
        self
    }

    /// How many questions may be on their way at once, 1 or more; [`MAX_REQUESTS`] by default.
    #[must_use]
    pub const fn max_requests(mut self, requests: usize) -> Self {
        self.max_requests = requests;
        self
    }

    /// From the end of an attempt to the first question, from 1 ms to the [longest wait](Self::longest_wait); [`INITIAL_BILL_DELAY`] by default. Each
    /// further wait is twice as long.
    #[must_use]
    pub const fn first_wait(mut self, wait: Duration) -> Self {
        self.first_wait = wait;
        self
    }

    /// The longest wait between two questions, after which the bill is given up, from 1 ms to 1 day; [`MAX_BILL_DELAY`] by default.
    #[must_use]
    pub const fn longest_wait(mut self, wait: Duration) -> Self {
        self.longest_wait = wait;
        self
    }

    /// Starts it on this runtime.
    ///
    /// # Errors
    ///
    /// If a wait is out of its bounds, or a count is 0. The error names every wrong setting at once, its value, and the fix.
    pub fn spawn_on(self, runtime: Handle) -> Result<Reconciler, ReconcilerError> {
        let counts = [("max_pending", self.max_pending), ("max_requests", self.max_requests)];
        check(self.first_wait, self.longest_wait, counts)?;
        Ok(Reconciler {
            work: Arc::new(Work {
                source: self.source,
                ledger: self.ledger,
                budgets: self.budgets,
                requests: Semaphore::new(self.max_requests.min(Semaphore::MAX_PERMITS)),
                most: self.max_pending,
                max_age: self.max_age,
                waits: (self.first_wait, self.longest_wait),
                pending: Lock::default(),
                ended: Lock::default(),
                rejected: AtomicU64::new(0),
                expired: AtomicU64::new(0),
            }),
            tasks: Arc::default(),
            runtime,
        })
    }
}

impl Reconciler {
    /// Sets up a reconciler that requests bills from this source.
    #[must_use]
    pub fn builder(source: Arc<dyn BillSource>) -> ReconcilerBuilder {
        ReconcilerBuilder {
            source,
            ledger: Arc::new(Tee::default()),
            budgets: None,
            max_pending: MAX_PENDING,
            max_requests: MAX_REQUESTS,
            max_age: MAX_AGE,
            first_wait: INITIAL_BILL_DELAY,
            longest_wait: MAX_BILL_DELAY,
        }
    }

    /// Takes up entries that an earlier run left without a bill: the first ones have the places, so give it the latest first. One that waits
    /// already, or that ended here in the last ten minutes, is passed over: what it is read from may not have its correction yet.
    pub fn resume(&self, entries: impl IntoIterator<Item = Entry>) {
        for entry in entries {
            self.take_up(entry);
        }
    }

    /// How many entries wait for their bill.
    #[must_use]
    pub fn pending(&self) -> usize {
        self.work.pending.lock().len()
    }

    /// How many did not fit, and were settled at their estimate.
    #[must_use]
    pub fn rejected(&self) -> u64 {
        self.work.rejected.load(Ordering::Relaxed)
    }

    /// How many bills did not come, those that were left to a later run included.
    #[must_use]
    pub fn expired(&self) -> u64 {
        self.work.expired.load(Ordering::Relaxed)
    }

    fn take_up(&self, entry: Entry) {
        if !entry.awaits_bill() {
            return;
        }
        let place = PendingSlot::take(&self.work, entry.id);
        if matches!(place, Err(NoSlot::Held)) {
            return;
        }
        if !self.work.source.has_bills(&entry.upstream) {
            return self.work.give_up(&entry, "the upstream reports no bills");
        }
        if UtcTime::now().since(entry.ended) > self.work.max_age {
            return self.work.give_up(&entry, "the entry is too old for one");
        }
        let Ok(place) = place else {
            let before = self.work.rejected.fetch_add(1, Ordering::Relaxed);
            if before == 0 {
                tracing::error!(
                    target: "llm::cost",
                    most = self.work.most,
                    "too many entries wait for their bill: those that follow are settled at their estimates"
                );
            }
            return self.work.settle(&entry);
        };
        let mut tasks = self.tasks.lock().unwrap_or_else(PoisonError::into_inner);
        while tasks.try_join_next().is_some() {}
        let (first, longest) = self.work.waits;
        let until = UtcTime::now().after(longest_pending(first, longest));
        tasks.spawn_on(reconcile(place, entry, until), &self.runtime);
    }
}

/// One of the places to wait in, and the entry that has it. Dropped with its task, whatever ends that.
struct PendingSlot {
    work: Arc<Work>,
    entry: EntryId,
}

/// Why an entry gets no place.
enum NoSlot {
    /// It has one, or had one until its bill was posted: that must not be posted twice.
    Held,
    Full,
}

impl PendingSlot {
    fn take(work: &Arc<Work>, entry: EntryId) -> Result<Self, NoSlot> {
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

/// The entries that ended lately, up to a number.
#[derive(Debug, Default)]
struct EndedEntries {
    ids: HashSet<EntryId>,
    in_order: VecDeque<(Instant, EntryId)>,
}

impl EndedEntries {
    fn contains(&mut self, entry: EntryId) -> bool {
        self.forget_old(usize::MAX);
        self.ids.contains(&entry)
    }

    fn add(&mut self, entry: EntryId, most: usize) {
        if self.ids.insert(entry) {
            self.in_order.push_back((Instant::now(), entry));
        }
        self.forget_old(most);
    }

    fn forget_old(&mut self, most: usize) {
        while let Some((at, entry)) = self.in_order.front() {
            if self.in_order.len() <= most && at.elapsed() < REMEMBERED {
                return;
            }
            self.ids.remove(entry);
            self.in_order.pop_front();
        }
    }
}

/// Requests the bill of an entry until this time, which is wall time, since other processes go by it; a suspended machine's time passes too. If the clock
/// steps beyond it, the bill is left to a later run. After it the entry may be another process's, and no bill is posted.
async fn reconcile(place: PendingSlot, entry: Entry, until: UtcTime) {
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
    fn give_up(&self, entry: &Entry, reason: &str) {
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
    fn settle(&self, entry: &Entry) {
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

impl Ledger for Reconciler {
    fn record(&self, entry: &Entry) {
        if entry.awaits_bill() {
            self.take_up(entry.clone());
        }
    }

    fn correct(&self, _: &Correction) {}
}

impl fmt::Debug for Reconciler {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Reconciler")
            .field("pending", &self.pending())
            .field("rejected", &self.rejected())
            .field("expired", &self.expired())
            .finish_non_exhaustive()
    }
}
