//! What a layer needs of an error.

use std::time::Duration;

use http::Response;

use super::LayerError;
use crate::{Advice, AttemptLog, Candidate, FailureKind, FailureScope, Health, RouterAttempt, TokenUsage};

/// The only part of an error that layers read.
///
/// Implement it for your service's error type, and `From<LayerError>` as well, so that layers can add their own failures without
/// boxing or nesting yours. Keep one [`FailureMarks`] in it: the layers write there what they must find again.
///
/// ```
/// use tower_llm_layers::{Failure, FailureKind, FailureMarks, LayerError};
///
/// #[derive(Debug)]
/// struct Error { kind: FailureKind, message: String, marks: FailureMarks }
///
/// impl Failure for Error {
///     fn kind(&self) -> FailureKind { self.kind }
///     fn marks(&self) -> &FailureMarks { &self.marks }
///     fn marks_mut(&mut self) -> &mut FailureMarks { &mut self.marks }
///     fn summary(&self) -> String { self.message.clone() }
/// }
///
/// impl From<LayerError> for Error {
///     fn from(error: LayerError) -> Self {
///         Self { kind: error.kind(), message: error.to_string(), marks: FailureMarks::default() }
///     }
/// }
/// ```
pub trait Failure: Sized {
    /// What went wrong.
    fn kind(&self) -> FailureKind;

    /// What the layers have noted on this error.
    fn marks(&self) -> &FailureMarks;

    /// The same, to be changed.
    fn marks_mut(&mut self) -> &mut FailureMarks;

    /// What follows from it: the advice that [its marks](FailureMarks::advice) hold, else [the table of its kind](FailureKind::advice). A timeout
    /// of [the call's own](FailureMarks::is_own_timeout) says nothing of the upstream's health, whatever the advice.
    fn advice(&self) -> Advice {
        let advice = self.marks().advice().unwrap_or_else(|| self.kind().advice());
        if self.marks().is_own_timeout() {
            let health = Health::Neutral;
            return Advice { health, ..advice };
        }
        advice
    }

    /// The HTTP status, if there was one.
    fn status(&self) -> Option<u16> {
        None
    }

    /// Which provider behind the upstream failed, if the upstream is a router and names it.
    fn provider(&self) -> Option<&str> {
        None
    }

    /// What a router tried by itself before it failed, if it says so.
    fn router_attempts(&self) -> Vec<RouterAttempt> {
        Vec::new()
    }

    /// The name of the generation that failed, if the upstream gave one: its bill can be looked up.
    fn generation_id(&self) -> Option<&str> {
        None
    }

    /// Whether the attempt may have been charged although it failed so before its answer began. By default it may for the kinds
    /// of [`FailureKind::may_be_billed`] (reset, timeout, truncated, malformed, nonconformant, cancelled, internal), and for `Upstream` with status 408, 504,
    /// 524 or 598: a server on the way gave up waiting for the one behind it. So a refusal of your own of one of these kinds is recorded as an estimate, unless
    /// you call [`AttemptHandle::not_sent`](crate::AttemptHandle::not_sent).
    fn may_be_billed(&self) -> bool {
        self.kind().may_be_billed_with(self.status())
    }

    /// Whether the upstream promises to charge nothing for an attempt that failed so, whatever usage it has reported. `false` by default:
    /// then counts that it reported are priced.
    fn is_uncharged(&self) -> bool {
        false
    }

    /// The usage that the upstream reported with the failure itself, and not in a frame before it: it is priced like that of a frame. `None` by
    /// default.
    fn token_usage(&self) -> Option<TokenUsage> {
        None
    }

    /// How long the upstream asked to wait, already clamped.
    fn retry_after(&self) -> Option<Duration> {
        None
    }

    /// The `max_tokens` that the balance could pay for, if the upstream said so.
    fn affordable_tokens(&self) -> Option<u64> {
        None
    }

    /// How far the failure reaches.
    fn scope(&self) -> FailureScope {
        FailureScope::Candidate
    }

    /// The pool that a failure of [`FailureScope::Pool`] is about, if it is not this candidate's own: an upstream may serve a model that is paid
    /// from elsewhere. `None`, the default, means [its own](crate::Candidate::pool).
    fn pool_behind(&self, candidate: &Candidate) -> Option<String> {
        let _ = candidate;
        None
    }

    /// Whether a rate limit counts by the key's account, so that another key of a pool may serve the same candidate: then the key rests for
    /// that candidate, or for its [pool](FailureScope::Pool), and not the candidate for all keys.
    fn limits_key(&self) -> bool {
        false
    }

    /// A few words for the attempt log, e.g. `overloaded (Anthropic)`. Never a key, a prompt or an answer.
    fn summary(&self) -> String {
        self.kind().to_string()
    }

    /// Whether it concerns this caller alone: then another caller that waits for the same answer calls again.
    fn is_personal(&self) -> bool {
        self.marks().is_own_timeout() || self.kind().is_personal()
    }

