//! What one call carries from layer to layer: the caller's options, the turn it was given, and the log of its attempts.

mod candidate;
#[cfg(any(feature = "adaptive-concurrency", feature = "circuit-breaker"))]
mod first_token_timer;
mod guard;
mod handle;
#[cfg(any(feature = "adaptive-concurrency", feature = "circuit-breaker", feature = "fallback"))]
mod known;
mod line;
mod log;
mod priority;
mod state;
mod tags;
mod turn;

use std::{fmt, sync::Arc, time::Duration};

use tokio::time::Instant;

pub use candidate::{Candidate, CandidateError};
#[cfg(any(feature = "adaptive-concurrency", feature = "circuit-breaker"))]
pub(crate) use first_token_timer::FirstTokenTimer;
pub(crate) use guard::AttemptGuard;
pub use handle::AttemptHandle;
#[cfg(feature = "cost")]
pub(crate) use handle::ExchangeEnd;
#[cfg(any(feature = "adaptive-concurrency", feature = "circuit-breaker", feature = "fallback"))]
pub(crate) use known::Known;
pub use line::{Attempt, Outcome};
pub use log::AttemptLog;
pub use priority::Priority;
pub use tags::{LONGEST_TAG_NAME, LONGEST_TAG_VALUE, MOST_TAGS, TagError, Tags};
pub(crate) use turn::Role;

use crate::LayerError;
use state::CallState;
use turn::Turn;

/// Why a call makes no further attempt.
#[cfg(any(feature = "fallback", feature = "retry"))]
pub(crate) const ATTEMPTS_SPENT: &str = "the attempts of this call are spent";

/// What one call carries from layer to layer.
///
/// Three parts: the options of the caller ([deadline](Self::limit_deadline), [cap on attempts](Self::limit_attempts),
/// [tags](Self::set_tags)), the turn that the layers above gave to this copy, and the log that all copies share.
///
/// Kept inside the request's body (see [`LlmRequest`](crate::LlmRequest)), where it costs no allocation when the request
/// is cloned for another attempt. `Call::default()` is a call that no layer has seen yet.
#[derive(Clone)]
pub struct Call {
    state: Option<Arc<CallState>>,
    deadline: Option<Instant>,
    attempt_limit: Option<u32>,
    tags: Tags,
    turn: Turn,
    /// The line of the attempt that this copy belongs to.
    line: Option<Line>,
    /// Set on a copy that resumes an interrupted answer: the candidate that gave it, as far as that is known.
    interrupted: Option<Option<Candidate>>,
}

#[derive(Debug, Clone, Copy)]
struct Line {
    index: u32,
    number: u32,
    is_repeat: bool,
}

impl Default for Call {
    fn default() -> Self {
        Self {
            state: None,
            deadline: None,
            attempt_limit: None,
            tags: Tags::default(),
            turn: Turn::NONE,
            line: None,
            interrupted: None,
        }
    }
}

/// The caller's options.
impl Call {
    /// When the call must have ended, last byte of the stream included.
    #[must_use]
    pub const fn deadline(&self) -> Option<Instant> {
        self.deadline
    }

    /// Brings the deadline forward; a later one than the present one changes nothing.
    pub fn limit_deadline(&mut self, deadline: Instant) {
        self.deadline = Some(self.deadline.map_or(deadline, |known| known.min(deadline)));
    }

    /// Time left until the deadline; `None` without one.
    #[must_use]
    pub fn remaining(&self) -> Option<Duration> {
        let deadline = self.deadline?;
        Some(deadline.saturating_duration_since(Instant::now()))
    }

    /// Lowers the cap on attempts for this call alone: retries, fallbacks, hedges and resumes together.
    pub fn limit_attempts(&mut self, cap: u32) {
        self.attempt_limit = Some(self.attempt_limit.map_or(cap, |known| known.min(cap)));
    }

    /// Whether this call alone may make fewer attempts than others.
    #[cfg(feature = "cache")]
    pub(crate) const fn has_own_attempt_limit(&self) -> bool {
        self.attempt_limit.is_some()
    }

    /// Attempts that may still be made; `u32::MAX` if no layer has set a cap.
    #[must_use]
    pub fn attempts_left(&self) -> u32 {
        let own = self.attempt_limit.unwrap_or(u32::MAX);
        self.state.as_ref().map_or(own, |state| state.attempts_left(own))
    }

    /// What the call is accounted under.
    #[must_use]
    pub const fn tags(&self) -> &Tags {
        &self.tags
    }

