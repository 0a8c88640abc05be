//! What one key has used, and a call's part of it.

use std::{
    sync::{Arc, OnceLock},
    time::Duration,
};

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
    /// The bucket of the same key that has taken over what was counted here, since its limits were changed.
    next: OnceLock<Arc<Self>>,
    /// How many changes of the limits came before the limiter that has made it.
    generation: u64,
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
            next: OnceLock::new(),
            generation: 0,
        }
    }

    /// One under these limits that takes over what `before` has counted by others: as many of the old burst are used of the new one, as far as that
    /// goes, and tokens that were taken beyond it are still owed. What calls in flight have used is counted in the new one. Places that are as many as
    /// before are the same ones. Calls that wait look again, by these limits.
    pub(super) fn taking_over(limits: &Limits, generation: u64, before: &Arc<Self>) -> Arc<Self> {
        let mut bucket = Self::new(limits).of_generation(generation);
        if let (Some(rate), Some(before)) = (limits.requests, &before.requests) {
            bucket.requests = Requests::taking_over(rate, before);
        }
        if let (Some(rate), Some(before)) = (limits.tokens, &before.tokens) {
            bucket.tokens = Some(Tokens::taking_over(rate, before));
        }
        if let (Some((_, places)), Some(before)) = (&bucket.places, &before.places)
            && *places == before.1
        {
            bucket.places = Some(before.clone());
        }
        let bucket = Arc::new(bucket);
        // The limiter holds its lock: no other bucket of this key takes over.
        let _set = before.next.set(Arc::clone(&bucket));
        if let Some(counted) = &before.tokens {
            counted.wake_all();
        }
        bucket
    }

    /// The same, made by a limiter after so many changes of the limits.
    pub(super) const fn of_generation(mut self, generation: u64) -> Self {
        self.generation = generation;
        self
    }

    /// Whether the bucket that counts now is one of an older limiter than that of this generation.
    pub(super) fn is_older_than(self: &Arc<Self>, generation: u64) -> bool {
        self.latest().generation < generation
    }

    /// The bucket that counts now: this one, unless another has taken over.
    pub(super) fn latest(self: &Arc<Self>) -> &Arc<Self> {
        let mut latest = self;
        while let Some(next) = latest.next.get() {
            latest = next;
        }
        latest
    }

    pub(super) const fn counts_tokens(&self) -> bool {
        self.tokens.is_some()
    }

    /// Lets a call pass, or says what is in its way; what was taken on the way is given back.
    pub(super) fn admit(self: &Arc<Self>, tokens: u64, place: Option<OwnedSemaphorePermit>) -> Result<Grant, Full> {
        if let Some(next) = self.next.get() {
            return next.admit(tokens, place);
        }
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
    pub(super) async fn freed_or(self: &Arc<Self>, until: Instant) {
        match &self.latest().tokens {
            Some(counted) => {
                let _late = timeout_at(until, counted.freed()).await;
            }
            None => sleep_until(until).await,
        }
    }

    /// A call that had to wait has passed: the next one tries.
    pub(super) fn wake_next(self: &Arc<Self>) {
        if let Some(counted) = &self.latest().tokens {
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

    fn true_up(self: &Arc<Self>, thought: u64, used: u64) {
        if self.tokens.is_some()
            && let Some(counted) = &self.latest().tokens
        {
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
            if self.bucket.requests.is_some()
                && let Some(requests) = &self.bucket.latest().requests
            {
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
            && self.bucket.tokens.is_some()
            && let Some(counted) = &self.bucket.latest().tokens
        {
            counted.keep(self.tokens);
        }
    }
}

#[cfg(test)]
mod tests {
    use tokio::time::advance;

    use super::*;

    const MINUTE: Duration = Duration::from_secs(60);
    const DAY: Duration = Duration::from_secs(24 * 60 * 60);

    fn rate(amount: u32, per: Duration, burst: u32) -> Rate {
        Rate::new(amount, per).unwrap().burst(burst).unwrap()
    }

    fn passed(bucket: &Arc<Bucket>) -> usize {
        (0..100).take_while(|_| bucket.admit(0, None).is_ok()).count()
    }

    fn tokens_full_in(bucket: &Arc<Bucket>) -> Duration {
        bucket.used().tokens_full_in
    }

    #[tokio::test(start_paused = true)]
    async fn requests_that_were_taken_stay_taken_under_other_limits() {
        let few = Limits::new().requests(rate(100, DAY, 10));
        let bucket = Arc::new(Bucket::new(&few));
        assert_eq!(passed(&bucket), 10);
        let many = Bucket::taking_over(&Limits::new().requests(rate(60, MINUTE, 40)), 1, &bucket);
        assert_eq!(passed(&many), 30);
        let again = Bucket::taking_over(&few, 2, &many);
        assert_eq!(passed(&again), 0);
        advance(Duration::from_secs(864)).await;
        assert_eq!(passed(&again), 1);
    }

    #[tokio::test(start_paused = true)]
    async fn tokens_of_calls_in_flight_are_counted_where_others_are() {
        let bucket = Arc::new(Bucket::new(&Limits::new().tokens(rate(100, DAY, 100))));
        let mut in_flight = bucket.admit(50, None).unwrap();
        // One a second.
        let next = Bucket::taking_over(&Limits::new().tokens(rate(60, MINUTE, 60)), 1, &bucket);
        assert_eq!(tokens_full_in(&next), Duration::from_secs(50));
        in_flight.used(20);
        assert_eq!(tokens_full_in(&next), Duration::from_secs(20));
        // One that came by the old limits, and passes after the change.
        let _late = bucket.admit(10, None).unwrap();
        assert_eq!(tokens_full_in(&next), Duration::from_secs(30));
    }

    #[tokio::test(start_paused = true)]
    async fn tokens_that_are_owed_beyond_the_burst_stay_owed() {
        let bucket = Arc::new(Bucket::new(&Limits::new().tokens(rate(100, DAY, 10))));
        bucket.admit(10, None).unwrap().used(50);
        let fast = Bucket::taking_over(&Limits::new().tokens(rate(6_000, MINUTE, 20)), 1, &bucket);
        assert_eq!(tokens_full_in(&fast), Duration::from_millis(500));
        // 20 of the burst, of which the new one has 5, and 30 beyond.
        let slow = Bucket::taking_over(&Limits::new().tokens(rate(100, DAY, 5)), 2, &fast);
        assert_eq!(tokens_full_in(&slow), Duration::from_secs(35 * 864));
    }

    #[tokio::test(start_paused = true)]
    async fn as_many_places_are_the_same_places() {
        let limits = Limits::new().concurrency(1).unwrap();
        let bucket = Arc::new(Bucket::new(&limits));
        let held = bucket.admit(0, None).unwrap();
        let limits = limits.requests(rate(60, MINUTE, 9));
        let next = Bucket::taking_over(&limits, 1, &bucket);
        assert!(next.admit(0, None).is_err());
        drop(held);
        assert!(next.admit(0, None).is_ok());
    }

    #[tokio::test(start_paused = true)]
    async fn calls_that_wait_by_limits_before_look_again_when_others_take_over() {
        let bucket = Arc::new(Bucket::new(&Limits::new().tokens(rate(100, DAY, 100))));
        bucket.admit(100, None).unwrap().used(100);
        let begun = Instant::now();
        let change = async {
            advance(Duration::from_secs(1)).await;
            Bucket::taking_over(&Limits::new().tokens(rate(100, DAY, 500)), 1, &bucket)
        };
        let until = begun + DAY;
        let (.., _next) = tokio::join!(biased; bucket.freed_or(until), bucket.freed_or(until), change);
        assert_eq!(begun.elapsed(), Duration::from_secs(1));
        assert!(bucket.admit(100, None).is_ok());
    }
}
