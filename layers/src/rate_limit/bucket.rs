use std::{sync::Arc, time::Duration};

use governor::{
    RateLimiter,
    clock::Clock,
    middleware::NoOpMiddleware,
    state::{InMemoryState, NotKeyed},
};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::{
    LimitHold, LimitWait, Limits, Rate,
    clock::{Moment, TokioClock},
    tokens::Tokens,
};

type Governor = RateLimiter<NotKeyed, InMemoryState, TokioClock, NoOpMiddleware<Moment>>;

/// What one key has used.
#[derive(Debug)]
pub(super) struct Bucket {
    requests: Option<(Rate, Governor)>,
    tokens: Option<Tokens>,
    places: Option<Arc<Semaphore>>,
}

/// Why a call cannot pass yet.
#[derive(Debug)]
pub(super) enum Full {
    /// For this long, because of this limit: how much of what in how long.
    For(Duration, (u32, &'static str, Duration)),
    /// Until a place is free.
    NoPlace(Arc<Semaphore>),
    /// What several processes share says so.
    Shared(LimitWait),
}

/// A limit as a refusal tells it.
const fn told(rate: Rate, unit: &'static str) -> (u32, &'static str, Duration) {
    (rate.amount(), unit, rate.per())
}

impl Bucket {
    pub(super) fn new(limits: &Limits) -> Self {
        let counted = |rate: Rate| Some((rate, Governor::direct_with_clock(rate.quota()?, TokioClock)));
        Self {
            requests: limits.requests.and_then(counted),
            tokens: limits.tokens.map(Tokens::new),
            places: limits
                .concurrency
                .map(|places| Arc::new(Semaphore::new(places.get() as usize))),
        }
    }

    pub(super) const fn counts_tokens(&self) -> bool {
        self.tokens.is_some()
    }

    /// Lets a call pass, or says what is in its way; what was taken on the way is given back.
    pub(super) fn admit(self: &Arc<Self>, tokens: u64, place: Option<OwnedSemaphorePermit>) -> Result<Grant, Full> {
        let place = match (place, &self.places) {
            (Some(place), _) => Some(place),
            (None, None) => None,
            (None, Some(places)) => match Arc::clone(places).try_acquire_owned() {
                Ok(place) => Some(place),
                Err(_) => return Err(Full::NoPlace(Arc::clone(places))),
            },
        };
        if let Some(counted) = &self.tokens {
            counted
                .take(tokens)
                .map_err(|wait| Full::For(wait, told(counted.rate(), "tokens")))?;
        }
        if let Some((rate, governor)) = &self.requests
            && let Err(not_until) = governor.check()
        {
            // Governor has taken nothing, and the tokens go back.
            self.true_up(tokens, 0);
            let wait = not_until.wait_time_from(TokioClock.now());
            return Err(Full::For(wait, told(*rate, "requests")));
        }
        Ok(Grant {
            bucket: Arc::clone(self),
            _place: place,
            tokens,
            open: true,
            shared: None,
        })
    }

    fn true_up(&self, thought: u64, used: u64) {
        if let Some(counted) = &self.tokens {
            counted.true_up(thought, used);
        }
    }
}

/// A call that passed: its place, and the tokens it is thought to use.
#[derive(Debug)]
pub(super) struct Grant {
    bucket: Arc<Bucket>,
    _place: Option<OwnedSemaphorePermit>,
    tokens: u64,
    open: bool,
    /// What several processes share.
    shared: Option<Box<dyn LimitHold>>,
}

impl Grant {
    pub(super) fn with_shared(mut self, hold: Box<dyn LimitHold>) -> Self {
        self.shared = Some(hold);
        self
    }

    /// It used this many tokens.
    pub(super) fn used(&mut self, tokens: u64) {
        if std::mem::take(&mut self.open) {
            self.bucket.true_up(self.tokens, tokens);
        }
        if let Some(hold) = self.shared.take() {
            hold.used(tokens);
        }
    }
}