    /// Accounts the call under these tags.
    pub fn set_tags(&mut self, tags: Tags) {
        self.tags = tags;
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
            ..Turn::NONE
        };
    }

    /// Whether no other candidate comes after this one. True without a chain.
    #[must_use]
    pub const fn is_last(&self) -> bool {
        self.turn.is_last()
    }

    /// Whether there is but one candidate. True without a chain.
    #[must_use]
    pub const fn is_alone(&self) -> bool {
        matches!(self.turn.role, Role::Only)
    }

    /// Whether this copy is a hedge: another candidate has been called already, and is only slow.
    #[must_use]
    pub const fn is_hedge(&self) -> bool {
        matches!(self.turn.role, Role::Hedge { .. })
    }

    /// Whether no other candidate is left, so that this one is called although its circuit is open.
    #[must_use]
    pub const fn is_last_resort(&self) -> bool {
        self.turn.is_last_resort
    }

    /// Whether this copy resumes an interrupted answer.
    #[must_use]
    pub const fn is_continuation(&self) -> bool {
        self.interrupted.is_some()
    }

    /// The candidate whose answer was interrupted: it is called first to continue.
    #[must_use]
    pub fn interrupted(&self) -> Option<&Candidate> {
        self.interrupted.as_ref()?.as_ref()
    }

    /// Makes this the copy that resumes an answer of this candidate.
    #[cfg(feature = "resume")]
    pub(crate) fn resume(&mut self, interrupted: Option<Candidate>) {
        self.interrupted = Some(interrupted);
    }

    /// Gives this copy to a candidate. The number finds the attempts that come of it, while they run and after.
    #[cfg(feature = "fallback")]
    pub(crate) fn give_turn(&mut self, candidate: Candidate, role: Role, is_last_resort: bool) -> u32 {
        let number = self.state.as_ref().map_or(0, |state| state.new_turn());
        self.line = None;
        self.turn = Turn {
            number,
            candidate: Some(candidate),
            role,
            is_last_resort,
        };
        number
    }

    /// Makes sure that this copy has a turn of its own, if no chain has given it one.
    #[cfg(feature = "retry")]
    pub(crate) fn ensure_turn(&mut self) {
        if self.turn.number == 0 {
            self.turn.number = self.state.as_ref().map_or(0, |state| state.new_turn());
        }
    }
}

/// The log.
impl Call {
    /// What was tried so far; `None` before the first layer has seen the call.
    #[must_use]
    pub fn attempts(&self) -> Option<AttemptLog> {
        self.state.clone().map(AttemptLog::new)
    }

    /// The line of the attempt that this copy belongs to: for services below [`AttemptLayer`](crate::attempt::AttemptLayer).
    #[must_use]
    pub fn attempt(&self) -> Option<AttemptHandle> {
        let (line, state) = (self.line?, self.state.as_ref()?);
        Some(AttemptHandle {
            state: Arc::clone(state),
            index: line.index as usize,
            number: line.number,
            is_repeat: line.is_repeat,
        })
    }

    /// Opens the call if no layer outside has done so; the log, then, is to be published when the call ends.
    pub(crate) fn open(&mut self) -> Option<AttemptLog> {
        self.open_at(Instant::now)
    }

    /// The same, if the clock has been read already: that costs more than all else here.
    pub(crate) fn open_at(&mut self, now: impl FnOnce() -> Instant) -> Option<AttemptLog> {
        if self.state.is_some() {
            return None;
        }
        let state = Arc::new(CallState::new(now()));
        self.state = Some(Arc::clone(&state));
        Some(AttemptLog::new(state))
    }

    /// Takes one attempt out of the cap and opens its line in the log.
    pub(crate) fn begin_attempt(&mut self, candidate: Option<Candidate>, cap: u32) -> Result<AttemptGuard, LayerError> {
        let Some(state) = &self.state else {
            return Err(LayerError::AttemptsSpent { cap: 0 });
        };
        // A layer between may have lowered it since the call was opened.
        let cap = self.attempt_limit.map_or(cap, |limit| limit.min(cap));
        let number = state.claim(cap).map_err(|cap| LayerError::AttemptsSpent { cap })?;
        let started = Instant::now();
        let mut line = Attempt::new(number, candidate, state.since_begin(started));
        line.turn = self.turn.number;
        line.note = match (self.turn.role, &self.interrupted) {
            (Role::Hedge { .. }, _) => Some("hedge of the one before".into()),
            (_, Some(_)) => Some("resumes the interrupted answer".into()),
            _ => None,
        };
        let index = state.push(line);
        self.line = Some(Line::new(index, number, false));
        Ok(AttemptGuard::new(Arc::clone(state), index, number, started))
    }

