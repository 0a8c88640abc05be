//! Our layers, each over an inner service, and all of them.

use http::{Request, Response};
use http_body::Body;
use tower::{Layer, Service};
use tower_openrouter::layers::{
    GlobalKey,
    attempt::{AttemptLayer, AttemptService},
    auth::{Auth, AuthLayer},
    cache::{Cache, CacheLayer, CacheService},
    circuit_breaker::{CircuitBreaker, CircuitBreakerLayer, CircuitPolicy},
    cost::{Cost, CostLayer},
    deadline::{Deadline, DeadlineLayer},
    fallback::{Chain, Fallback, FallbackLayer, Hedge},
    first_token::{FirstToken, FirstTokenLayer},
    observe::{Observe, ObserveLayer},
    pause::{Pause, PauseLayer},
    resume::{Resume, ResumeLayer},
    retry::{Retry, RetryLayer},
    timeout::{AttemptTimeout, AttemptTimeoutLayer},
};
use tower_openrouter::stack::StackBuilder;
use tower_openrouter::{ApiKey, ApiRequest, Candidate, ChatFrame, Error, KeyPool, Stack};

use crate::leaf::Leaf;

/// The model that the requests name.
pub const MODEL: &str = "openai/gpt-5";
/// The one after it.
pub const NEXT_MODEL: &str = "anthropic/claude-sonnet-4.5";

/// A key.
///
/// # Panics
///
/// Never: the key is a constant.
#[must_use]
pub fn key() -> ApiKey {
    let Ok(key) = ApiKey::new("sk-or-v1-0000") else {
        unreachable!("the key is well-formed")
    };
    key
}

/// Numbers, caps and writes down.
#[must_use]
pub fn attempt<S>(inner: S) -> AttemptService<S> {
    AttemptLayer::new().layer(inner)
}

/// Puts one key on.
#[must_use]
pub fn auth<S>(inner: S) -> Auth<S> {
    AuthLayer::new(key()).layer(inner)
}

/// Puts a key of a pool of two on.
///
/// # Panics
///
/// Never: the pool is a constant.
#[must_use]
pub fn auth_pool<S>(inner: S) -> Auth<S> {
    let Ok(pool) = KeyPool::new([key(), key()]) else {
        unreachable!("the pool has keys")
    };
    AuthLayer::new(pool).layer(inner)
}

/// Caches and coalesces answers, for all callers.
#[must_use]
pub fn cache<S>(inner: S) -> CacheService<S, ChatFrame, Error, GlobalKey> {
    CacheLayer::new(Cache::new(64 << 20), GlobalKey).layer(inner)
}

/// Keeps a circuit for each candidate.
///
/// # Panics
///
/// Never: the policy is the default.
#[must_use]
pub fn circuit_breaker<S>(inner: S) -> CircuitBreaker<S> {
    let Ok(layer) = CircuitBreakerLayer::new(CircuitPolicy::new()) else {
        unreachable!("the default is sound")
    };
    layer.layer(inner)
}

/// Accounts for an attempt, without a price list, budgets or a ledger.
#[must_use]
pub fn cost<S>(inner: S) -> Cost<S> {
    CostLayer::new().layer(inner)
}

/// Remembers the pauses that upstreams ask for.
#[must_use]
pub fn pause<S>(inner: S) -> Pause<S> {
    PauseLayer::new().layer(inner)
}

/// The layers that the stacks of the peers have, and no others: a limit of time, a fallback of two, retries and a circuit breaker.
#[must_use]
pub fn same_as_peers<S>(inner: S) -> Deadline<Fallback<Retry<CircuitBreaker<S>>>> {
    deadline(fallback(&[MODEL, NEXT_MODEL], retry(circuit_breaker(inner))))
}

/// Sets the time of the whole call.
#[must_use]
pub fn deadline<S>(inner: S) -> Deadline<S> {
    DeadlineLayer::new(std::time::Duration::from_secs(90)).layer(inner)
}

/// Moves along a chain of these models.
///
/// # Panics
///
/// If there is none.
#[must_use]
pub fn fallback<S>(models: &[&str], inner: S) -> Fallback<S> {
    let candidates = models
        .iter()
        .filter_map(|model| Candidate::new("openrouter", model).ok());
    let Ok(chain) = Chain::new(candidates) else {
        unreachable!("the chain has candidates")
    };
    FallbackLayer::new(chain).layer(inner)
}

/// The same, with a hedge after a second.
///
/// # Panics
///
/// If there is none.
#[must_use]
pub fn hedge<S>(models: &[&str], inner: S) -> Fallback<S> {
    let chain = fallback(models, ()).chain().clone();
    let hedge = Hedge::after(std::time::Duration::from_secs(1));
    FallbackLayer::new(chain).hedge(hedge).layer(inner)
}

/// Resumes an interrupted stream.
#[must_use]
pub fn resume<S>(inner: S) -> Resume<S> {
    ResumeLayer::new().layer(inner)
}

/// Holds back what is before the first token.
#[must_use]
pub fn first_token<S>(inner: S) -> FirstToken<S> {
    FirstTokenLayer::new().layer(inner)
}

/// Tries again.
#[must_use]
pub fn retry<S>(inner: S) -> Retry<S> {
    RetryLayer::new().layer(inner)
}

/// Records operations, without a subscriber.
#[must_use]
pub fn observe<S>(inner: S) -> Observe<S> {
    ObserveLayer::new().layer(inner)
}

/// Sets the timeouts of an attempt.
#[must_use]
pub fn timeout<S>(inner: S) -> AttemptTimeout<S> {
    AttemptTimeoutLayer::default().layer(inner)
}

/// The settings of a whole stack: two candidates, everything else as it comes.
#[must_use]
pub fn settings() -> StackBuilder {
    Stack::openrouter(key()).chain([MODEL, NEXT_MODEL])
}

/// All layers.
///
/// # Panics
///
/// Never: the settings are constants.
#[must_use]
pub fn stack<S, B>(settings: StackBuilder, leaf: S) -> Stack
where
    S: Service<Request<ApiRequest>, Response = Response<B>, Error = Error, Future: Send + 'static>
        + Clone
        + Send
        + Sync
        + 'static,
    B: Body<Data = ChatFrame, Error = Error> + Send + Unpin + 'static,
{
    let Ok(stack) = settings.build_over(leaf) else {
        unreachable!("the settings are sound")
    };
    stack
}

/// All layers over the ready inner service.
#[must_use]
pub fn ready_stack(frames: usize) -> Stack {
    stack(settings(), Leaf::new(frames))
}
