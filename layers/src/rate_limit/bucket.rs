//! What one key has used, and a call's part of it.

use std::{sync::Arc, time::Duration};

use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore},
    time::{Instant, sleep_until, timeout_at},
};

use super::{
    LimitUse, LimitWait, Limits, Rate, RateLimitPermit, RateStanding,
    requests::Requests,
    tokens::{TokenWait, Tokens},
};
use crate::call::TurnHandle;

/// What one key has used.
#[derive(Debug)]
pub(super) struct Bucket {
    requests: Option<Requests>,
    tokens: Option<Tokens>,
    /// Free places, and how many there are.
    places: Option<(Arc<Semaphore>, u32)>,
}

/// Why a call cannot pass yet.
#[derive(Debug)]
pub(super) enum Full {
    /// A rate is used up.
    Rate(RateWait),
    /// Until a place is free.
    NoPlace(Arc<Semaphore>),
    /// What several processes share says so.
    Shared(LimitWait),
}

/// How long a rate is in a call's way.
#[derive(Debug, Clone, Copy)]
pub(super) struct RateWait {
    pub(super) time: Duration,
    /// The limit: how much of what in how long.
    pub(super) limit: (u32, &'static str, Duration),
    /// Whether calls in flight hold what it needs, and may give it back at any time.
    pub(super) is_claimed: bool,
}

impl RateWait {
    const fn of_tokens(rate: Rate, wait: TokenWait) -> Self {
        Self {
            time: wait.time,
            limit: limit_parts(rate, "tokens"),
            is_claimed: wait.is_claimed,
        }
    }

    const fn of_requests(rate: Rate, time: Duration) -> Self {
        Self {
            time,
            limit: limit_parts(rate, "requests"),
            is_claimed: false,
        }
    }
}

/// A limit as a refusal reports it.
const fn limit_parts(rate: Rate, unit: &'static str) -> (u32, &'static str, Duration) {
    (rate.amount(), unit, rate.per())
}

impl Bucket {
    pub(super) fn new(limits: &Limits) -> Self {
        Self {
            requests: limits.requests.and_then(Requests::new),
            tokens: limits.tokens.map(Tokens::new),
            places: limits
                .concurrency
                .map(|places| (Arc::new(Semaphore::new(places.get() as usize)), places.get())),
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
            (None, Some((places, _))) => match Arc::clone(places).try_acquire_owned() {
                Ok(place) => Some(place),
                Err(_) => return Err(Full::NoPlace(Arc::clone(places))),
            },
        };
        if let Some(counted) = &self.tokens
            && let Err(wait) = counted.take(tokens)
        {
            return Err(self.longest(RateWait::of_tokens(counted.rate(), wait), tokens));
        }
        if let Some(requests) = &self.requests
            && let Err(wait) = requests.take()
        {
            if let Some(counted) = &self.tokens {
                counted.undo(tokens);
            }
            return Err(self.longest(RateWait::of_requests(requests.rate(), wait), tokens));
        }
        Ok(Grant {
            bucket: Arc::clone(self),
            _place: place,
            tokens,
            open: true,
            shared: None,
            turn: None,
        })
    }

    /// The wait for the rate that is in the way for longest: after it the call passes them all.
    fn longest(&self, wait: RateWait, tokens: u64) -> Full {
        let longer = self.rate_wait(tokens).filter(|longer| longer.time > wait.time);
        Full::Rate(longer.unwrap_or(wait))
    }

    /// How long the rates are in a call's way: the one that is for longest; `None` if none is.
    pub(super) fn rate_wait(&self, tokens: u64) -> Option<RateWait> {
        let counted = self.tokens.as_ref();
        let of_tokens = counted.and_then(|counted| Some(RateWait::of_tokens(counted.rate(), counted.wait(tokens)?)));
        let of_requests = self.requests.as_ref().and_then(|requests| {
            let standing = RateStanding::new(requests.rate(), requests.full_in());
            (standing.remaining() == 0).then(|| RateWait::of_requests(requests.rate(), standing.more_in()))
        });
        of_tokens.into_iter().chain(of_requests).max_by_key(|wait| wait.time)
    }

    /// Waits until then, or until a call has given tokens back.
    pub(super) async fn freed_or(&self, until: Instant) {
        match &self.tokens {
            Some(counted) => {
                let _late = timeout_at(until, counted.freed()).await;
            }
            None => sleep_until(until).await,
        }
    }

    /// A call that had to wait has passed: the next one tries.
    pub(super) fn wake_next(&self) {
        if let Some(counted) = &self.tokens {
            counted.wake_next();
        }
    }

    /// What is used of its limits now.
    pub(super) fn used(&self) -> LimitUse {
        let places = self.places.as_ref();
        let in_flight = places.map_or(0, |(places, most)| {
            *most as usize - places.available_permits().min(*most as usize)
        });
        LimitUse {
            requests_full_in: self.requests.as_ref().map(Requests::full_in).unwrap_or_default(),
            tokens_full_in: self.tokens.as_ref().map(Tokens::full_in).unwrap_or_default(),
            in_flight: u32::try_from(in_flight).unwrap_or(u32::MAX),
        }
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
    shared: Option<Box<dyn RateLimitPermit>>,
    /// Where it says whether the attempt was sent.
    turn: Option<TurnHandle>,
}

impl Grant {
    pub(super) fn with_shared(mut self, hold: Box<dyn RateLimitPermit>) -> Self {
        self.shared = Some(hold);
        self
    }

    /// It is for an attempt of this turn: if that is never sent, all that it took goes back.
    pub(super) fn of_turn(mut self, turn: Option<TurnHandle>) -> Self {
        self.turn = turn;
        self
    }

    /// It used this many tokens.
    pub(super) fn used(&mut self, tokens: u64) {
        if self.was_never_sent() {
            return self.give_back();
        }
        if std::mem::take(&mut self.open) {
            self.bucket.true_up(self.tokens, tokens);
        }
        if let Some(hold) = self.shared.take() {
            hold.used(tokens);
        }
    }

    /// Whether a layer within refused the attempt, or it was dropped while it was prepared.
    fn was_never_sent(&self) -> bool {
        self.open && self.turn.as_ref().and_then(TurnHandle::was_sent) == Some(false)
    }

    fn give_back(&mut self) {
        if std::mem::take(&mut self.open) {
            // First the request: a call that waits is woken for the tokens, and needs both.
            if let Some(requests) = &self.bucket.requests {
                requests.give_back();
            }
            self.bucket.true_up(self.tokens, 0);
        }
        if let Some(hold) = self.shared.take() {
            hold.not_sent();
        }
    }
}

impl Drop for Grant {
    fn drop(&mut self) {
        if self.was_never_sent() {
            self.give_back();
        } else if self.open
            && let Some(counted) = &self.bucket.tokens
        {
            counted.keep(self.tokens);
        }
    }
}
