//! What one call carries from layer to layer: the caller's options, the turn it was given, and the log of its attempts.

mod attempting;
mod candidate;
mod continuation;
mod first_token_timer;
mod guard;
mod handle;
mod known;
mod line;
mod log;
mod overrides;
mod priority;
mod route;
mod state;
mod tags;
mod turn;

use std::{fmt, sync::Arc, time::Duration};

use tokio::time::Instant;

pub use candidate::{Candidate, CandidateError};
pub use continuation::ContinueBy;
pub(crate) use continuation::{Continuation, Learned};
pub(crate) use first_token_timer::FirstTokenTimer;
pub(crate) use guard::AttemptGuard;
pub use handle::AttemptHandle;
#[cfg(feature = "cost")]
pub(crate) use handle::ExchangeEnd;
pub(crate) use handle::Preparing;
pub(crate) use known::Known;
pub use line::{Attempt, Outcome};
pub use log::AttemptLog;
pub use overrides::TimeoutOverrides;
pub use priority::Priority;
pub use route::Route;
pub use tags::{LONGEST_TAG_NAME, LONGEST_TAG_VALUE, MOST_TAGS, TagError, Tags};
pub(crate) use turn::Role;
#[cfg(feature = "rate-limit")]
pub(crate) use turn::TurnHandle;

use state::CallState;
use turn::Turn;

/// Why a call makes no further attempt.
pub(crate) const ATTEMPTS_SPENT: &str = "the attempts of this call are used up";

/// What one call carries from layer to layer.
///
/// Three parts: the options of the caller ([deadline](Self::limit_deadline), [cap on attempts](Self::limit_attempts),
/// [tags](Self::set_tags)), the turn that the layers above gave to this copy, and the log that all copies share.
///
/// Kept inside the request's body (see [`LlmRequest`](crate::LlmRequest)), so that it costs no allocation when the request
/// is cloned for another attempt. `Call::default()` is a call that no layer has seen yet.
#[derive(Clone)]
pub struct Call {
    state: Option<Arc<CallState>>,
    deadline: Option<Instant>,
    attempt_limit: Option<u32>,
    tags: Tags,
    account: Route,
    timeouts: Option<Arc<TimeoutOverrides>>,
    turn: Turn,
    /// The line of the attempt that this copy belongs to.
    line: Option<Line>,
    /// Set on a copy that resumes an interrupted answer.
    continuation: Option<Arc<Continuation>>,
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
            account: Route::FREE,
            timeouts: None,
            turn: Turn::NONE,
            line: None,
            continuation: None,
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
        let deadline = self.deadline.map_or(deadline, |known| known.min(deadline));
        self.deadline = Some(deadline);
        if let Some(state) = &self.state {
            state.ends_by(deadline);
        }
    }

    /// Time left until the deadline; `None` without one.
    #[must_use]
    pub fn remaining(&self) -> Option<Duration> {
        let deadline = self.deadline?;
        Some(deadline.saturating_duration_since(crate::util::now()))
    }

    /// Lowers the cap on attempts for this call alone: retries, fallbacks, hedges and resumes together.
    pub fn limit_attempts(&mut self, cap: u32) {
        self.attempt_limit = Some(self.attempt_limit.map_or(cap, |known| known.min(cap)));
    }

    /// Whether this call alone may make fewer attempts than others.
    pub(crate) const fn has_own_attempt_limit(&self) -> bool {
        self.attempt_limit.is_some()
    }

    /// Attempts that may still be made; `u32::MAX` if no layer has set a cap.
    #[must_use]
    pub fn attempts_left(&self) -> u32 {
        let own = self.attempt_limit.unwrap_or(u32::MAX);
        self.state.as_ref().map_or(own, |state| state.attempts_left(own))
    }

    /// Timeouts of this call alone: they go before the candidate's and the layer's.
    pub fn set_timeouts(&mut self, timeouts: TimeoutOverrides) {
        self.timeouts = Some(Arc::new(timeouts));
    }

    /// The call's own timeouts, or if it has none the candidate's.
    pub(crate) fn timeouts(&self) -> TimeoutOverrides {
        let own = self.timeouts.as_deref().copied().unwrap_or_default();
        let candidate = self.candidate().map(Candidate::timeouts);
        candidate.map_or(own, |candidate| own.or(candidate))
    }

    /// What the call is accounted under.
    #[must_use]
    pub const fn tags(&self) -> &Tags {
        &self.tags
    }

    /// Whose account the call is made on.
    #[must_use]
    pub const fn account(&self) -> Route {
        self.account
    }

    /// The call is made on an account of its caller's own, by a key of its own: what the upstream says of it counts for calls on the same
    /// account only.
    ///
    /// ```
    /// use tower_llm_layers::{Call, Route};
    ///
    /// let mut call = Call::default();
    /// call.set_account(Route::of([b"tenant-7".as_slice()]));
    /// ```
    pub const fn set_account(&mut self, account: Route) {
        self.account = account;
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

    /// Whether a shorter answer than requested may be sent for, if a budget or the balance allows no more: true without a chain and with
    /// a single candidate; with several only in the turn that comes after all of them.
    #[must_use]
    pub const fn may_shorten(&self) -> bool {
        self.turn.may_shorten
    }

    /// Makes this the turn that may shorten the answer.
    pub(crate) const fn allow_shorter(&mut self) {
        self.turn.may_shorten = true;
    }

    /// Whether this copy resumes an interrupted answer.
    #[must_use]
    pub const fn is_continuation(&self) -> bool {
        self.continuation.is_some()
    }

    /// The candidate whose answer was interrupted: it is called first to continue, unless it fell silent.
    #[must_use]
    pub fn interrupted(&self) -> Option<&Candidate> {
        self.continuation.as_ref()?.interrupted.as_ref()
    }

    pub(crate) const fn continuation(&self) -> Option<&Arc<Continuation>> {
        self.continuation.as_ref()
    }

    /// Whether the candidate continues a message that was begun for it, as far as the chain's catalogue says.
    pub(crate) const fn takes_prefill(&self) -> Option<bool> {
        self.turn.takes_prefill
    }

    /// Notes what the chain's catalogue says of that.
    pub(crate) const fn set_takes_prefill(&mut self, takes_prefill: Option<bool>) {
        self.turn.takes_prefill = takes_prefill;
    }

    /// Makes this the copy that resumes an answer.
    pub(crate) fn resume(&mut self, continuation: Arc<Continuation>) {
        self.continuation = Some(continuation);
    }

    /// Gives this copy to a candidate. The number finds the attempts that come of it, while they run and after.
    pub(crate) fn give_turn(&mut self, candidate: Candidate, role: Role, is_last_resort: bool) -> u32 {
        let within = self.turn.number;
        let number = self.state.as_ref().map_or(0, |state| state.new_turn(within));
        self.line = None;
        self.turn = Turn {
            number,
            candidate: Some(candidate),
            role,
            is_last_resort,
            may_shorten: matches!(role, Role::Only),
            takes_prefill: None,
        };
        number
    }

    /// Makes sure that this copy has a turn of its own, if no chain has given it one.
    pub(crate) fn ensure_turn(&mut self) {
        if self.turn.number == 0 {
            self.turn.number = self.state.as_ref().map_or(0, |state| state.new_turn(0));
        }
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
