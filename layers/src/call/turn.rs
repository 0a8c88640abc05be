//! The turn that a call is given along its chain.

#[cfg(feature = "rate-limit")]
use std::sync::Arc;

use super::Candidate;
#[cfg(feature = "rate-limit")]
use super::state::CallState;

/// How the candidate is called.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Role {
    /// It is the only one there is.
    Only,
    /// In its order; `is_last` if none comes after it.
    InOrder { is_last: bool },
    /// In parallel with one that is slow.
    Hedge { is_last: bool },
}

/// What a layer above gives a copy of the call: the candidate, and the number by which it finds the attempts that come of it.
#[derive(Debug, Clone)]
pub(crate) struct Turn {
    /// Unique within the call.
    pub(crate) number: u32,
    pub(crate) candidate: Option<Candidate>,
    pub(crate) role: Role,
    /// Whether it is called although its circuit is open, because no other candidate is left.
    pub(crate) is_last_resort: bool,
    /// Whether a shorter answer than requested may be sent for: only if no other candidate could give the whole.
    pub(crate) may_shorten: bool,
    /// Whether the candidate continues a message that was begun for it, if a catalogue says so.
    pub(crate) takes_prefill: Option<bool>,
}

/// A turn of a call, for a layer that asks afterwards what became of it.
#[cfg(feature = "rate-limit")]
#[derive(Debug)]
pub(crate) struct TurnHandle {
    pub(super) state: Arc<CallState>,
    pub(super) number: u32,
}

#[cfg(feature = "rate-limit")]
impl TurnHandle {
    /// Whether an attempt of the turn was sent; `None` if the call has no attempts at all.
    pub(crate) fn was_sent(&self) -> Option<bool> {
        let state = Some(&self.state).filter(|state| state.has_attempts())?;
        Some(state.find_in_turn(self.number, |line| line.is_sent))
    }
}

impl Turn {
    /// Without a chain: whatever the request names.
    pub(crate) const NONE: Self = Self {
        number: 0,
        candidate: None,
        role: Role::Only,
        is_last_resort: false,
        may_shorten: true,
        takes_prefill: None,
    };

    pub(crate) const fn is_last(&self) -> bool {
        match self.role {
            Role::Only => true,
            Role::InOrder { is_last } | Role::Hedge { is_last } => is_last,
        }
    }
}
