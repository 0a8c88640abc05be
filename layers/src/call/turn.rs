//! The turn that a copy of a call is given along its chain.

use std::sync::Arc;

#[cfg(feature = "rate-limit")]
use super::state::CallState;
use super::{Call, Candidate, Continuation};

/// How the candidate is called.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum Role {
    /// No chain has given the call a turn: it is for whatever its request names.
    #[default]
    NoChain,
    /// It is the only one of its chain.
    Only,
    /// In its order; `is_last` if none comes after it, `is_last_resort` if none is left at all.
    InOrder { is_last: bool, is_last_resort: bool },
    /// In parallel with one that is slow; a last resort if its circuit lets through a part of the attempts only.
    Hedge { is_last: bool, is_last_resort: bool },
    /// Its circuit is open or it is paused, and no other candidate is left.
    LastResort,
    /// Once more, for a shorter answer; of so many `tokens` if the upstream's balance is short.
    Shortened { tokens: Option<u64>, is_last_resort: bool },
}

impl Role {
    const fn is_last(self) -> bool {
        match self {
            Self::NoChain | Self::Only | Self::LastResort | Self::Shortened { .. } => true,
            Self::InOrder { is_last, .. } | Self::Hedge { is_last, .. } => is_last,
        }
    }

    const fn is_last_resort(self) -> bool {
        match self {
            Self::NoChain => false,
            Self::Only | Self::LastResort => true,
            Self::InOrder { is_last_resort, .. }
            | Self::Hedge { is_last_resort, .. }
            | Self::Shortened { is_last_resort, .. } => is_last_resort,
        }
    }

    const fn may_shorten(self) -> bool {
        matches!(self, Self::NoChain | Self::Only | Self::Shortened { .. })
    }
}

/// What the layers above give a copy of the call: the candidate, and the number by which they find the attempts that come of it.
#[derive(Debug, Clone, Default)]
pub(super) struct Turn {
    /// Unique within the call; 0 without a turn.
    pub(super) number: u32,
    pub(super) candidate: Option<Candidate>,
    pub(super) role: Role,
    /// Whether the candidate continues a message that was begun for it, if a catalogue says so.
    takes_prefill: Option<bool>,
    /// Set on a copy that resumes an interrupted answer.
    pub(super) continuation: Option<Arc<Continuation>>,
}

/// A turn of a call, for a layer that asks afterwards what became of it.
#[cfg(feature = "rate-limit")]
#[derive(Debug)]
pub(crate) struct TurnHandle {
    pub(super) state: Arc<CallState>,
    pub(super) number: u32,
    /// The lines before it are of earlier attempts of the turn, which a retry follows.
    pub(super) from: usize,
}

#[cfg(feature = "rate-limit")]
impl TurnHandle {
    /// Whether an attempt of the turn was sent since the handle was made; `None` if the call has no attempts at all.
    pub(crate) fn was_sent(&self) -> Option<bool> {
        let state = Some(&self.state).filter(|state| state.has_attempts())?;
        Some(state.find_in_turn_from(self.from, self.number, |line| line.is_sent))
    }
}

/// The turn along a chain.
impl Call {
    /// The candidate that this copy of the call is for.
    #[must_use]
    pub const fn candidate(&self) -> Option<&Candidate> {
        self.turn.candidate.as_ref()
    }

    /// Pins the call to a candidate, for a stack without a chain. A chain below gives the call to its own candidates.
    pub fn set_candidate(&mut self, candidate: Candidate) {
        self.turn = Turn {
            candidate: Some(candidate),
            continuation: self.turn.continuation.take(),
            ..Turn::default()
        };
    }

    /// Whether no other candidate comes after this one. True without a chain.
    #[must_use]
    pub const fn is_last(&self) -> bool {
        self.turn.role.is_last()
    }

    /// Whether there is but one candidate. True without a chain.
    #[must_use]
    pub const fn is_alone(&self) -> bool {
        matches!(self.turn.role, Role::NoChain | Role::Only)
    }

    /// Whether this copy is a hedge: another candidate has been called already, and is only slow.
    #[must_use]
    pub const fn is_hedge(&self) -> bool {
        matches!(self.turn.role, Role::Hedge { .. })
    }

    /// Whether no other candidate is left, so that this one is called although its circuit is open.
    #[must_use]
    pub const fn is_last_resort(&self) -> bool {
        self.turn.role.is_last_resort()
    }

    /// Whether a shorter answer than requested may be sent for, if a budget or the balance allows no more: true without a chain and with
    /// a single candidate; with several only in the turn that comes after all of them.
    #[must_use]
    pub const fn may_shorten(&self) -> bool {
        self.turn.role.may_shorten()
    }

    /// Whether this copy resumes an interrupted answer.
    #[must_use]
    pub const fn is_continuation(&self) -> bool {
        self.turn.continuation.is_some()
    }

    /// The candidate whose answer was interrupted: it is called first to continue, unless it fell silent.
    #[must_use]
    pub fn interrupted(&self) -> Option<&Candidate> {
        self.turn.continuation.as_ref()?.interrupted.as_ref()
    }

    pub(crate) const fn continuation(&self) -> Option<&Arc<Continuation>> {
        self.turn.continuation.as_ref()
    }

    /// Whether the candidate continues a message that was begun for it, as far as the chain's catalogue says.
    pub(crate) const fn takes_prefill(&self) -> Option<bool> {
        self.turn.takes_prefill
    }

    /// Makes this the copy that resumes an answer.
    pub(crate) fn resume(&mut self, continuation: Arc<Continuation>) {
        self.turn.continuation = Some(continuation);
        self.has_begun();
    }

    /// Gives this copy to a candidate. The number finds the attempts that come of it, while they run and after. `takes_prefill`: whether the
    /// candidate continues a message that was begun for it, as far as a catalogue says.
    pub(crate) fn give_turn(&mut self, candidate: Candidate, role: Role, takes_prefill: Option<bool>) -> u32 {
        let within = self.turn.number;
        self.turn.number = self.log.as_ref().map_or(0, |state| state.new_turn(within));
        self.turn.candidate = Some(candidate);
        self.turn.role = role;
        self.turn.takes_prefill = takes_prefill;
        self.line = None;
        self.turn.number
    }

    /// Makes sure that this copy has a turn of its own, if no chain has given it one.
    pub(crate) fn ensure_turn(&mut self) {
        if self.turn.number == 0 {
            self.turn.number = self.log.as_ref().map_or(0, |state| state.new_turn(0));
        }
    }
}
