//! What one call carries from layer to layer.

use std::{
    fmt,
    sync::{
        Arc, Mutex, MutexGuard,
        atomic::{AtomicU32, Ordering},
    },
    time::Duration,
};

use http::Response;
use tokio::time::Instant;

#[cfg(any(feature = "fallback", feature = "retry"))]
use crate::Outcome;
use crate::{
    AttemptLog, Candidate, Failure, LayerError, Tags,
    attempts::{Attempt, lock},
    claim::Claim,
};

/// Why a call goes no further.
#[cfg(any(feature = "fallback", feature = "retry"))]
pub(crate) const ATTEMPTS_SPENT: &str = "the attempts of this call are spent";

/// What all copies of one call's request share: attempts and their cap.
pub(crate) struct Shared {
    begun: Instant,
    #[cfg(feature = "cost")]
    id: std::sync::OnceLock<crate::ledger::CallId>,
    cap: AtomicU32,
    claimed: AtomicU32,
    /// Whether it has been counted among the calls that retries are a share of.
    #[cfg(feature = "retry")]
    counted: std::sync::atomic::AtomicBool,
    lines: Mutex<Vec<Attempt>>,
}

impl Shared {
    pub(crate) fn lines(&self) -> MutexGuard<'_, Vec<Attempt>> {
        lock(&self.lines)
    }

    pub(crate) fn elapsed(&self) -> Duration {
        self.begun.elapsed()
    }

    /// How many attempts were begun.
    #[cfg(feature = "observe")]
    pub(crate) fn claimed(&self) -> u32 {
        self.claimed.load(Ordering::Relaxed)
    }

    /// The call's name in the ledger: made when it is first asked for.
    #[cfg(feature = "cost")]
    pub(crate) fn id(&self, at: crate::UtcTime) -> crate::ledger::CallId {
        *self.id.get_or_init(|| crate::ledger::CallId::new(at))
    }
}

/// What one call carries from layer to layer: its deadline, its attempts and their cap, and whose turn it is.
///
/// Kept inside the request's body (see [`LlmRequest`](crate::LlmRequest)), where it costs no allocation when the request
/// is cloned for another attempt. `Call::default()` is a call that no layer has seen yet.
#[derive(Clone, Default)]
pub struct Call {
    shared: Option<Arc<Shared>>,
    candidate: Option<Candidate>,
    deadline: Option<Instant>,
    attempt_limit: Option<u32>,
    is_last: bool,
    is_alone: bool,
    is_last_resort: bool,
    is_hedge: bool,
    is_continuation: bool,
    /// Who was answering when the answer broke off.
    broke_off: Option<Candidate>,
    tags: Tags,
}

impl Call {
    /// When the call must have ended, last byte of the stream included.
    #[must_use]
    pub const fn deadline(&self) -> Option<Instant> {
        self.deadline
    }

    /// Brings the deadline forward; a later one than there is changes nothing.
    pub fn limit_deadline(&mut self, deadline: Instant) {
        self.deadline = Some(self.deadline.map_or(deadline, |known| known.min(deadline)));
    }

    /// Time left until the deadline; `None` without one.
    #[must_use]
    pub fn remaining(&self) -> Option<Duration> {
        self.deadline
            .map(|deadline| deadline.saturating_duration_since(Instant::now()))
    }

    /// Whose turn it is.
    #[must_use]
    pub const fn candidate(&self) -> Option<&Candidate> {
        self.candidate.as_ref()
    }

    /// Gives the turn to a candidate. `is_last`: nobody comes after it. `is_alone`: nobody came before it either.
    pub fn set_candidate(&mut self, candidate: Candidate, is_last: bool, is_alone: bool) {
        self.candidate = Some(candidate);
        self.is_last = is_last;
        self.is_alone = is_alone;
        self.is_last_resort = false;
        self.is_hedge = false;
    }

    /// Whether another candidate has been asked already, and is only late.
    #[must_use]
    pub const fn is_hedge(&self) -> bool {
        self.is_hedge
    }

    /// Asks the candidate whose turn it is beside another one. Giving the turn to a third takes it back.
    pub const fn set_hedge(&mut self) {
        self.is_hedge = true;
    }

    /// Whether an answer that broke off is to be gone on with.
    #[must_use]
    pub const fn is_continuation(&self) -> bool {
        self.is_continuation
    }

    /// Who was answering when the answer broke off: it is asked first to go on.
    #[must_use]
    pub const fn broke_off(&self) -> Option<&Candidate> {
        self.broke_off.as_ref()
    }

    /// Asks to go on with what this candidate was answering when it broke off.
    pub fn set_continues(&mut self, broke_off: Option<Candidate>) {
        self.is_continuation = true;
        self.broke_off = broke_off;
    }

