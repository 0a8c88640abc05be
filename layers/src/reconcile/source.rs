//! The trait of what knows an answer's bill.

use std::{fmt, future::Future, pin::Pin};

use crate::{TokenUsage, UsdAmount, ledger::Entry};

/// What an upstream charged for an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Bill {
    /// The whole amount.
    pub amount: UsdAmount,
    /// The usage of the answer, if the upstream reports it.
    pub usage: Option<TokenUsage>,
}

impl Bill {
    /// This amount, for this usage.
    #[must_use]
    pub const fn new(amount: UsdAmount, usage: Option<TokenUsage>) -> Self {
        Self { amount, usage }
    }
}

/// Why there is no bill.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum BillError {
    /// Not yet: request it again.
    Later {
        /// What happened, without secrets.
        reason: String,
    },
    /// The account refuses the question itself, such as one with a rejected key: that does not mean that there is no bill. It is requested again after the
    /// longest wait, and no try is used up; after [`MOST_REFUSALS`](super::MOST_REFUSALS) of them a later run may request it.
    Refused {
        /// What happened, without secrets.
        reason: String,
    },
    /// There will be none: this upstream reports no bills, or not to us.
    Never {
        /// What happened, without secrets.
        reason: String,
    },
}

impl fmt::Display for BillError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (Self::Later { reason } | Self::Refused { reason } | Self::Never { reason }) = self;
        f.write_str(reason)
    }
}

impl std::error::Error for BillError {}

/// The answer to a question for a bill; `None` while it is not known yet.
pub type BillFuture = Pin<Box<dyn Future<Output = Result<Option<Bill>, BillError>> + Send>>;

/// The source of bills: an upstream's account.
pub trait BillSource: fmt::Debug + Send + Sync {
    /// Whether this upstream reports bills at all: entries of one that does not wait for none. `true` by default.
    fn has_bills(&self, upstream: &str) -> bool {
        let _ = upstream;
        true
    }

    /// Asks for the bill of this entry, which has a generation id. Never waits on its own account.
    fn bill(&self, entry: &Entry) -> BillFuture;
}
