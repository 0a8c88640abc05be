//! What a caller sets for one call: its deadline, its cap on attempts, its tags, its priority, how it uses the cache.

use std::{sync::Arc, time::Duration};

use tokio::time::Instant;

use super::{CacheMode, Call, Candidate, Priority, Route, Tags, TimeoutOverrides};

/// Everything that a caller sets.
#[derive(Debug, Clone)]
pub(super) struct Options {
    pub(super) deadline: Option<Instant>,
    /// When the answer must have begun, if that is before the deadline.
    first_token_deadline: Option<Instant>,
    pub(super) attempt_limit: Option<u32>,
    tags: Tags,
    account: Route,
    timeouts: Option<Arc<TimeoutOverrides>>,
    priority: Priority,
    cache_mode: CacheMode,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            deadline: None,
            first_token_deadline: None,
            attempt_limit: None,
            tags: Tags::default(),
            account: Route::FREE,
            timeouts: None,
            priority: Priority::default(),
            cache_mode: CacheMode::default(),
        }
    }
}

/// The caller's options.
impl Call {
    /// When the call must have ended, last byte of the stream included.
    #[must_use]
    pub const fn deadline(&self) -> Option<Instant> {
        self.options.deadline
    }

    /// Brings the deadline forward; a later one than the present one changes nothing.
    pub fn limit_deadline(&mut self, deadline: Instant) {
        let deadline = self.options.deadline.map_or(deadline, |known| known.min(deadline));
        self.options.deadline = Some(deadline);
        if let Some(state) = &self.log {
            state.ends_by(deadline);
        }
    }

    /// When the answer must have begun: by the deadline, or before it if [that is limited](Self::limit_first_token). A call that continues an
    /// interrupted answer has the time until the deadline.
    #[must_use]
    pub fn first_token_deadline(&self) -> Option<Instant> {
        let times = self
            .options
            .first_token_deadline
            .into_iter()
            .chain(self.options.deadline);
        times.min()
    }

    /// Brings forward the instant by which the answer must have begun; a later one than the present one changes nothing. A plain answer begins
    /// when it is whole.
    pub fn limit_first_token(&mut self, instant: Instant) {
        let known = self.options.first_token_deadline;
        self.options.first_token_deadline = Some(known.map_or(instant, |known| known.min(instant)));
    }

    /// The answer has begun: what is called from now on continues it.
    pub(super) const fn has_begun(&mut self) {
        self.options.first_token_deadline = None;
    }

    /// Whether the deadline has passed.
    pub(crate) fn is_over(&self) -> bool {
        let deadline = self.options.deadline;
        deadline.is_some_and(|deadline| deadline <= crate::util::now())
    }

    /// The deadline, also if a layer further in has set it since: for a layer outside of that one.
    pub(crate) fn known_deadline(&self) -> Option<Instant> {
        let set = self.log.as_ref().and_then(|state| state.deadline());
        set.or(self.options.deadline)
    }

    /// Time left until the answer must [have begun](Self::first_token_deadline); `None` without a limit.
    #[must_use]
    pub fn remaining(&self) -> Option<Duration> {
        let instant = self.first_token_deadline()?;
        Some(instant.saturating_duration_since(crate::util::now()))
    }

    /// Lowers the cap on attempts for this call alone: retries, fallbacks, hedges and resumes together.
    pub fn limit_attempts(&mut self, cap: u32) {
        self.options.attempt_limit = Some(self.options.attempt_limit.map_or(cap, |known| known.min(cap)));
    }

    /// Whether this call alone may make fewer attempts than others.
    pub(crate) const fn has_own_attempt_limit(&self) -> bool {
        self.options.attempt_limit.is_some()
    }

    /// Attempts that may still be made; `u32::MAX` if no layer has set a cap.
    #[must_use]
    pub fn attempts_left(&self) -> u32 {
        let own = self.options.attempt_limit.unwrap_or(u32::MAX);
        self.log.as_ref().map_or(own, |state| state.attempts_left(own))
    }

    /// Timeouts of this call alone: they go before the candidate's and the layer's. One that is shorter than those, and ends an attempt, says
    /// nothing of the upstream's health.
    pub fn set_timeouts(&mut self, timeouts: TimeoutOverrides) {
        self.options.timeouts = Some(Arc::new(timeouts));
    }

    /// The call's own timeouts, or if it has none the candidate's.
    pub(crate) fn timeouts(&self) -> TimeoutOverrides {
        self.own_timeouts().or(self.candidate_timeouts())
    }

    /// The timeouts that were set for this call alone.
    pub(crate) fn own_timeouts(&self) -> TimeoutOverrides {
        self.options.timeouts.as_deref().copied().unwrap_or_default()
    }

    /// The timeouts of the call's candidate.
    pub(crate) fn candidate_timeouts(&self) -> TimeoutOverrides {
        self.candidate().map(Candidate::timeouts).unwrap_or_default()
    }

    /// What the call is accounted under.
    #[must_use]
    pub const fn tags(&self) -> &Tags {
        &self.options.tags
    }

    /// Whose account the call is made on.
    #[must_use]
    pub const fn account(&self) -> Route {
        self.options.account
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
        self.options.account = account;
    }

    /// Accounts the call under these tags.
    pub fn set_tags(&mut self, tags: Tags) {
        self.options.tags = tags;
    }

    /// Whether a person waits for the answer.
    #[must_use]
    pub const fn priority(&self) -> Priority {
        self.options.priority
    }

    /// Says whether a person waits for the answer; [`Priority::Interactive`] by default.
    ///
    /// ```
    /// use tower_llm_layers::{Call, Priority};
    ///
    /// let mut call = Call::default();
    /// call.set_priority(Priority::Batch);
    /// ```
    pub const fn set_priority(&mut self, priority: Priority) {
        self.options.priority = priority;
    }

    /// How the call uses the cache, its headers apart: see [`CacheMode::of`].
    #[must_use]
    pub const fn cache_mode(&self) -> CacheMode {
        self.options.cache_mode
    }

    /// Says how the call uses the cache; [`CacheMode::Default`] by default.
    pub const fn set_cache_mode(&mut self, mode: CacheMode) {
        self.options.cache_mode = mode;
    }
}
