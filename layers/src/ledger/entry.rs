//! An entry of the ledger: one attempt, what it cost, and how sure that is.

use std::{str::FromStr, time::Duration};

use super::{CallId, EntryId};
use crate::{FailureKind, Tags, TokenUsage, UnknownName, UsdAmount, UtcTime};

/// How sure the amount of an entry is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum EntryState {
    /// The amount is final: the upstream's charge, its plausible usage by the price list, or nothing for a failure that is free. Usage without a price
    /// is settled as well, at zero, if no bills follow.
    Settled,
    /// The bill is not known: the amount is an estimate from what was seen.
    Estimated,
    /// An estimate that was replaced by the bill later.
    Reconciled,
    /// The bill never came, and is no longer waited for: the estimate is final.
    Unbilled,
}

impl EntryState {
    /// Whether the cost is an estimate, final or not.
    #[must_use]
    pub const fn is_estimate(self) -> bool {
        matches!(self, Self::Estimated | Self::Unbilled)
    }

    /// The name used in logs, tables and exports.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Settled => "settled",
            Self::Estimated => "estimated",
            Self::Reconciled => "reconciled",
            Self::Unbilled => "unbilled",
        }
    }
}

impl FromStr for EntryState {
    type Err = UnknownName;

    fn from_str(name: &str) -> Result<Self, UnknownName> {
        [Self::Settled, Self::Estimated, Self::Reconciled, Self::Unbilled]
            .into_iter()
            .find(|state| state.as_str() == name)
            .ok_or_else(|| UnknownName::new("entry state", name))
    }
}

/// How the attempt of an entry ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum EntryOutcome {
    /// The whole answer came.
    Answered,
    /// It failed, before or after the answer began.
    Failed(FailureKind),
    /// It was dropped: the caller left, its deadline passed, or another candidate was faster.
    Dropped,
}

impl EntryOutcome {
    /// The name used in logs, tables and exports: `answered`, `dropped`, or the failure's own.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Answered => "answered",
            Self::Failed(kind) => kind.as_str(),
            Self::Dropped => "dropped",
        }
    }
}

impl FromStr for EntryOutcome {
    type Err = UnknownName;

    fn from_str(name: &str) -> Result<Self, UnknownName> {
        match name {
            "answered" => Ok(Self::Answered),
            "dropped" => Ok(Self::Dropped),
            _ => name.parse().map(Self::Failed),
        }
    }
}

/// What one attempt cost, and on whose behalf. Ledgers build it from what they stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// Its name.
    pub id: EntryId,
    /// The call it was made for.
    pub call: CallId,
    /// Which attempt of the call, from 1; 0 without an attempt layer, and for a replay by an idempotency key.
    pub attempt: u32,
    /// When the attempt began.
    pub began: UtcTime,
    /// When it ended: the entry's place in budgets and sums.
    pub ended: UtcTime,
    /// The upstream it was sent to.
    pub upstream: Box<str>,
    /// The provider behind the upstream that served it or failed, if the upstream is a router and names it.
    pub provider: Option<Box<str>>,
    /// The requested model.
    pub model: Box<str>,
    /// The model that answered, as the upstream names it: another one than the requested if a router or the upstream chose; `None` if the
    /// upstream named none.
    pub served_model: Option<Box<str>>,
    /// What it is accounted under.
    pub tags: Tags,
    /// How sure the amount is.
    pub state: EntryState,
    /// How it ended.
    pub outcome: EntryOutcome,
    /// Whether it was streamed.
    pub streamed: bool,
    /// What was reserved for it in the budgets, at most; zero if no budget applies.
    pub reserved: UsdAmount,
    /// What it should cost by the price list, from the upstream's count of tokens if it came, else from what was seen. The reservation if a plain
    /// response never came, if tools of the upstream ran without usage, or if the price is unknown; a cost that is not final is never above the
    /// reservation. `None` if there is neither price nor reservation.
    pub estimate: Option<UsdAmount>,
    /// What the upstream charged. `None` if it has not said so.
    pub bill: Option<UsdAmount>,
    /// What was taken out of the budgets when it ended. More than the cost if the bill is still to come.
    pub recorded: UsdAmount,
    /// What it took, by the upstream's own count; estimated if it did not report one.
    pub usage: TokenUsage,
    /// By which name the upstream knows the answer.
    pub generation_id: Option<Box<str>>,
    /// From the start to the first content; `None` if none came.
    pub first_token: Option<Duration>,
    /// What `max_tokens` was lowered to, so that the budgets could hold it.
    pub clamped_to: Option<u64>,
    /// Of one that failed: the `max_tokens` that the account could still pay for, if the upstream said so. It is not short of money then, only
    /// of so much. Ledgers that store entries do not keep it.
    pub affordable_tokens: Option<u64>,
}

impl Entry {
    /// What it costs, as far as is known: the bill, else the estimate, else nothing.
    #[must_use]
    pub fn cost(&self) -> UsdAmount {
        self.bill.or(self.estimate).unwrap_or(UsdAmount::ZERO)
    }

    /// Whether a bill may still come: the entry is estimated and has a generation id.
    #[must_use]
    pub fn awaits_bill(&self) -> bool {
        self.state == EntryState::Estimated && self.generation_id.is_some()
    }

    /// By how much bill and estimate differ, in thousandths of the bill, rounded up; `None` if one is missing.
    #[must_use]
    pub fn difference_per_mille(&self) -> Option<u64> {
        difference_per_mille(self.bill?, self.estimate?)
    }
}

/// By how much an estimate is off, in thousandths of the bill, rounded up.
pub(crate) fn difference_per_mille(bill: UsdAmount, estimate: UsdAmount) -> Option<u64> {
    let difference = bill.pico().abs_diff(estimate.pico());
    if difference == 0 {
        return Some(0);
    }
    let per_mille = difference
        .checked_mul(1000)?
        .div_ceil(bill.pico().unsigned_abs().max(1));
    Some(u64::try_from(per_mille).unwrap_or(u64::MAX))
}

#[cfg(test)]
impl Entry {
    /// Of an interrupted stream that ended then, whose bill is awaited.
    pub(crate) fn estimated(at: UtcTime, estimate: UsdAmount) -> Self {
        Self {
            id: EntryId::new(at),
            call: CallId::new(at),
            attempt: 1,
            began: at,
            ended: at,
            upstream: "openrouter".into(),
            provider: None,
            model: "a/b".into(),
            served_model: None,
            tags: Tags::default(),
            state: EntryState::Estimated,
            outcome: EntryOutcome::Dropped,
            streamed: true,
            reserved: estimate,
            estimate: Some(estimate),
            bill: None,
            recorded: estimate,
            usage: TokenUsage::default(),
            generation_id: Some("gen-1".into()),
            first_token: None,
            clamped_to: None,
            affordable_tokens: None,
        }
    }
}