    /// Begins an exchange with the upstream that has a cost of its own. A second one over the same line, by a service of the user's
    /// between here and the attempt, takes another attempt out of the cap, and opens a line that ends with the exchange.
    #[cfg(feature = "cost")]
    pub(crate) fn begin_exchange(&mut self) -> Result<Option<AttemptHandle>, LayerError> {
        let (Some(line), Some(state)) = (self.line, &self.state) else {
            return Ok(None);
        };
        if state.begin_exchange(line.index as usize) {
            return Ok(self.attempt());
        }
        let cap = self.attempt_limit.unwrap_or(u32::MAX);
        let number = state.claim(cap).map_err(|cap| LayerError::AttemptsSpent { cap })?;
        let index = state.repeat_exchange(line.index as usize, number);
        self.line = Some(Line::new(index, number, true));
        Ok(self.attempt())
    }

    /// Whether the request of this exchange is sent for the first time: only then does a ledger entry account for it.
    #[cfg(feature = "auth")]
    pub(crate) fn is_first_sending(&self) -> bool {
        let line = self.line.zip(self.state.as_ref());
        line.is_none_or(|(line, state)| state.is_first_sending(line.index as usize))
    }

    /// Whether this call is to be counted among those that retries are a share of: once, however many candidates it calls.
    #[cfg(feature = "retry")]
    pub(crate) fn counts(&self) -> bool {
        self.state.as_ref().is_none_or(|state| state.counts())
    }

    /// Whether an attempt of this call was sent to this copy's candidate before.
    #[cfg(feature = "retry")]
    pub(crate) fn is_repeated(&self) -> bool {
        let Some(state) = self.state.as_ref().filter(|state| state.has_attempts()) else {
            return false;
        };
        let candidate = self.turn.candidate.as_ref();
        let lines = state.lines();
        let mut sent = lines.iter().filter(|line| line.is_sent);
        sent.any(|line| candidate.is_none() || line.candidate.as_ref() == candidate)
    }

    /// Writes down a candidate that was passed over.
    #[cfg(feature = "fallback")]
    pub(crate) fn skipped(&self, candidate: Candidate, reason: &str) {
        if let Some(state) = &self.state {
            state.skipped(candidate, reason);
        }
    }

    /// The candidates whose answers began and were interrupted, each as often as it happened.
    #[cfg(feature = "fallback")]
    pub(crate) fn all_interrupted(&self) -> Vec<Candidate> {
        let state = self.state.as_ref().filter(|state| state.has_attempts());
        state.map(|state| state.interrupted()).unwrap_or_default()
    }

    /// Whether an attempt of this turn runs, and has not begun its answer.
    #[cfg(feature = "fallback")]
    pub(crate) fn is_waiting_in(&self, turn: u32) -> bool {
        let state = self.state.as_ref();
        state.is_some_and(|state| state.find_in_turn(turn, |line| line.outcome == Outcome::Waiting))
    }

    /// Whether an attempt of this turn was sent; `None` if the call has no attempts at all.
    #[cfg(feature = "fallback")]
    pub(crate) fn was_sent_in(&self, turn: u32) -> Option<bool> {
        let state = self.state.as_ref().filter(|state| state.has_attempts())?;
        Some(state.find_in_turn(turn, |line| line.is_sent))
    }

    /// Notes on the attempts of this turn, which are about to be dropped, that another candidate was faster.
    #[cfg(feature = "fallback")]
    pub(crate) fn outrun(&self, turn: u32) {
        let Some(state) = &self.state else { return };
        state.find_in_turn(turn, |line| {
            if !matches!(line.outcome, Outcome::Failed(_)) {
                line.note = Some("another candidate was faster".into());
            }
            false
        });
    }

    /// Adds to the last failed attempt of this turn what was decided after it.
    #[cfg(any(feature = "fallback", feature = "retry"))]
    pub(crate) fn decided(&self, turn: u32, change: impl FnOnce(&mut Attempt)) {
        let Some(state) = &self.state else { return };
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
    #[cfg(any(feature = "adaptive-concurrency", feature = "circuit-breaker"))]
    pub(crate) fn first_token_timer(&self) -> FirstTokenTimer {
        FirstTokenTimer::new(self.state.clone(), self.turn.number)
    }

    #[cfg(any(feature = "fallback", feature = "retry"))]
    pub(crate) const fn turn(&self) -> u32 {
        self.turn.number
    }
}

impl Line {
    fn new(index: usize, number: u32, is_repeat: bool) -> Self {
        // A call makes at most `u32::MAX` attempts; candidates that were passed over are fewer than that.
        let index = u32::try_from(index).unwrap_or(u32::MAX);
        Self {
            index,
            number,
            is_repeat,
        }
    }
}

impl fmt::Debug for Call {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Call")
            .field("candidate", &self.turn.candidate)
            .field("deadline", &self.deadline)
            .field("attempts", &self.attempts())
            .finish_non_exhaustive()
    }
}
