//! Rate limits that several processes share.

use std::{num::NonZero, sync::Arc, time::Duration};

use tower_llm_layers::rate_limit::{Admitting, LimitStore, LimitUse, LimitWait, Limits, RateLimitPermit, WaitReason};

use crate::{
    delivery::Delivery,
    place::{MOST_TOKENS, SharedPlace, rate},
    policy::OnStoreFailure,
    server::Server,
};

/// How soon a call looks again for a place that another process may have given back, or for a store that is away.
const LOOK_AGAIN: Duration = Duration::from_millis(100);

/// Rate limits that several processes share. Cheap to clone.
///
/// ```no_run
/// use std::{sync::Arc, time::Duration};
/// use tower_llm_layers::{GlobalKey, rate_limit::{Limits, Rate, RateLimitLayer}};
/// use tower_llm_redis::Store;
///
/// # async fn run() -> Result<(), Box<dyn std::error::Error>> {
/// let store = Store::builder("redis://127.0.0.1:6379").connect().await?;
/// let limits = Limits::new().requests(Rate::new(600, Duration::from_secs(60))?);
/// let layer = RateLimitLayer::new(limits, GlobalKey)?.store(Arc::new(store.limits()));
/// # Ok(())
/// # }
/// ```
///
/// # Cancellation
///
/// A call that is dropped while the store decides takes nothing. Dropped later, it gives its place back; the place of a process
/// that was killed is free once its lease has ended.
#[derive(Debug, Clone)]
pub struct RedisLimits {
    server: Arc<Server>,
    delivery: Arc<Delivery>,
    on_store_failure: OnStoreFailure,
}

impl RedisLimits {
    pub(crate) const fn new(server: Arc<Server>, delivery: Arc<Delivery>) -> Self {
        Self {
            server,
            delivery,
            on_store_failure: OnStoreFailure::FailOpen,
        }
    }

    /// What happens while the store does not answer: it lets pass by default, counted in [`Store::blind_decisions`](crate::Store::blind_decisions).
    #[must_use]
    pub const fn on_store_failure(mut self, policy: OnStoreFailure) -> Self {
        self.on_store_failure = policy;
        self
    }

    /// Waits until all that was used so far is in the store.
    pub async fn flush(&self) {
        self.delivery.flush().await;
    }
}

impl LimitStore for RedisLimits {
    fn admit(&self, key: &Arc<str>, limits: &Limits, tokens: u64) -> Admitting {
        let (this, key, limits) = (self.clone(), Arc::clone(key), *limits);
        let tokens = tokens.min(MOST_TOKENS);
        Box::pin(async move {
            this.delivery.wake();
            // Dropped from here on, it takes back what it took.
            let place = SharedPlace::new(&this.server, &this.delivery, &key, &limits, tokens);
            let mut call = this.server.scripts.admit.prepare_invoke();
            for key in place.keys() {
                call.key(key);
            }
            call.arg(place.id())
                .arg(this.server.lease_millis())
                .arg(tokens.to_string())
                .arg(limits.concurrency.map_or(0, NonZero::get));
            for of in [limits.requests, limits.tokens] {
                for part in rate(of) {
                    call.arg(part);
                }
            }
            let decided = this.server.link.decide::<Decided>(&call, this.server.link.deadline());
            let (which, wait, requests, tokens, in_flight) = match decided.await {
                Ok(decided) => decided,
                Err(cause) => return this.unanswered(place, cause),
            };
            let micros = |text: &str| text.parse().map_or(Duration::ZERO, Duration::from_micros);
            let used = LimitUse::new(
                micros(&requests),
                micros(&tokens),
                in_flight.parse().unwrap_or_default(),
            );
            if which == 0 {
                return Ok(place.alive(limits.concurrency.is_some(), used) as Box<_>);
            }
            let Some(reason) = which_limit(which, &limits) else {
                return this.unanswered(place, "its answer is invalid".to_owned());
            };
            let wait = match &reason {
                WaitReason::Concurrency => micros(&wait).max(LOOK_AGAIN),
                _ => micros(&wait),
            };
            place.nothing_taken();
            let used = Some(used);
            Err(LimitWait::new(wait, reason, used))
        })
    }
}

impl RedisLimits {
    /// It is unknown whether the store has let it pass; dropped, it takes that back.
    fn unanswered(&self, place: SharedPlace, cause: String) -> Result<Box<dyn RateLimitPermit>, LimitWait> {
        match self.on_store_failure {
            OnStoreFailure::FailOpen => Ok(place.blind()),
            OnStoreFailure::FailClosed => Err(LimitWait::new(LOOK_AGAIN, WaitReason::StoreDown { cause }, None)),
        }
    }
}

/// What `lua/admit.lua` gives.
type Decided = (u8, String, String, String, String);

/// The limit of this number in `lua/admit.lua`.
fn which_limit(number: u8, limits: &Limits) -> Option<WaitReason> {
    let (rate, unit) = match number {
        1 => (limits.requests?, "requests"),
        2 => (limits.tokens?, "tokens"),
        3 => return Some(WaitReason::Concurrency),
        _ => return None,
    };
    Some(WaitReason::Rate {
        amount: rate.amount(),
        unit,
        per: rate.per(),
    })
}
