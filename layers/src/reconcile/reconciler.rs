//! Asks for late bills in the background, and corrects the entries.

use std::{
    fmt,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use tokio::{runtime::Handle, sync::Semaphore, task::JoinSet};

use super::{
    BillSource, ReconcilerError,
    error::check,
    schedule::{INITIAL_BILL_DELAY, MAX_BILL_DELAY, longest_pending},
    work::{NoSlot, PendingSlot, Work, reconcile},
};
use crate::{
    UtcTime,
    budget::Budgets,
    ledger::{Correction, Entry, Ledger, Tee},
    util::Lock,
};

/// Entries that may wait for their bill at once, by default.
pub const MAX_PENDING: usize = 10_000;
/// The age from which on an entry waits for no bill, by default: upstreams forget generations.
pub const MAX_AGE: Duration = Duration::from_secs(7 * 24 * 60 * 60);
/// Questions for bills that may be on their way at once, by default.
pub const MAX_REQUESTS: usize = 4;

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
