//! Layers of tower, tower-http and tower-resilience that do a similar thing, over the same inner service.

use std::future::{Ready, ready};
use std::hash::Hash;
use std::time::Duration;

use http::{HeaderValue, Request, Response, header};
use tower::retry::{Policy, Retry};
use tower::timeout::Timeout;
use tower::{Layer, Service};
use tower_http::set_header::SetRequestHeader;
use tower_openrouter::layers::cache::AnswerKey;
use tower_openrouter::{ApiRequest, ChatRequest, Error};
use tower_resilience::cache::CacheLayer;
use tower_resilience::circuitbreaker::{CircuitBreakerError, CircuitBreakerLayer};
use tower_resilience::fallback::FallbackLayer;
use tower_resilience::hedge::HedgeLayer;
use tower_resilience::retry::{RetryBudgetBuilder, RetryLayer};
use tower_resilience::timelimiter::TimeLimiterLayer;

use crate::answers::{Answers, FramesBody};
use crate::leaf::{Leaf, ReadyBody};

type Call = Request<ApiRequest>;
type Answer = Response<ReadyBody>;

const LIMIT: Duration = Duration::from_secs(90);

/// Tries once more, as ours does.
#[derive(Debug, Clone)]
pub struct Once(u32);

impl Policy<Call, Answer, Error> for Once {
    type Future = Ready<()>;

    fn retry(&mut self, _: &mut Call, result: &mut Result<Answer, Error>) -> Option<Ready<()>> {
        if result.is_ok() {
            return None;
        }
        self.0 = self.0.checked_sub(1)?;
        Some(ready(()))
    }

    fn clone_request(&mut self, request: &Call) -> Option<Call> {
        Some(request.clone())
    }
}

/// tower's retry.
#[must_use]
pub const fn tower_retry(leaf: Leaf) -> Retry<Once, Leaf> {
    Retry::new(Once(1), leaf)
}

/// tower's timeout.
#[must_use]
pub const fn tower_timeout(leaf: Leaf) -> Timeout<Leaf> {
    Timeout::new(leaf, LIMIT)
}

/// tower-http's layer for a header of the request.
#[must_use]
pub fn http_set_header(leaf: Leaf) -> SetRequestHeader<Leaf, HeaderValue> {
    let mut value = HeaderValue::from_static("Bearer sk-or-v1-0000");
    value.set_sensitive(true);
    SetRequestHeader::overriding(leaf, header::AUTHORIZATION, value)
}

/// tower-resilience's retry, with a budget as ours has.
///
/// # Panics
///
/// Never: the budget is a constant.
pub fn resilience_retry(leaf: Leaf) -> impl Service<Call, Response = Answer> {
    let Ok(budget) = RetryBudgetBuilder::new().token_bucket().max_tokens(100).build() else {
        unreachable!("the budget is sound")
    };
    RetryLayer::builder()
        .max_attempts(2)
        .exponential_backoff(Duration::from_millis(250))
        .budget(budget)
        .build()
        .layer(leaf)
}

/// tower-resilience's time limiter.
pub fn resilience_time_limiter(leaf: Leaf) -> impl Service<Call, Response = Answer> {
    TimeLimiterLayer::builder().timeout_duration(LIMIT).build().layer(leaf)
}

/// tower-resilience's fallback, to another service.
pub fn resilience_fallback(leaf: Leaf) -> impl Service<Call, Response = Answer> {
    let backup = leaf.clone();
    FallbackLayer::<Call, Answer, Error>::tower_service(backup).layer(leaf)
}

/// tower-resilience's circuit breaker, over the last hundred calls as ours is.
///
/// # Panics
///
/// Never: the settings are constants.
pub fn resilience_circuit_breaker(leaf: Leaf) -> impl Service<Call, Response = Answer> {
    breaker(leaf)
}

/// tower-resilience's whole stack: a time limiter over a fallback of two, each with retries over a circuit breaker.
pub fn resilience_stack(leaf: &Leaf) -> impl Service<Call, Response = Answer> + use<> {
    let lane = || {
        RetryLayer::builder()
            .max_attempts(2)
            .exponential_backoff(Duration::from_millis(250))
            .build()
            .layer(breaker(leaf.clone()))
    };
    let chain = FallbackLayer::<Call, Answer, BreakerError>::tower_service(lane()).layer(lane());
    TimeLimiterLayer::builder().timeout_duration(LIMIT).build().layer(chain)
}

/// What its circuit breaker fails with.
type BreakerError = CircuitBreakerError<Error>;

fn breaker(leaf: Leaf) -> impl Service<Call, Response = Answer, Error = BreakerError, Future: Send> + Clone + Send {
    let built = CircuitBreakerLayer::builder()
        .failure_rate_threshold(0.5)
        .sliding_window_size(100)
        .build();
    let Ok(layer) = built else {
        unreachable!("the settings are sound")
    };
    layer.layer(leaf)
}

/// That a call failed: tower-resilience's hedge wants an error that can be cloned.
#[derive(Debug, Clone)]
pub struct Failed;

/// tower-resilience's hedge, after a second.
pub fn resilience_hedge(leaf: Leaf) -> impl Service<Call, Response = Answer> {
    let leaf = tower::util::MapErr::new(leaf, (|_| Failed) as fn(Error) -> Failed);
    HedgeLayer::builder()
        .delay(Duration::from_secs(1))
        .max_hedged_attempts(2)
        .build()
        .layer(leaf)
}

/// tower-resilience's cache. Its key is the request's body as it goes out, hashed by the standard library, and compared on a hit.
///
/// # Panics
///
/// Never: the settings are constants.
pub fn resilience_cache(answers: Answers) -> impl Service<Call, Response = Response<FramesBody>> {
    let body = |request: &Call| request.body().as_chat().map(ChatRequest::to_bytes);
    resilience_cache_by(body, answers)
}

/// tower-resilience's cache by the key of ours, which does not depend on how a request was written down.
pub fn resilience_cache_by_our_key(answers: Answers) -> impl Service<Call, Response = Response<FramesBody>> {
    resilience_cache_by(|request: &Call| AnswerKey::new("", request.body()), answers)
}

fn resilience_cache_by<K>(
    key: impl Fn(&Call) -> K + Send + Sync + 'static,
    answers: Answers,
) -> impl Service<Call, Response = Response<FramesBody>>
where
    K: Hash + Eq + Clone + Send + Sync + 'static,
{
    let built = CacheLayer::builder()
        .max_size(1000)
        .ttl(Duration::from_secs(300))
        .key_extractor(key)
        .build();
    let Ok(layer) = built else {
        unreachable!("the settings are sound")
    };
    layer.layer(answers)
}
