//! The trait of a store whose limits several processes share.

use std::{fmt, future::Future, pin::Pin, sync::Arc, time::Duration};

use super::{LimitUse, Limits};

/// Where limits are counted that several processes share.
///
/// What is counted in this process ([`RateLimitLayer::new`](super::RateLimitLayer::new)) needs none.
pub trait LimitStore: fmt::Debug + Send + Sync {
    /// Lets a call of this key pass that is thought to take so many tokens, or says when it could. Dropping the future takes back
    /// what it may have taken.
    fn admit(&self, key: &Arc<str>, limits: &Limits, tokens: u64) -> Admitting;
}

/// The answer of a store.
pub type Admitting = Pin<Box<dyn Future<Output = Result<Box<dyn RateLimitPermit>, LimitWait>> + Send>>;

/// When a call could pass, and what is in its way.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct LimitWait {
    /// After this long; a guess, but for a rate.
    pub wait: Duration,
    /// Why not now.
    pub reason: WaitReason,
    /// How far the limits are used, if the store says so.
    pub used: Option<LimitUse>,
}

impl LimitWait {
    /// A wait for this reason; `used` is `None` if the store does not say how far the limits are used.
    #[must_use]
    pub fn new(wait: Duration, reason: WaitReason, used: Option<LimitUse>) -> Self {
        Self { wait, reason, used }
    }
}

/// What is in a call's way.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum WaitReason {
    /// A rate is used up.
    Rate {
        /// How much of it.
        amount: u32,
        /// What it counts: `requests` or `tokens`.
        unit: &'static str,
        /// In how long.
        per: Duration,
    },
    /// All places are taken.
    Concurrency,
    /// The store is unavailable, and calls that it cannot count are refused.
    StoreDown {
        /// What is the matter with it, without secrets.
        cause: String,
    },
}

/// A call that passed. Dropped, it gives its place back, and the tokens stay as they were thought.
#[must_use = "the place is free again if it is dropped"]
pub trait RateLimitPermit: fmt::Debug + Send + Sync {
    /// The call took this many tokens. Returns at once: it is called in `drop`.
    fn used(self: Box<Self>, tokens: u64);

    /// How far the limits were used when the call passed, itself included, if the store says so.
    fn limits_used(&self) -> Option<LimitUse> {
        None
    }

    /// The call was refused within, and never sent: its request and its tokens go back. Returns at once. By default the tokens alone.
    fn not_sent(self: Box<Self>) {
        self.used(0);
    }
}
