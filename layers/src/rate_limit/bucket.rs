//! What one key has used, and a call's part of it.

use std::{sync::Arc, time::Duration};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::{LimitHold, LimitUse, LimitWait, Limits, Rate, RateStanding, requests::Requests, tokens::Tokens};
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
            return Err(self.longest(wait, told(counted.rate(), "tokens"), tokens));
        }
        if let Some(requests) = &self.requests
            && let Err(wait) = requests.take()
        {
            self.true_up(tokens, 0);
            return Err(self.longest(wait, told(requests.rate(), "requests"), tokens));
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
    fn longest(&self, wait: Duration, limit: (u32, &'static str, Duration), tokens: u64) -> Full {
        match self.rate_wait(tokens) {
            Some((longer, limit)) if longer > wait => Full::For(longer, limit),
            _ => Full::For(wait, limit),
        }
    }

    /// How long the rates are in a call's way, and which one for longest; `None` if none is.
    pub(super) fn rate_wait(&self, tokens: u64) -> Option<(Duration, (u32, &'static str, Duration))> {
        let counted = self.tokens.as_ref();
        let of_tokens = counted.and_then(|counted| Some((counted.wait(tokens)?, told(counted.rate(), "tokens"))));
        let of_requests = self.requests.as_ref().and_then(|requests| {
            let standing = RateStanding::new(requests.rate(), requests.full_in());
            (standing.remaining() == 0).then(|| (standing.more_in(), told(requests.rate(), "requests")))
        });
        of_tokens.into_iter().chain(of_requests).max_by_key(|(wait, _)| *wait)
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
    shared: Option<Box<dyn LimitHold>>,
    /// Where it says whether the attempt was sent.
    turn: Option<TurnHandle>,
}

impl Grant {
    pub(super) fn with_shared(mut self, hold: Box<dyn LimitHold>) -> Self {
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
            self.bucket.true_up(self.tokens, 0);
            if let Some(requests) = &self.bucket.requests {
                requests.give_back();
            }
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
        }
    }
}
