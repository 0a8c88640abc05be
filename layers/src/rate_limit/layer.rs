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
    /// The limiter that this one takes over from.
    before: Option<Arc<Limiter>>,
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
            before: None,
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
            before: None,
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

    /// Takes over what `before` has counted by other limits, so that a change of the limits gives no key a full bucket, and leaves none without one:
    /// requests and tokens that are used of the old burst are used of the new one, as far as that goes, and what was taken beyond is still owed. From the
    /// first call of a key on, calls of that key that came by `before` count here. A store that several processes share does the same by itself.
    ///
    /// ```
    /// # mod example { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/docs/example.rs")); }
    /// # use example::*;
    /// # #[tokio::main(flavor = "current_thread", start_paused = true)]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// use std::time::Duration;
    /// use tower::{Layer, ServiceExt};
    /// use tower_llm_layers::{GlobalKey, rate_limit::{Limits, Rate, RateLimitLayer}};
    ///
    /// let day = Duration::from_secs(24 * 60 * 60);
    /// let few = RateLimitLayer::new(Limits::new().requests(Rate::new(2, day)?.burst(1)?), GlobalKey)?;
    /// assert!(few.layer(ExampleService::default()).oneshot(ExampleRequest::of("gpt-5")).await.is_ok());
    ///
    /// let many = Limits::new().requests(Rate::new(60, Duration::from_secs(60))?.burst(2)?);
    /// let many = RateLimitLayer::new(many, GlobalKey)?.taking_over(&few).layer(ExampleService::default());
    /// assert!(many.clone().oneshot(ExampleRequest::of("gpt-5")).await.is_ok());
    /// assert!(many.oneshot(ExampleRequest::of("gpt-5")).await.is_err(), "one of the two was taken before");
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn taking_over(mut self, before: &Self) -> Self {
        self.before.clone_from(&before.limiter);
        self.start_anew();
        self
    }

    fn start_anew(&mut self) {
        if self.limiter.is_some() {
            let limiter = match &self.store {
                Some(store) => Limiter::shared_in(Arc::clone(store), self.limits, self.max_keys),
                None => Limiter::new(self.limits, self.max_keys),
            };
            self.limiter = Some(Arc::new(limiter.after(self.before.clone())));
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
