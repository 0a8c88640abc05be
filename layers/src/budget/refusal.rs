//! Why a budget does not carry an attempt, and when it is worth asking again.

use std::{fmt, sync::Arc, time::Duration};

use super::{Budget, MODEL, UPSTREAM, Window};
use crate::{UsdAmount, UtcTime};

/// When to ask again for money that is only reserved, and for a store that does not respond: attempts end within seconds.
const SOON: Duration = Duration::from_secs(1);

/// Why a budget does not carry an attempt.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Refusal {
    /// Which budget.
    pub budget: Arc<Budget>,
    /// Its account: `tenant=acme`. Blank if all callers share one.
    pub account: String,
    /// What is wrong.
    pub reason: RefusalReason,
    /// The least that the attempt needs.
    pub needed: UsdAmount,
    /// When it was refused.
    pub at: UtcTime,
    /// When the budget is full again, or, in a rolling window, when enough of it is free again; `None` if never.
    pub resets: Option<UtcTime>,
    /// The longest answer, in tokens, that the budget could carry, if that is worth asking for. Set by the cost layer.
    pub affordable_tokens: Option<u64>,
    /// Whether calls of other tags share the account: then the text leaves out its sums. Set by the cost layer.
    pub(crate) is_shared: bool,
}

/// What is wrong with an account.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum RefusalReason {
    /// The money is spent: the attempt would not fit even if nothing were reserved. It may fit in the next window.
    Spent {
        /// What has been spent.
        settled: UsdAmount,
        /// What is reserved for attempts in flight.
        reserved: UsdAmount,
    },
    /// The money is reserved for attempts in flight: the attempt fits as soon as enough of them have ended below their worst case.
    Reserved {
        /// What has been spent.
        settled: UsdAmount,
        /// What is reserved for attempts in flight.
        reserved: UsdAmount,
    },
    /// The store is unavailable, and attempts that it cannot count are refused.
    StoreDown {
        /// What is the matter with it, without secrets.
        cause: String,
    },
    /// As many attempts wait for reserved money as may.
    QueueFull {
        /// How many that is.
        most: usize,
    },
    /// There are too many accounts to open another one.
    TooManyAccounts {
        /// How many there may be.
        most: usize,
    },
}

impl RefusalReason {
    /// The name used in metrics.
    #[must_use]
    pub const fn as_str(&self) -> &'static str {
        match self {
            Self::Spent { .. } => "spent",
            Self::Reserved { .. } => "reserved",
            Self::StoreDown { .. } => "store_down",
            Self::QueueFull { .. } => "queue_full",
            Self::TooManyAccounts { .. } => "too_many_accounts",
        }
    }

    /// The same for an attempt that needs so much under this cap: it distinguishes spent and reserved money.
    fn of_attempt(self, cap: UsdAmount, needed: UsdAmount) -> Self {
        match self {
            Self::Spent { settled, reserved } | Self::Reserved { settled, reserved } => {
                if settled.saturating_add(needed) <= cap {
                    Self::Reserved { settled, reserved }
                } else {
                    Self::Spent { settled, reserved }
                }
            }
            other => other,
        }
    }
}

impl Budget {
    /// Whether it counts by a tag of the call.
    pub(crate) fn is_by_tag(&self) -> bool {
        self.tags().any(|tag| !matches!(tag, MODEL | UPSTREAM))
    }
}

impl Refusal {
    /// A refusal of this account, now. Of [`Spent`](RefusalReason::Spent) and [`Reserved`](RefusalReason::Reserved) it takes the one that
    /// the amounts say.
    #[must_use]
    pub fn new(budget: &Arc<Budget>, account: &str, reason: RefusalReason, needed: UsdAmount, at: UtcTime) -> Self {
        Self {
            budget: Arc::clone(budget),
            account: budget.account_label(account),
            reason: reason.of_attempt(budget.cap(), needed),
            needed,
            at,
            resets: budget.window_end(at),
            affordable_tokens: None,
            is_shared: false,
        }
    }

    /// The same with the time at which enough is free again, which a store knows of a rolling window.
    #[must_use]
    pub const fn free_at(mut self, at: Option<UtcTime>) -> Self {
        self.resets = at;
        self
    }

    /// The same for an attempt that could do with less.
    pub(crate) fn for_less(mut self: Box<Self>, needed: UsdAmount) -> Box<Self> {
        self.reason = self.reason.of_attempt(self.budget.cap(), needed);
        self.needed = needed;
        self
    }

    /// What the account has for one attempt: what is neither spent nor reserved, or, once all attempts in flight have ended for nothing,
    /// what is not spent. `None` if the refusal has another reason.
    pub(crate) fn free(&self, counts_reserved: bool) -> Option<UsdAmount> {
        let (RefusalReason::Spent { settled, reserved } | RefusalReason::Reserved { settled, reserved }) = self.reason
        else {
            return None;
        };
        let reserved = if counts_reserved { UsdAmount::ZERO } else { reserved };
        let taken = settled.saturating_add(reserved);
        Some(self.budget.cap().saturating_sub(taken).max(UsdAmount::ZERO))
    }

