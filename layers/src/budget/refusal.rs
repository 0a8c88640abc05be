use std::{fmt, sync::Arc, time::Duration};

use super::Budget;
use crate::{UsdAmount, UtcTime};

/// Why a budget does not carry an attempt.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Refusal {
    /// Which budget.
    pub budget: Arc<Budget>,
    /// Whose account of it: `tenant=acme`. Blank where everybody shares one.
    pub account: String,
    /// What is wrong.
    pub reason: RefusalReason,
    /// The least that the attempt needs.
    pub needed: UsdAmount,
    /// When it was refused.
    pub at: UtcTime,
    /// When the budget is full again; `None` where never.
    pub resets: Option<UtcTime>,
}

/// What is wrong with an account.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum RefusalReason {
    /// Too little is left under the cap.
    Spent {
        /// What has been spent.
        settled: UsdAmount,
        /// What is held for attempts in flight.
        reserved: UsdAmount,
    },
    /// The store cannot be asked, and does not let through what it cannot count.
    StoreDown {
        /// What is the matter with it, without secrets.
        cause: String,
    },
    /// There are too many accounts to open another one.
    TooManyAccounts {
        /// How many there may be.
        most: usize,
    },
}

impl Refusal {
    /// A refusal of this account, now.
    #[must_use]
    pub fn new(budget: &Arc<Budget>, account: &str, reason: RefusalReason, needed: UsdAmount, at: UtcTime) -> Self {
        Self {
            budget: Arc::clone(budget),
            account: budget.say(account),
            reason,
            needed,
            at,
            resets: budget.window().end(at),
        }
    }

    /// The time until the budget is full again.
    #[must_use]
    pub fn resets_in(&self) -> Option<Duration> {
        self.resets.map(|resets| resets.since(self.at))
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let budget = &self.budget;
        write!(f, "the budget `{}`", budget.name())?;
        if !self.account.is_empty() {
            write!(f, " of {}", self.account)?;
        }
        match &self.reason {
            RefusalReason::Spent { settled, reserved } => write!(
                f,
                " cannot carry this: it needs at least {}, and of {} {} is spent and {} held",
                self.needed,
                budget.cap(),
                settled,
                reserved
            )?,
            RefusalReason::StoreDown { cause } => write!(f, " cannot be asked ({cause}), so nothing is let through")?,
            RefusalReason::TooManyAccounts { most } => {
                write!(
                    f,
                    " has {most} accounts open, and opens no more: spread tags less, or raise `max_accounts`"
                )?;
            }
        }
        match self.resets {
            Some(resets) => write!(f, "; it is full again at {resets}"),
            None => f.write_str("; it is never full again by itself"),
        }
    }
}
