//! Reads the balance of an account now and then, and warns before it is empty.

use std::{
    collections::BTreeMap,
    fmt,
    future::poll_fn,
    panic::{AssertUnwindSafe, catch_unwind},
    pin::pin,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    task::Poll,
    time::Duration,
};

use tokio::{
    runtime::Handle,
    sync::{Notify, watch},
    task::AbortHandle,
    time::{Instant, sleep_until},
};
use tower_llm_layers::{
    Failure, FailureKind, FailureScope, MAX_DURATION, UsdAmount, UtcTime,
    ledger::{Correction, Entry, EntryOutcome, Ledger},
};

use super::{Balance, BalanceSource, forecast::Pace, key_budget::first_to_block};
use crate::{Account, Error};

/// How often the account is read by default.
pub const DEFAULT_POLL_EVERY: Duration = Duration::from_secs(60);
/// How long before a balance source is empty a warning is logged, by default.
pub const DEFAULT_WARN_BEFORE: [Duration; 2] = [Duration::from_secs(24 * 60 * 60), Duration::from_secs(60 * 60)];

/// The shortest time between two readings of the account.
const LEAST_BETWEEN: Duration = Duration::from_secs(1);
/// How far each wait is spread, up or down.
const SPREAD: f64 = 0.2;
/// The longest wait after failures, in usual waits.
const MOST_BACKOFF: u32 = 16;

/// Watches what is left. Cheap to clone. See the [module](super).
///
/// # Cancellation
///
/// Its task ends with the last handle.
#[derive(Clone)]
#[must_use = "the watch ends if it is dropped"]
pub struct BalanceWatch {
    shared: Arc<WatchState>,
    state: watch::Receiver<Balance>,
    _task: Arc<Task>,
}

/// Ends the task with the last handle.
struct Task(AbortHandle);

impl Drop for Task {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// What handles and the task share.
struct WatchState {
    /// The upstream whose account it is.
    upstream: Box<str>,
    state: watch::Sender<Balance>,
    /// Pico-dollars that this process has spent.
    spent: AtomicU64,
    /// There is a reason to read the account now.
    now: Notify,
}

/// Sets up a [`BalanceWatch`].
#[derive(Debug, Clone)]
pub struct BalanceWatchBuilder {
    account: Account,
    every: Duration,
    warn_before: Vec<Duration>,
}

impl BalanceWatchBuilder {
    /// How often the account is read, spread by a fifth up or down; 60 s ([`DEFAULT_POLL_EVERY`]) by default, a second at least and [`MAX_DURATION`]
    /// at most: [`Duration::MAX`] reads it once, and again after a refusal for lack of money. A reading that fails is repeated after
    /// twice this time, or after two minutes if that is less; each further failure doubles the wait, to eight times that at most.
    #[must_use]
    pub fn every(mut self, time: Duration) -> Self {
        self.every = time.clamp(LEAST_BETWEEN, MAX_DURATION);
        self
    }

    /// How long before a balance source is empty a warning is logged, once each; 24 hours and 1 hour ([`DEFAULT_WARN_BEFORE`]) by default.
    #[must_use]
    pub fn warn_before(mut self, times: impl IntoIterator<Item = Duration>) -> Self {
        self.warn_before = times.into_iter().collect();
        self
    }

    /// Starts it on this runtime; the account is read at once.
    pub fn spawn_on(self, runtime: &Handle) -> BalanceWatch {
        let (sender, state) = watch::channel(Balance::default());
        let shared = Arc::new(WatchState {
            upstream: self.account.upstream().into(),
            state: sender,
            spent: AtomicU64::new(0),
            now: Notify::new(),
        });
        let mut warn_before = self.warn_before;
        warn_before.sort_unstable_by(|one, other| other.cmp(one));
        let poller = Poller {
            account: self.account,
            every: self.every,
            warn_before,
            shared: Arc::clone(&shared),
            paces: BTreeMap::new(),
            here: Pace::default(),
            budget: None,
            told: BTreeMap::new(),
        };
        let task = runtime.spawn(poller.run()).abort_handle();
        BalanceWatch {
            shared,
            state,
            _task: Arc::new(Task(task)),
        }
    }
}

impl BalanceWatch {
    /// Sets one up over this account.
    #[must_use]
    pub fn builder(account: Account) -> BalanceWatchBuilder {
        BalanceWatchBuilder {
            account,
            every: DEFAULT_POLL_EVERY,
            warn_before: DEFAULT_WARN_BEFORE.into(),
        }
    }