    /// What of the account is spent, reserved and free, unless the refusal has another reason.
    pub(crate) fn sums(&self) -> Option<String> {
        let (RefusalReason::Spent { settled, reserved } | RefusalReason::Reserved { settled, reserved }) = self.reason
        else {
            return None;
        };
        let (cap, free) = (self.budget.cap(), self.free(false).unwrap_or_default());
        Some(format!(
            "of {cap} {settled} is spent, {reserved} is reserved for attempts in flight, and {free} is free"
        ))
    }

    /// Whether the money is only reserved, so that the same attempt may fit in a moment.
    #[must_use]
    pub const fn is_reserved(&self) -> bool {
        matches!(self.reason, RefusalReason::Reserved { .. })
    }

    /// Whether the store was unavailable, and not the budget exceeded.
    #[must_use]
    pub const fn is_store_down(&self) -> bool {
        matches!(self.reason, RefusalReason::StoreDown { .. })
    }

    /// The time until the budget is full again, or enough of it is.
    #[must_use]
    pub fn resets_in(&self) -> Option<Duration> {
        self.resets.map(|resets| resets.since(self.at))
    }

    /// When it is worth asking again: a second for reserved money, the start of the next window for spent money, or the time at which enough has
    /// left a rolling window. `None` if no window ever carries the attempt.
    #[must_use]
    pub fn retry_after(&self) -> Option<Duration> {
        match self.reason {
            RefusalReason::Reserved { .. } | RefusalReason::StoreDown { .. } | RefusalReason::QueueFull { .. } => {
                Some(SOON)
            }
            RefusalReason::Spent { .. } if self.needed > self.budget.cap() => None,
            RefusalReason::Spent { .. } | RefusalReason::TooManyAccounts { .. } => self.resets_in(),
        }
    }
}

/// Of a call with tags, the sums of a budget that calls of other tags share are left out: the text goes to one of its callers. The event
/// `over budget` has them.
impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (budget, needed) = (&self.budget, self.needed);
        write!(f, "the budget `{}`", budget.name())?;
        if !self.account.is_empty() {
            write!(f, " of {}", self.account)?;
        }
        match &self.reason {
            RefusalReason::Spent { .. } | RefusalReason::Reserved { .. } => {
                write!(f, " cannot carry this: it needs at least {needed}, and ")?;
                match self.sums().filter(|_| !self.is_shared) {
                    Some(sums) => f.write_str(&sums)?,
                    // They are not this caller's alone.
                    None if self.is_reserved() => f.write_str("what is left is reserved for attempts in flight")?,
                    None => f.write_str("less than that is left")?,
                }
            }
            RefusalReason::StoreDown { cause } => write!(f, " is unavailable ({cause}), so attempts are refused")?,
            RefusalReason::QueueFull { most } => {
                write!(f, " has {most} attempts waiting for reserved money, and takes no more")?;
            }
            RefusalReason::TooManyAccounts { most } => {
                write!(
                    f,
                    " has {most} accounts open, and opens no more: spread tags less, or raise `max_accounts`"
                )?;
            }
        }
        match (&self.reason, self.resets) {
            (RefusalReason::Reserved { .. } | RefusalReason::QueueFull { .. }, _) => {
                f.write_str("; retry when an attempt in flight has ended")
            }
            (RefusalReason::StoreDown { .. }, _) => Ok(()),
            (RefusalReason::Spent { .. }, _) if needed > budget.cap() => f.write_str(
                "; it is more than the whole budget: request fewer `max_tokens` or tool calls, or raise the budget",
            ),
            (_, Some(resets)) if matches!(budget.window(), Window::Rolling(_)) => {
                write!(f, "; enough of it is free again at {resets}")
            }
            (_, Some(resets)) => write!(f, "; it is full again at {resets}"),
            (_, None) => f.write_str("; it is never full again by itself"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_sums_of_an_account_that_others_share_are_not_for_one_caller() {
        let budget = || Budget::usd("day", "5").unwrap();
        for (budget, is_by_tag) in [
            (budget(), false),
            (budget().each(MODEL), false),
            (budget().each("tenant"), true),
            (budget().only("team", "search"), true),
        ] {
            assert_eq!(budget.is_by_tag(), is_by_tag, "{budget:?}");
        }
        let usd = |text: &str| text.parse::<UsdAmount>().unwrap();
        let (settled, reserved) = (usd("3.5"), usd("1"));
        let budget = Arc::new(budget());
        for (needed, reason) in [
            ("2", "less than that is left"),
            ("1.25", "is reserved for attempts in flight"),
        ] {
            let reason_of = RefusalReason::Spent { settled, reserved };
            let mut refused = Refusal::new(&budget, "day", reason_of, usd(needed), UtcTime::from_millis(0));
            assert!(
                refused.to_string().contains("$3.50 is spent, $1.00 is reserved"),
                "{refused}"
            );
            refused.is_shared = true;
            let text = refused.to_string();
            assert!(!text.contains("$3.50") && text.contains(reason), "{text}");
            assert!(refused.sums().unwrap().contains("$3.50"));
        }
    }
}