    /// The same failure for another caller that waited for the same answer. By default it keeps kind, status, hint and summary.
    #[must_use]
    fn for_coalesced(&self) -> Self
    where
        Self: From<LayerError>,
    {
        LayerError::CoalescedFailure {
            kind: self.kind(),
            status: self.status(),
            retry_after: self.retry_after(),
            summary: self.summary(),
        }
        .into()
    }
}

/// What the layers note on an error: keep one in your type, `FailureMarks::default()` at first.
#[derive(Debug, Clone, Default)]
pub struct FailureMarks {
    attempts: Option<AttemptLog>,
    is_exhausted: bool,
    is_own_timeout: bool,
    is_shared_budget: bool,
    refusal: Refusal,
    /// Whether another key could be used; `None` if no pool of keys has taken note of the failure.
    other_key: Option<bool>,
    advice: Option<Advice>,
}

/// Whether the attempt was refused on our side.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
enum Refusal {
    #[default]
    None,
    Local,
    /// Since the candidate is paused.
    Paused,
}

impl FailureMarks {
    /// What was tried: there once the error has left the outermost layer.
    #[must_use]
    pub const fn attempts(&self) -> Option<&AttemptLog> {
        self.attempts.as_ref()
    }

    /// Whether a layer inside has given up on this call, so that none outside multiplies attempts.
    #[must_use]
    pub const fn is_exhausted(&self) -> bool {
        self.is_exhausted
    }

    /// Whether the key that failed is out, and another key of the pool could still be used.
    #[must_use]
    pub const fn has_other_key(&self) -> bool {
        matches!(self.other_key, Some(true))
    }

    /// Whether a pool of keys remembers what the upstream said of the key.
    #[must_use]
    pub const fn is_key_resting(&self) -> bool {
        self.other_key.is_some()
    }

    /// Whether a limit of our own, or a missing key, refused the attempt: nothing was sent, and the upstream said nothing.
    #[must_use]
    pub const fn is_local(&self) -> bool {
        !matches!(self.refusal, Refusal::None)
    }

    /// Whether the candidate was not called since it is paused: see [`LayerError::Paused`].
    #[must_use]
    pub const fn is_paused(&self) -> bool {
        matches!(self.refusal, Refusal::Paused)
    }

    /// Whether a timeout ended the attempt that [the call itself](crate::Call::set_timeouts) has set, shorter than its candidate's and the timeout
    /// layer's: another caller would have waited longer.
    #[must_use]
    pub const fn is_own_timeout(&self) -> bool {
        self.is_own_timeout
    }

    /// Whether a budget refused the attempt that counts by no tag of the call, so that it refuses other callers as well.
    #[must_use]
    pub const fn is_shared_budget(&self) -> bool {
        self.is_shared_budget
    }

    /// What follows from this failure, if it is not what the table of its kind says.
    #[must_use]
    pub const fn advice(&self) -> Option<Advice> {
        self.advice
    }

    /// Sets what follows from this failure, in the place of the table of its kind: for a classifier.
    pub const fn set_advice(&mut self, advice: Advice) {
        self.advice = Some(advice);
    }

    /// Notes that a layer has given up on this call.
    pub const fn set_exhausted(&mut self) {
        self.is_exhausted = true;
    }

    /// Notes that a pool of keys remembers the failure, and whether another key could still be used.
    pub const fn set_other_key(&mut self, has_other_key: bool) {
        self.other_key = Some(has_other_key);
    }

    /// Notes that the attempt was refused on our side.
    pub const fn set_local(&mut self) {
        if !self.is_local() {
            self.refusal = Refusal::Local;
        }
    }

    /// Notes that the candidate was not called since it is paused.
    pub const fn set_paused(&mut self) {
        self.refusal = Refusal::Paused;
    }

    /// Notes that a timeout of the call's own, shorter than its candidate's and the timeout layer's, ended the attempt.
    pub const fn set_own_timeout(&mut self) {
        self.is_own_timeout = true;
    }

    /// Notes that a budget refused the attempt that counts by no tag of the call.
    pub const fn set_shared_budget(&mut self) {
        self.is_shared_budget = true;
    }

    /// Keeps what was tried, unless it is there already.
    pub fn attach(&mut self, attempts: AttemptLog) {
        self.attempts.get_or_insert(attempts);
    }
}

/// The candidate, paid from the pool that the failure is about.
pub(crate) fn in_pool_of<E: Failure>(error: &E, candidate: &Candidate) -> Candidate {
    let behind = (error.scope() == FailureScope::Pool).then(|| error.pool_behind(candidate));
    match behind.flatten() {
        Some(pool) => candidate.clone().with_pool(&pool),
        None => candidate.clone(),
    }
}

/// Gives the log of a call to the caller: in the response's extensions, or on the error. The layer that opened the call
/// has the log, and publishes it once.
#[inline]
pub(crate) fn publish<B, E: Failure>(
    log: &mut Option<AttemptLog>,
    mut result: Result<Response<B>, E>,
) -> Result<Response<B>, E> {
    if let Some(log) = log.take() {
        match &mut result {
            Ok(response) => {
                response.extensions_mut().insert(log);
            }
            Err(error) => error.marks_mut().attach(log),
        }
    }
    result
}
