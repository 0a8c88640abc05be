//! Bugs that are planted in wrappers around the stack's parts: the simulation must find each of them.

mod inner;
mod stores;
mod tests;

use std::sync::Arc;

use tower_openrouter::{
    Stack,
    layers::{budget::BudgetStore, ledger::Ledger},
    stack::{BuildError, ChatIdempotency, StackBuilder},
};

use self::{
    inner::{Kept, Planted},
    stores::{Forgetful, Lossy, Unsettled},
};
use super::{upstream::Upstream, wire::Answer};

/// A bug.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Plant {
    None,
    /// An attempt that fails is sent again, and counted once.
    CallsTwice,
    /// An interrupted answer ends as if it were whole.
    EndsCleanly,
    /// Each third reservation is settled by nothing, whatever it cost.
    ForgetsSettle,
    /// Each fifth entry is lost.
    DropsEntry,
    /// The second attempt says its first words twice.
    RepeatsText,
    /// A reservation that ends for nothing stays reserved.
    LeaksReservation,
    /// One attempt more than the cap is allowed.
    CapOffByOne,
    /// The usage tells twice what was charged.
    DoublesUsage,
    /// A connection stays open when its body is dropped.
    HoldsConnection,
    /// A caller's mistake is reported as the upstream's failure.
    TellsBreaker,
    /// A clock that goes back empties the accounts.
    ForgetsOnStep,
    /// An instruction to continue names other characters than the last ones.
    NamesOthers,
    /// An answer from the start begins as if it continued the interrupted one, and is joined to it.
    JoinsRestart,
    /// Idempotency keys are not looked at.
    IgnoresKeys,
}

impl Plant {
    /// The attempts that the stack is built with.
    pub(crate) fn attempts(self, attempts: u32) -> u32 {
        attempts + u32::from(self == Self::CapOffByOne)
    }

    pub(crate) fn budget_store(self, store: Arc<dyn BudgetStore>) -> Arc<dyn BudgetStore> {
        match self {
            Self::ForgetsSettle => Arc::new(Forgetful::new(store, 3)),
            Self::LeaksReservation => Arc::new(Forgetful::new(store, 0)),
            Self::ForgetsOnStep => Arc::new(Unsettled::new(store)),
            _ => store,
        }
    }

    pub(crate) fn ledger<L: Ledger + 'static>(self, ledger: Arc<L>) -> Arc<dyn Ledger> {
        if self == Self::DropsEntry {
            return Arc::new(Lossy::new(ledger));
        }
        ledger
    }

    pub(crate) fn keys(self, builder: StackBuilder, keys: ChatIdempotency) -> StackBuilder {
        if self == Self::IgnoresKeys {
            return builder;
        }
        builder.idempotency(keys)
    }

    /// What the upstream tells of an answer, in the place of the truth.
    pub(crate) fn told(self, answer: &Answer) -> Answer {
        let mut answer = answer.clone();
        if self == Self::DoublesUsage {
            answer.cost = answer.cost.saturating_add(answer.cost);
        }
        answer
    }

    pub(crate) fn build(self, builder: StackBuilder, upstream: Upstream) -> Result<Stack, BuildError> {
        if self == Self::None {
            return builder.build_over(upstream);
        }
        builder.build_over(Planted::new(upstream, self, Kept::default()))
    }
}
