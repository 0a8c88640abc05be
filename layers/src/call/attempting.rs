//! The call's attempts: how they begin, and how the layers above find them again.

use std::sync::Arc;

use tokio::time::Instant;

use super::FirstTokenTimer;
use super::{Attempt, AttemptHandle, AttemptLog, Call, Candidate, Line, Outcome, Role, state::CallState};
use crate::FailureKind;

/// The cap on the attempts of a call is spent: this one.
#[derive(Debug)]
pub(crate) struct CapSpent(pub(crate) u32);

impl Call {
    /// What was tried so far; `None` before the first layer has seen the call.
    #[must_use]
    pub fn attempts(&self) -> Option<AttemptLog> {
        self.log.clone().map(AttemptLog::new)
    }

    /// The line of the attempt that this copy belongs to: for services below [`AttemptLayer`](crate::attempt::AttemptLayer).
    #[must_use]
    pub fn attempt(&self) -> Option<AttemptHandle> {
        let (line, state) = (self.line?, self.log.as_ref()?);
        Some(AttemptHandle {
            state: Arc::clone(state),
            index: line.index as usize,
            number: line.number,
            is_repeat: line.is_repeat,
        })
    }

    /// Opens the call if no layer outside has done so; the log, then, is to be published when the call ends.
    pub(crate) fn open(&mut self) -> Option<AttemptLog> {
        self.open_at(crate::util::now)
    }

    /// The same with an instant that has been read already: reading the clock costs more than all else here.
    pub(crate) fn open_at(&mut self, now: impl FnOnce() -> Instant) -> Option<AttemptLog> {
        if self.log.is_some() {
            return None;
        }
        let state = Arc::new(CallState::new(now()));
        if let Some(deadline) = self.options.deadline {
            state.ends_by(deadline);
        }
        self.log = Some(Arc::clone(&state));
        Some(AttemptLog::new(state))
    }

    /// Takes one attempt out of the cap and opens its line in the log: the line, and when the attempt started.
    pub(crate) fn begin_attempt(
        &mut self,
        candidate: Option<Candidate>,
        cap: u32,
    ) -> Result<(AttemptHandle, Instant), CapSpent> {
        let Some(state) = &self.log else {
            return Err(CapSpent(0));
        };
        // A layer between may have lowered it since the call was opened.
        let cap = self.options.attempt_limit.map_or(cap, |limit| limit.min(cap));
        let number = state.claim(cap).map_err(CapSpent)?;
        let started = crate::util::now();
        let mut line = Attempt::new(number, candidate, state.since_begin(started));
        line.turn = self.turn.number;
        line.note = match (self.turn.role, &self.turn.continuation) {
            (Role::Hedge { .. }, _) => Some("hedge of the one before".into()),
            (_, Some(_)) => Some("resumes the interrupted answer".into()),
            _ => None,
        };
        let index = state.push(line);
        let state = Arc::clone(state);
        self.line = Some(Line::new(index, number, false));
        let line = AttemptHandle {
            state,
            index,
            number,
            is_repeat: false,
        };
        Ok((line, started))
    }

    /// Begins an exchange with the upstream that has a cost of its own. A second one over the same line, by a service of the user's
    /// between here and the attempt, takes another attempt out of the cap, and opens a line that ends with the exchange.
    pub(crate) fn begin_exchange(&mut self) -> Result<Option<AttemptHandle>, CapSpent> {
        let (Some(line), Some(state)) = (self.line, &self.log) else {
            return Ok(None);
        };
        if state.begin_exchange(line.index as usize) {
            return Ok(self.attempt());
        }
        let cap = self.options.attempt_limit.unwrap_or(u32::MAX);
        let number = state.claim(cap).map_err(CapSpent)?;
        let index = state.repeat_exchange(line.index as usize, number);
        self.line = Some(Line::new(index, number, true));
        Ok(self.attempt())
    }

    /// Whether the request of this exchange is sent for the first time: only then does a ledger entry account for it.
    pub(crate) fn is_first_sending(&self) -> bool {
        let line = self.line.zip(self.log.as_ref());
        line.is_none_or(|(line, state)| state.is_first_sending(line.index as usize))
    }

    /// Whether this call is to be counted among those that retries are a share of: once, however many candidates it calls.
    pub(crate) fn counts(&self) -> bool {
        self.log.as_ref().is_none_or(|state| state.counts())
    }

