use std::{sync::Arc, time::Duration};

use redis::Value;
use tower_llm_layers::rate_limit::{Admitting, LimitHold, LimitStore, LimitWait, Limits, Rate};

use crate::{
    Store, WhenDown,
    delivery::{Delivery, Kind, OnWhat, Word},
};

/// How soon a call looks again for a place that another process may have given back.
const LOOK_AGAIN: Duration = Duration::from_millis(100);

/// Rate limits that several processes share. Cheap to clone.
///
/// ```no_run
/// use std::{sync::Arc, time::Duration};
/// use tower_llm_layers::rate_limit::{Everyone, Limits, Rate, RateLimitLayer};
/// use tower_llm_redis::Store;
///
/// # async fn run() -> Result<(), Box<dyn std::error::Error>> {
/// let store = Store::builder("redis://127.0.0.1:6379").connect().await?;
/// let limits = Limits::new().requests(Rate::new(600, Duration::from_secs(60))?);
/// let layer = RateLimitLayer::new(limits, Everyone)?.store(Arc::new(store.limits()));
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone)]
pub struct RedisLimits {
    store: Store,
    delivery: Arc<Delivery>,
    when_down: WhenDown,
}

impl RedisLimits {
    pub(crate) const fn new(store: Store, delivery: Arc<Delivery>) -> Self {
        Self {
            store,
            delivery,
            when_down: WhenDown::LetPass,
        }
    }

    /// What happens while the store does not answer: it lets pass by default.
    #[must_use]
    pub const fn when_down(mut self, policy: WhenDown) -> Self {
        self.when_down = policy;
        self
    }

    /// Waits until all that was used so far is in the store.
    pub async fn flush(&self) {
        self.delivery.flush().await;
    }

    fn keys(&self, key: &str) -> [String; 3] {
        ["requests", "tokens", "places"].map(|kind| self.store.key(kind, key))
    }
}

/// Micro-seconds that one unit takes, and how many may come at once; zeros where there is no limit.
fn rate(rate: Option<Rate>) -> [String; 2] {
    rate.map_or_else(
        || ["0".to_owned(), "0".to_owned()],
        |rate| {
            let unit = rate.per().as_micros().div_ceil(u128::from(rate.amount()));
            [unit.max(1).to_string(), rate.most_at_once().to_string()]
        },
    )
}

impl LimitStore for RedisLimits {
    fn admit(&self, key: &Arc<str>, limits: &Limits, tokens: u64) -> Admitting {
        let (this, key, limits) = (self.clone(), Arc::clone(key), *limits);
        Box::pin(async move {
            // Dropped from here on, its place is given back.
            let hold = SharedPlace {
                id: format!("{:032x}", fastrand::u128(..)),
                keys: this.keys(&key),
                token_unit: rate(limits.tokens)[0].clone(),
                thought: tokens,
                limits: this,
                open: true,
            };
            let mut call = hold.limits.store.0.scripts.admit.prepare_invoke();
            for key in &hold.keys {
                call.key(key);
            }
            call.arg(&hold.id)
                .arg(hold.limits.store.0.lease.as_millis().to_string());
            for part in rate(limits.requests).into_iter().chain(rate(limits.tokens)) {
                call.arg(part);
            }
            let places = limits.concurrency.map_or(0, std::num::NonZero::get);
            call.arg(tokens.to_string()).arg(places.to_string());
            let mut connection = hold.limits.store.0.connection.clone();
            let answer = hold.limits.store.decide(call.invoke_async(&mut connection)).await;
            let full = match answer.map(read) {
                Ok(Some((0, _))) => return Ok(hold.alive() as Box<dyn LimitHold>),
                Ok(Some((which, wait))) => wait_for(which, wait, &limits),
                Ok(None) | Err(_) if hold.limits.when_down == WhenDown::LetPass => return Ok(Box::new(hold) as Box<_>),
                Ok(None) | Err(_) => LimitWait {
                    wait: LOOK_AGAIN,
                    limit: None,
                },
            };
            hold.nothing_taken();
            Err(full)
        })
    }
}

fn wait_for(which: i64, wait: Duration, limits: &Limits) -> LimitWait {
    let told = |rate: Option<Rate>, unit| rate.map(|rate| (rate.amount(), unit, rate.per()));
    match which {
        1 => LimitWait {
            wait,
            limit: told(limits.requests, "requests"),
        },
        2 => LimitWait {
            wait,
            limit: told(limits.tokens, "tokens"),
        },
        _ => LimitWait {
            wait: LOOK_AGAIN,
            limit: None,
        },
    }
}

fn read(value: Value) -> Option<(i64, Duration)> {
    let Value::Array(items) = value else { return None };
    let mut items = items.into_iter();
    let which = redis::from_redis_value(items.next()?).ok()?;
    let wait: String = redis::from_redis_value(items.next()?).ok()?;
    Some((which, Duration::from_micros(wait.parse().ok()?)))
}

/// A place in the store, or one that may be there.
#[derive(Debug)]
struct SharedPlace {
    limits: RedisLimits,
    id: String,
    keys: [String; 3],
    token_unit: String,
    thought: u64,
    open: bool,
}

impl SharedPlace {
    /// From now on its lease is renewed.
    fn alive(self) -> Box<Self> {
        let [_, _, places] = &self.keys;
        let on = [(places.clone(), OnWhat::Places)];
        self.limits.store.0.live.add(self.id.clone(), on.into());
        Box::new(self)
    }

    fn nothing_taken(mut self) {
        self.open = false;
    }

    fn end(&mut self, used: u64) {
        if !std::mem::take(&mut self.open) {
            return;
        }
        self.limits.store.0.live.remove(&self.id);
        let more = i128::from(used) - i128::from(self.thought);
        let word = Word {
            kind: Kind::TrueUp,
            keys: self.keys.to_vec(),
            arguments: vec![self.id.clone(), self.token_unit.clone(), more.to_string()],
        };
        self.limits.delivery.send(word);
    }
}

impl LimitHold for SharedPlace {
    fn used(mut self: Box<Self>, tokens: u64) {
        self.end(tokens);
    }
}

impl Drop for SharedPlace {
    fn drop(&mut self) {
        let thought = self.thought;
        self.end(thought);
    }
}
