//! The layer of rate and concurrency limits.

use std::{sync::Arc, time::Duration};

use tower_layer::Layer;

use super::{LimitStore, Limits, LimitsError, RateLimit, limiter::Limiter};

/// The default for the most keys that are kept; each takes a few hundred bytes.
pub const DEFAULT_MAX_KEYS: usize = 100_000;

/// Limits calls by key. See the [module](super). Clones and all their services share the state.
#[derive(Debug, Clone)]
pub struct RateLimitLayer<X> {
    pub(super) settings: Settings,
    limits: Limits,
    store: Option<Arc<dyn LimitStore>>,
    max_keys: usize,
    limiter: Option<Arc<Limiter>>,
    key: X,
}

/// What a service must know beside the buckets.
#[derive(Debug, Clone, Copy)]
pub(super) struct Settings {
    pub(super) max_wait: Duration,
    pub(super) answer_tokens: u64,
    /// Whether a [`LimitReport`](super::LimitReport) of the request is filled.
    pub(super) reports: bool,
}

impl<X> RateLimitLayer<X> {
    /// These limits for each key. A call that cannot pass at once is refused; see [`max_wait`](Self::max_wait).
    ///
    /// # Errors
    ///
    /// If there is no limit in them.
    pub fn new(limits: Limits, key: X) -> Result<Self, LimitsError> {
        if limits.is_empty() {
            return Err(LimitsError::NoLimit);
        }
        let settings = Settings {
            max_wait: Duration::ZERO,
            answer_tokens: 512,
            reports: false,
        };
        Ok(Self {
            settings,
            limits,
            store: None,
            max_keys: DEFAULT_MAX_KEYS,
            limiter: Some(Arc::new(Limiter::new(limits, DEFAULT_MAX_KEYS))),
            key,
        })
    }

    /// No limit: everything passes. For a slot that stays empty.
    #[must_use]
    pub fn off(key: X) -> Self {
        let settings = Settings {
            max_wait: Duration::ZERO,
            answer_tokens: 0,
            reports: false,
        };
        Self {
            settings,
            limits: Limits::new(),
            store: None,
            max_keys: DEFAULT_MAX_KEYS,
            limiter: None,
            key,
        }
    }

    /// How long a call may wait for its turn; never past its deadline. Refused at once by default.
    #[must_use]
    pub const fn max_wait(mut self, wait: Duration) -> Self {
        self.settings.max_wait = wait;
        self
    }

    /// Whether it fills the [`LimitReport`](super::LimitReport) of a request. Off by default: of several limiters around one call one reports.
    #[must_use]
    pub const fn report_limits(mut self, on: bool) -> Self {
        self.settings.reports = on;
        self
    }

    /// Tokens that an answer is assumed to take if the request has no `max_tokens`; 512 by default.
    #[must_use]
    pub const fn answer_tokens(mut self, tokens: u64) -> Self {
        self.settings.answer_tokens = tokens;
        self
    }

    /// Keys held at most; [`DEFAULT_MAX_KEYS`] by default. Beyond it, keys that have been quiet are forgotten, and then those
    /// that were used longest ago. What has been counted so far starts again.
    ///
    /// # Errors
    ///
    /// If it is zero.
    pub fn max_keys(mut self, keys: usize) -> Result<Self, LimitsError> {
        if keys == 0 {
            return Err(LimitsError::ZeroKeys);
        }
        self.max_keys = keys;
        self.start_anew();
        Ok(self)
    }

    /// Counts in a store that several processes share, in the place of this process.
    #[must_use]
    pub fn store(mut self, store: Arc<dyn LimitStore>) -> Self {
        self.store = Some(store);
        self.start_anew();
        self
    }

    fn start_anew(&mut self) {
        if self.limiter.is_some() {
            let limiter = match &self.store {
                Some(store) => Limiter::shared_in(Arc::clone(store), self.limits, self.max_keys),
                None => Limiter::new(self.limits, self.max_keys),
            };
            self.limiter = Some(Arc::new(limiter));
        }
    }

    /// How many keys are held.
    #[must_use]
    pub fn keys(&self) -> usize {
        self.limiter.as_ref().map_or(0, |limiter| limiter.len())
    }
}

impl<S, X: Clone> Layer<S> for RateLimitLayer<X> {
    type Service = RateLimit<S, X>;

    fn layer(&self, inner: S) -> Self::Service {
        RateLimit {
            inner,
            settings: self.settings,
            limiter: self.limiter.clone(),
            key: self.key.clone(),
        }
    }
}