    /// Whether an attempt of this call was sent to this copy's candidate before.
    pub(crate) fn is_repeated(&self) -> bool {
        let Some(state) = self.log.as_ref().filter(|state| state.has_attempts()) else {
            return false;
        };
        let candidate = self.turn.candidate.as_ref();
        let lines = state.lines();
        let mut sent = lines.iter().filter(|line| line.is_sent);
        sent.any(|line| candidate.is_none() || line.candidate.as_ref() == candidate)
    }

    /// Writes down a candidate that was passed over, after `noted` has read the line.
    pub(crate) fn skipped(&self, candidate: Candidate, reason: &str, noted: impl FnOnce(&Attempt)) {
        if let Some(state) = &self.log {
            state.skipped(candidate, reason, noted);
        }
    }

    /// The candidates whose answers began and were interrupted, each as often as it happened.
    pub(crate) fn all_interrupted(&self) -> Vec<Candidate> {
        let state = self.log.as_ref().filter(|state| state.has_attempts());
        state.map(|state| state.interrupted()).unwrap_or_default()
    }

    /// Notes on the attempt whose answer is being read that it is not joined to what was shown.
    pub(crate) fn not_joined(&self, why: &str) {
        let Some(state) = &self.log else { return };
        let mut lines = state.lines();
        let read = lines.iter_mut().rev().find(|line| line.has_answered());
        if let Some(line) = read {
            line.note = Some(why.into());
        }
    }

    /// Whether an attempt of this turn runs, and has not begun its answer.
    pub(crate) fn is_waiting_in(&self, turn: u32) -> bool {
        let state = self.log.as_ref();
        state.is_some_and(|state| state.find_in_turn(turn, |line| line.outcome == Outcome::Waiting))
    }

    /// Whether an attempt of this turn has failed so.
    #[cfg(feature = "auth")]
    pub(crate) fn has_failed_in_turn(&self, kind: FailureKind) -> bool {
        let state = self.log.as_ref();
        state.is_some_and(|state| state.find_in_turn(self.turn.number, |line| line.outcome == Outcome::Failed(kind)))
    }

    /// Whether an attempt of this turn was sent; `None` if the call has no attempts at all.
    pub(crate) fn was_sent_in(&self, turn: u32) -> Option<bool> {
        let state = self.log.as_ref().filter(|state| state.has_attempts())?;
        Some(state.find_in_turn(turn, |line| line.is_sent))
    }

    /// Notes on the attempts of this turn, which are about to be dropped, that another candidate was faster.
    pub(crate) fn outrun(&self, turn: u32) {
        let Some(state) = &self.log else { return };
        state.find_in_turn(turn, |line| {
            if !matches!(line.outcome, Outcome::Failed(_)) {
                line.note = Some("another candidate was faster".into());
            }
            false
        });
    }

    /// Marks the answer of this turn as one that failed above the attempt: whole on the wire, and of no use.
    pub(crate) fn reject_answer(&self, kind: FailureKind, summary: &str) {
        let Some(state) = &self.log else { return };
        state.find_in_turn(self.turn.number, |line| {
            let is_answer = line.has_answered();
            if is_answer {
                line.outcome = Outcome::Failed(kind);
                line.summary = Some(summary.into());
            }
            is_answer
        });
    }

    /// Adds to the last failed attempt of this turn what was decided after it.
    pub(crate) fn decided(&self, turn: u32, change: impl FnOnce(&mut Attempt)) {
        let Some(state) = &self.log else { return };
        let mut change = Some(change);
        state.find_in_turn(turn, |line| {
            let failed = matches!(line.outcome, Outcome::Failed(_));
            if let Some(change) = change.take_if(|_| failed) {
                change(line);
            }
            failed
        });
    }

    /// Times the beginning of this turn's answer.
    pub(crate) fn first_token_timer(&self) -> FirstTokenTimer {
        FirstTokenTimer::new(self.log.clone(), self.turn.number)
    }

    pub(crate) const fn turn(&self) -> u32 {
        self.turn.number
    }

    /// The turn of this copy, from its own attempt on, or from the next one if it has none yet; `None` for a call that no layer above has
    /// given one.
    #[cfg(feature = "rate-limit")]
    pub(crate) fn turn_handle(&self) -> Option<super::TurnHandle> {
        let number = Some(self.turn.number).filter(|number| *number > 0)?;
        let state = Arc::clone(self.log.as_ref()?);
        let from = self
            .line
            .map_or_else(|| state.lines().len(), |line| line.index as usize);
        Some(super::TurnHandle { state, number, from })
    }
}
