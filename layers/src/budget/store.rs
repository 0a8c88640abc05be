//! What a store of budgets does, and the reservations that it makes.

use std::{fmt, future::Future, pin::Pin, sync::Arc};

use tokio::time::Instant;

use super::{Budget, Refusal};
use crate::{UsdAmount, UtcTime};

/// Attempts that may wait at once in one [`InMemoryBudgetStore`](super::InMemoryBudgetStore): each takes some hundred bytes. Beyond them an
/// attempt is refused.
pub const MAX_QUEUED_RESERVATIONS: usize = 10_000;

/// One account that an attempt is recorded on.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct AccountRef {
    /// By which budget.
    pub budget: Arc<Budget>,
    /// The account's key: the budget's name, and the values of its tags.
    pub account: Box<str>,
}

impl AccountRef {
    /// The account with this key, of this budget.
    #[must_use]
    pub fn new(budget: Arc<Budget>, account: impl Into<Box<str>>) -> Self {
        let account = account.into();
        Self { budget, account }
    }
}

/// A reservation that an attempt requests.
#[derive(Debug)]
#[non_exhaustive]
pub struct ReserveRequest {
    /// On which accounts: all of them, or none.
    pub lines: Vec<AccountRef>,
    /// How much it can cost at most: zero if it costs nothing, or if its cost is unknown.
    pub want: UsdAmount,
    /// The least it could do with, with a shorter answer. More than `want` if its cost is unknown: this much must be free, although it is not
    /// reserved.
    pub at_least: UsdAmount,
    /// Now.
    pub at: UtcTime,
}

impl ReserveRequest {
    /// A reservation of this amount on these accounts, and of no less: see [`at_least`](method@Self::at_least).
    #[must_use]
    pub fn new(lines: Vec<AccountRef>, want: UsdAmount, at: UtcTime) -> Self {
        Self {
            lines,
            want,
            at_least: want,
            at,
        }
    }

    /// Sets the least that must be free. The requested amount by default.
    #[must_use]
    pub fn at_least(mut self, amount: UsdAmount) -> Self {
        self.at_least = amount;
        self
    }

    /// The first line that may refuse it; `None` if all of them only warn.
    #[must_use]
    pub fn first_hard_line(&self) -> Option<&AccountRef> {
        self.lines.iter().find(|line| !line.budget.is_soft())
    }
}

/// What a store answers to a [`ReserveRequest`]: at once, or later.
pub enum Decision {
    /// At once.
    Now(Result<Reservation, Box<Refusal>>),
    /// After a round trip. Dropping it takes back what it may have reserved.
    Later(Pin<Box<dyn Future<Output = Result<Reservation, Box<Refusal>>> + Send>>),
}

impl fmt::Debug for Decision {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Now(now) => f.debug_tuple("Now").field(now).finish(),
            Self::Later(_) => f.write_str("Later"),
        }
    }
}

/// Where accounts are kept: in this process, or somewhere that several processes share.
///
/// Budgets can be replaced while calls are in progress: a store takes the budget in force by [`AccountRef::use_budget_in_force`] when it decides, and again
/// when it settles.
pub trait BudgetStore: fmt::Debug + Send + Sync {
    /// Reserves between `at_least` and `want` on every line, as much as all of them have; or nothing on any. An attempt that needs nothing passes,
    /// whatever is spent.
    ///
    /// A line that [only warns](Budget::is_soft) never refuses, whatever is the matter with it: if all lines do so, the attempt passes although
    /// the store is unavailable, and what it spends is recorded later.
    fn reserve(&self, ask: ReserveRequest) -> Decision;

    /// Whether attempts that wait for reservations to end are served by [`reserve_queued`](Self::reserve_queued). Otherwise each asks
    /// again from time to time, in no order.
    fn has_queue(&self) -> bool {
        false
    }

    /// The same for an attempt that can wait until this instant for reservations to end. Those that wait for one account are served in the
    /// order in which they came, and one that comes later, and can wait, waits behind them. Then it takes what is there, or is refused.
    /// Dropping a decision that comes later leaves the queue. In [`InMemoryBudgetStore`](super::InMemoryBudgetStore) one that is not polled
    /// within 50 ms after it was woken is passed over, until it is polled again.
    fn reserve_queued(&self, ask: ReserveRequest, until: Instant) -> Decision {
        let _ = until;
        self.reserve(ask)
    }

    /// Changes what was spent on every line at this time, if that time lies in the line's present window: more if a bill
    /// came late or a process starts again, less if an estimate was too high. Returns at once. A mark that is passed is logged, as by a settlement
    /// ([`warn_at_thresholds`](super::warn_at_thresholds)). Less of what was spent before a [reset](Self::reset) changes nothing: it is forgotten already.
    fn adjust(&self, lines: &[AccountRef], by: UsdAmount, at: UtcTime);

    /// Counts what was spent before a restart, as [`adjust`](Self::adjust) does. The marks that it passes were logged before the restart, and need
    /// not be logged again.
    fn refill(&self, lines: &[AccountRef], spent: UsdAmount, at: UtcTime) {
        self.adjust(lines, spent, at);
    }

    /// Forgets what was spent on every line in its present window; what is reserved stays. Returns at once, and whether the store can do so.
    fn reset(&self, lines: &[AccountRef]) -> bool {
        let _ = lines;
        false
    }

    /// Whether its accounts outlive the process. Those that do not begin empty after a restart, unless they are
    /// [refilled](super::Budgets::refill).
    fn is_durable(&self) -> bool {
        true
    }
}

/// A reservation in a store, without its amount.
#[must_use = "dropped without `settle`, nothing is spent"]
pub trait ReservationHandle: fmt::Debug + Send + Sync {
    /// Ends the reservation and spends this much. Returns at once: it is called in `drop`.
    fn settle(self: Box<Self>, spent: UsdAmount);
}

/// Money reserved for one attempt. Ends by [`settle`](Self::settle); dropped without, nothing was spent.
#[derive(Debug)]
#[must_use = "dropped without `settle`, nothing is spent"]
pub struct Reservation {
    amount: UsdAmount,
    hold: Option<Box<dyn ReservationHandle>>,
}

impl Reservation {
    /// This much, reserved there.
    pub fn new(amount: UsdAmount, hold: Box<dyn ReservationHandle>) -> Self {
        Self {
            amount,
            hold: Some(hold),
        }
    }

    /// How much is reserved.
    #[must_use]
    pub const fn amount(&self) -> UsdAmount {
        self.amount
    }

    /// Ends the reservation and spends this much instead.
    pub fn settle(mut self, spent: UsdAmount) {
        if let Some(hold) = self.hold.take() {
            hold.settle(spent);
        }
    }
}

impl Drop for Reservation {
    fn drop(&mut self) {
        if let Some(hold) = self.hold.take() {
            hold.settle(UsdAmount::ZERO);
        }
    }
}