    /// Whether nobody else is left to ask, so that this candidate is to be asked although its circuit is open.
    #[must_use]
    pub const fn is_last_resort(&self) -> bool {
        self.is_last_resort
    }

    /// Asks the candidate whose turn it is although its circuit is open. Giving the turn to another takes it back.
    pub const fn set_last_resort(&mut self) {
        self.is_last_resort = true;
    }

    /// What it is booked under.
    #[must_use]
    pub const fn tags(&self) -> &Tags {
        &self.tags
    }

    /// Books it under these.
    pub fn set_tags(&mut self, tags: Tags) {
        self.tags = tags;
    }

    /// Whether no other candidate comes after this one. True without a chain.
    #[must_use]
    pub const fn is_last(&self) -> bool {
        self.is_last || self.candidate.is_none()
    }

    /// Whether there is but one candidate. True without a chain.
    #[must_use]
    pub const fn is_alone(&self) -> bool {
        self.is_alone || self.candidate.is_none()
    }

    /// Lowers the cap on attempts for this call alone: retries, fallbacks and all.
    pub fn limit_attempts(&mut self, cap: u32) {
        self.attempt_limit = Some(self.attempt_limit.map_or(cap, |known| known.min(cap)));
    }

    /// Whether this call alone may make fewer attempts than others.
    #[cfg(feature = "cache")]
    pub(crate) const fn has_own_attempt_limit(&self) -> bool {
        self.attempt_limit.is_some()
    }

    /// Attempts that may still be made; `u32::MAX` where no layer has set a cap.
    #[must_use]
    pub fn attempts_left(&self) -> u32 {
        let own = self.attempt_limit.unwrap_or(u32::MAX);
        self.shared.as_ref().map_or(own, |shared| {
            let cap = shared.cap.load(Ordering::Relaxed).min(own);
            if cap == u32::MAX {
                return cap;
            }
            cap.saturating_sub(shared.claimed.load(Ordering::Relaxed))
        })
    }

    /// What was tried so far; `None` before the first layer has seen the call.
    #[must_use]
    pub fn attempts(&self) -> Option<AttemptLog> {
        self.shared.clone().map(AttemptLog::new)
    }

    #[cfg(feature = "cost")]
    pub(crate) const fn shared(&self) -> Option<&Arc<Shared>> {
        self.shared.as_ref()
    }

    /// Opens the call where no layer outside has done so. The [`Opened`] publishes the log when the call ends.
    pub(crate) fn open(&mut self) -> Opened {
        self.open_at(Instant::now)
    }

    /// The same, where the clock has been read already: reading it costs more than all else here.
    pub(crate) fn open_at(&mut self, now: impl FnOnce() -> Instant) -> Opened {
        if self.shared.is_some() {
            return Opened(None);
        }
        let shared = Arc::new(Shared {
            begun: now(),
            #[cfg(feature = "cost")]
            id: std::sync::OnceLock::new(),
            cap: AtomicU32::new(u32::MAX),
            claimed: AtomicU32::new(0),
            #[cfg(feature = "retry")]
            counted: std::sync::atomic::AtomicBool::new(false),
            lines: Mutex::new(Vec::new()),
        });
        self.shared = Some(Arc::clone(&shared));
        Opened(Some(AttemptLog::new(shared)))
    }

    /// Takes one attempt out of the cap and opens its line in the log.
    pub(crate) fn claim(&self, model: Option<&str>, cap: u32) -> Result<Claim, LayerError> {
        let Some(shared) = &self.shared else {
            return Err(LayerError::AttemptsSpent { cap: 0 });
        };
        // A layer between may have lowered it since the call was opened.
        let cap = self.attempt_limit.map_or(cap, |limit| limit.min(cap));
        let cap = shared.cap.fetch_min(cap, Ordering::Relaxed).min(cap);
        let claimed = shared
            .claimed
            .fetch_update(Ordering::AcqRel, Ordering::Acquire, |claimed| {
                (claimed < cap).then_some(claimed + 1)
            })
            .map_err(|_| LayerError::AttemptsSpent { cap })?;
        let candidate = self
            .candidate
            .clone()
            .or_else(|| Candidate::new("upstream", model?).ok());
        let started = Instant::now();
        let mut line = Attempt::new(claimed + 1, candidate, started.saturating_duration_since(shared.begun));
        line.note = match (self.is_hedge, self.is_continuation) {
            (true, _) => Some("beside the one before".into()),
            (false, true) => Some("goes on where it broke off".into()),
            (false, false) => None,
        };
        let mut lines = shared.lines();
        lines.push(line);
        Ok(Claim::new(Arc::clone(shared), lines.len() - 1, claimed + 1, started))
    }