    /// How the money stands, as far as is known.
    #[must_use]
    pub fn state(&self) -> Balance {
        let mut state = *self.state.borrow();
        let now = UtcTime::now();
        for source in BalanceSource::ALL {
            state.source_mut(source).roll(now);
        }
        state
    }

    /// Waits until it has been read again.
    pub async fn changed(&mut self) -> Balance {
        // It fails only if the task has ended, which it does with the last handle.
        drop(self.state.changed().await);
        self.state()
    }

    /// This much was spent: called by the ledger's side if the watch is in a stack.
    pub fn record_spend(&self, amount: UsdAmount) {
        let pico = u64::try_from(amount.pico()).unwrap_or(0);
        self.shared.spent.fetch_add(pico, Ordering::Relaxed);
    }

    /// An answer failed: if it failed for lack of money, that is known at once, and the account is read again.
    pub fn record_failure(&self, error: &Error) {
        // A budget of ours says nothing about the account.
        if error.kind() == FailureKind::BudgetExceeded {
            return;
        }
        let free = error.scope() == FailureScope::Pool;
        // It can afford less than was requested, and so is not out.
        if can_afford(error.affordable_tokens()) {
            self.shared.now.notify_one();
        } else {
            self.refused(error.kind(), free);
        }
    }

    /// Whether the key has a budget, and no cap of its own.
    fn is_budgeted(&self) -> bool {
        let state = self.shared.state.borrow();
        state.key_budget.left.is_some() && state.key_cap.left.is_none()
    }

    fn refused(&self, kind: FailureKind, free: bool) {
        let source = match kind {
            FailureKind::InsufficientFunds => BalanceSource::Prepaid,
            FailureKind::QuotaExhausted if free => BalanceSource::FreeDay,
            // Both refuse alike: it is the one that has a limit.
            FailureKind::QuotaExhausted if self.is_budgeted() => BalanceSource::KeyBudget,
            FailureKind::QuotaExhausted => BalanceSource::KeyCap,
            _ => return,
        };
        let news = self
            .shared
            .state
            .send_if_modified(|state| state.source_mut(source).refuse(UtcTime::now()));
        if news {
            tracing::error!(target: "llm::balance", source = source.as_str(), "out of money: the upstream refuses");
        }
        self.shared.now.notify_one();
    }
}

/// Whether a refusal says that a smaller answer would be paid for.
fn can_afford(tokens: Option<u64>) -> bool {
    tokens.is_some_and(|tokens| tokens > 0)
}

impl Ledger for BalanceWatch {
    fn record(&self, entry: &Entry) {
        if entry.upstream != self.shared.upstream {
            // Another account's money.
            return;
        }
        self.record_spend(entry.cost());
        let free = crate::free::is_free(&entry.model);
        match entry.outcome {
            // A budget of ours says nothing about the account.
            EntryOutcome::Failed(FailureKind::BudgetExceeded) => {}
            EntryOutcome::Failed(_) if can_afford(entry.affordable_tokens) => self.shared.now.notify_one(),
            EntryOutcome::Failed(kind) => self.refused(kind, free),
            EntryOutcome::Answered => {
                // An upstream that answers is paid.
                let paid: &[BalanceSource] = if free {
                    &[BalanceSource::FreeDay]
                } else {
                    &[BalanceSource::Prepaid, BalanceSource::KeyCap, BalanceSource::KeyBudget]
                };
                self.shared.state.send_if_modified(|state| {
                    let mut changed = false;
                    for source in paid {
                        changed |= std::mem::take(&mut state.source_mut(*source).refused);
                    }
                    changed
                });
            }
            _ => {}
        }
    }

    fn correct(&self, _: &Correction) {}
}

struct Poller {
    account: Account,
    every: Duration,
    warn_before: Vec<Duration>,
    shared: Arc<WatchState>,
    paces: BTreeMap<BalanceSource, Pace>,
    /// What this process spends.
    here: Pace,
    /// Which budget of the key blocks first: its scope and its ids.
    budget: Option<[Option<String>; 3]>,
    /// How many of the warnings have been logged for each balance source; one more means that it is out.
    told: BTreeMap<BalanceSource, usize>,
}

impl Poller {
    async fn run(mut self) {
        let mut failures = 0_u32;
        loop {
            let begun = Instant::now();
            match self.read_account().await {
                Ok(()) => failures = 0,
                Err(error) => {
                    failures = failures.saturating_add(1);
                    if failures == 1 {
                        tracing::warn!(target: "llm::balance", %error, "the balance cannot be read: what is known stays");
                    }
                    self.shared.state.send_modify(|state| state.failures = failures);
                }
            }
            let wait = match failures {
                0 => self.every,
                // A failed first reading of a watch that reads seldom is repeated soon.
                _ => {
                    let backoff = 2_u32.saturating_pow(failures).min(MOST_BACKOFF);
                    self.every.min(DEFAULT_POLL_EVERY) * backoff
                }
            };
            let wait = wait.mul_f64(1.0 - SPREAD + 2.0 * SPREAD * fastrand::f64());
            tokio::select! {
                () = sleep_until(begun + wait) => {}
                () = self.shared.now.notified() => sleep_until(begun + LEAST_BETWEEN).await,
            }
        }
    }