    /// Whether it is to be counted among the calls that retries are a share of: once, however many candidates it asks.
    #[cfg(feature = "retry")]
    pub(crate) fn counts(&self) -> bool {
        let shared = self.shared.as_ref();
        shared.is_none_or(|shared| !shared.counted.swap(true, Ordering::Relaxed))
    }

    /// Whether whose turn it is was sent an attempt of this call before.
    #[cfg(feature = "retry")]
    pub(crate) fn is_repeated(&self) -> bool {
        let tried = |shared: &&Arc<Shared>| shared.claimed.load(Ordering::Relaxed) > 0;
        let Some(shared) = self.shared.as_ref().filter(tried) else {
            return false;
        };
        let lines = shared.lines();
        let mut sent = lines.iter().filter(|line| line.was_sent());
        sent.any(|line| self.candidate.is_none() || line.candidate == self.candidate)
    }

    /// Notes a candidate that was passed over.
    #[cfg(feature = "fallback")]
    pub(crate) fn skipped(&self, candidate: Candidate, reason: &str) {
        let Some(shared) = &self.shared else { return };
        let mut line = Attempt::new(0, Some(candidate), shared.elapsed());
        line.outcome = Outcome::Skipped;
        line.summary = Some(reason.into());
        shared.lines().push(line);
    }

    /// Whose answers began and then broke off, each as often as it happened.
    #[cfg(feature = "fallback")]
    pub(crate) fn broken_answers(&self) -> Vec<Candidate> {
        let tried = |shared: &&Arc<Shared>| shared.claimed.load(Ordering::Relaxed) > 0;
        let Some(shared) = self.shared.as_ref().filter(tried) else {
            return Vec::new();
        };
        let lines = shared.lines();
        let broken = lines
            .iter()
            .filter(|line| line.first_token.is_some() && matches!(line.outcome, Outcome::Failed(_)));
        broken.filter_map(|line| line.candidate.clone()).collect()
    }

    /// Whether an attempt at this candidate is under way, and nothing has come of it yet.
    #[cfg(feature = "fallback")]
    pub(crate) fn is_waiting_for(&self, candidate: &Candidate) -> bool {
        self.shared.as_ref().is_some_and(|shared| {
            let lines = shared.lines();
            let mut open = lines.iter().filter(|line| line.outcome == Outcome::Waiting);
            open.any(|line| line.candidate.as_ref() == Some(candidate))
        })
    }

    /// Notes that the attempt at this candidate, which is about to be dropped, was outrun.
    #[cfg(feature = "fallback")]
    pub(crate) fn outrun(&self, candidate: &Candidate) {
        let Some(shared) = &self.shared else { return };
        let mut lines = shared.lines();
        let mut open = lines.iter_mut().rev().filter(|line| line.outcome == Outcome::Waiting);
        if let Some(line) = open.find(|line| line.candidate.as_ref() == Some(candidate)) {
            line.note = Some("another was faster".into());
        }
    }

    /// Adds to the last failed attempt, of whose turn it is, what was decided after it.
    #[cfg(any(feature = "fallback", feature = "retry"))]
    pub(crate) fn decided(&self, change: impl FnOnce(&mut Attempt)) {
        let Some(shared) = &self.shared else { return };
        let mut lines = shared.lines();
        let mut failed = lines
            .iter_mut()
            .rev()
            .filter(|line| matches!(line.outcome, Outcome::Failed(_)));
        if let Some(line) = failed.find(|line| self.candidate.is_none() || line.candidate == self.candidate) {
            change(line);
        }
    }
}

impl fmt::Debug for Call {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Call")
            .field("candidate", &self.candidate)
            .field("deadline", &self.deadline)
            .field("attempts", &self.shared.clone().map(AttemptLog::new))
            .finish_non_exhaustive()
    }
}

/// Held by the layer that opened a call: it publishes the log, once.
#[derive(Debug)]
pub(crate) struct Opened(Option<AttemptLog>);

impl Opened {
    pub(crate) fn publish<B, E: Failure>(&mut self, result: Result<Response<B>, E>) -> Result<Response<B>, E> {
        let Some(log) = self.0.take() else {
            return result;
        };
        match result {
            Ok(mut response) => {
                response.extensions_mut().insert(log);
                Ok(response)
            }
            Err(mut error) => {
                error.attach(log);
                Err(error)
            }
        }
    }
}

impl fmt::Debug for Shared {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Shared")
            .field("attempts", &self.lines().len())
            .finish_non_exhaustive()
    }
}