    /// A reading that panics is one that failed: it ends no later one.
    async fn read_account(&mut self) -> Result<(), Error> {
        let mut reading = pin!(self.poll());
        poll_fn(|cx| {
            catch_unwind(AssertUnwindSafe(|| reading.as_mut().poll(cx))).unwrap_or_else(|_| {
                let error = Error::new(FailureKind::Internal, "the reading of the account panicked");
                Poll::Ready(Err(error))
            })
        })
        .await
    }

    async fn poll(&mut self) -> Result<(), Error> {
        let key = self.account.key().await?;
        let credits = self.account.credits().await?;
        let now = UtcTime::now();
        let spent = self.shared.spent.load(Ordering::Relaxed);
        self.here.note(now, i128::from(spent));
        let mut state = *self.shared.state.borrow();
        for source in BalanceSource::ALL {
            state.source_mut(source).roll(now);
        }
        state.read(&key, credits.as_ref(), now);
        let used = key.free_model_daily_requests.as_ref().and_then(|day| day.used);
        // Another one may block first from now on: its pace is its own.
        let budget = first_to_block(&key);
        let budget = budget.map(|budget| [&budget.scope, &budget.budget_id, &budget.guardrail_id].map(Clone::clone));
        if self.budget != budget {
            self.paces.remove(&BalanceSource::KeyBudget);
            self.budget = budget;
        }
        // What has gone out is what is no longer left.
        for (source, gone) in [
            (BalanceSource::Prepaid, state.prepaid.left.map(i128::saturating_neg)),
            (BalanceSource::KeyCap, state.key_cap.left.map(i128::saturating_neg)),
            (
                BalanceSource::KeyBudget,
                state.key_budget.left.map(i128::saturating_neg),
            ),
            (BalanceSource::FreeDay, used.map(i128::from)),
        ] {
            let pace = self.paces.entry(source).or_default();
            match gone {
                Some(gone) => pace.note(now, gone),
                None => *pace = Pace::default(),
            }
            let told = pace.an_hour();
            let here = self.here.an_hour().filter(|_| source != BalanceSource::FreeDay);
            state.source_mut(source).an_hour = told.max(here);
        }
        self.say(&state, now);
        self.shared.state.send_replace(state);
        Ok(())
    }

    /// Logs what will run out, once at each mark, and again after it recovered.
    fn say(&mut self, state: &Balance, now: UtcTime) {
        for source in BalanceSource::ALL {
            let source_state = state.source(source);
            let lasts = source_state.lasts(now);
            let reached = match lasts {
                Some(Duration::ZERO) => self.warn_before.len() + 1,
                Some(lasts) => self.warn_before.iter().filter(|mark| lasts <= **mark).count(),
                None => 0,
            };
            let told = self.told.get(&source).copied().unwrap_or(0);
            if reached > told {
                self.told.insert(source, reached);
                let lasts = lasts.unwrap_or_default();
                if lasts.is_zero() {
                    tracing::error!(target: "llm::balance", source = source.as_str(), "out of money");
                } else {
                    tracing::warn!(
                        target: "llm::balance",
                        source = source.as_str(),
                        left = source_state.left,
                        lasts = ?lasts,
                        "money runs out at the present pace"
                    );
                }
            } else if reached < told && self.is_well(lasts, told) {
                self.told.insert(source, reached);
                if reached == 0 {
                    tracing::info!(target: "llm::balance", source = source.as_str(), "money lasts again");
                }
            }
        }
    }

    /// Whether it lasts well beyond the mark that was logged last: by half, so that the same warning is not repeated.
    fn is_well(&self, lasts: Option<Duration>, told: usize) -> bool {
        let Some(lasts) = lasts else { return true };
        told.checked_sub(1)
            .and_then(|last| self.warn_before.get(last))
            .is_none_or(|mark| lasts > mark.saturating_mul(3) / 2)
    }
}

impl fmt::Debug for BalanceWatch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("BalanceWatch")
            .field("state", &self.state())
            .finish_non_exhaustive()
    }
}
