//! What holds for every layer: it can be shared and sent, keeps to readiness, ends once, and leaves nothing.

use std::{pin::pin, sync::Arc};

use http_body::Body;
use http_body_util::BodyExt;
use tower::{
    Layer, Service, ServiceBuilder, ServiceExt,
    limit::{ConcurrencyLimit, ConcurrencyLimitLayer},
};
use tower_llm_layers::{
    GlobalKey, WorstCasePrice,
    adaptive_concurrency::{AdaptiveConcurrencyLayer, ConcurrencyPolicy},
    attempt::AttemptLayer,
    auth::{ApiKey, AuthLayer, KeyPool},
    budget::{Budget, Budgets},
    circuit_breaker::{CircuitBreakerLayer, CircuitPolicy},
    conformance::{ConformanceCheck, ConformanceLayer, Nonconformity},
    cost::{CostLayer, UnknownPrice},
    deadline::DeadlineLayer,
    degrade::{DegradeLayer, NoDegradation},
    events::EventsLayer,
    fallback::{FallbackLayer, Hedge},
    first_token::FirstTokenLayer,
    observe::ObserveLayer,
    pause::PauseLayer,
    provider_health::{ProviderHealth, ProviderHealthLayer, ProviderPolicy},
    rate_limit::{Limits, Rate, RateLimitLayer},
    resume::ResumeLayer,
    retry::RetryLayer,
    tagging::TaggingLayer,
    timeout::AttemptTimeoutLayer,
};

#[cfg(feature = "cache")]
use tower_llm_layers::cache::{
    Cache, CacheLayer,
    idempotency::{IdempotencyLayer, InMemoryIdempotency},
};

use crate::rate_limit_shared::Open;
use crate::support::{
    Beat, Leaf, SlowStore, Step, TestFrame, TestRequest, ask, chain, fails, millis, poll_once, read, secs, streamed,
};

fn shared<T: Send + Sync + Clone + 'static>(value: T) -> T {
    value
}

fn sent<T: Send>(value: T) -> T {
    value
}

fn key() -> ApiKey {
    ApiKey::new("sk-ours").unwrap()
}

/// Limits that nothing here reaches.
fn generous() -> Limits {
    let rate = Rate::new(1_000_000, secs(1)).unwrap();
    Limits::new().requests(rate).tokens(rate).concurrency(1000).unwrap()
}

fn one_budget() -> Budgets {
    Budgets::new([Budget::usd("all", "1000").unwrap()]).unwrap()
}

fn slow_budget() -> Budgets {
    Budgets::in_store([Budget::usd("all", "1000").unwrap()], Arc::new(SlowStore::default())).unwrap()
}

/// Finds nothing wrong.
struct AnyAnswer;

impl ConformanceCheck<TestRequest, TestFrame> for AnyAnswer {
    fn applies_to(&self, _: &TestRequest) -> bool {
        true
    }

    fn check(&self, _: &TestRequest, _: &[TestFrame]) -> Result<(), Nonconformity> {
        Ok(())
    }
}

/// A layer by its name, and the rules it is put to.
macro_rules! every_layer {
    ($($(#[$meta:meta])? $name:ident: $layer:expr;)*) => {$(
        $(#[$meta])?
        mod $name {
            use super::*;

            #[tokio::test(start_paused = true)]
            async fn is_shared_and_sent() {
                let layer = shared($layer);
                let mut service = shared(ServiceBuilder::new().layer(layer).service(Leaf::new([])));
                let body = sent(service.ready().await.unwrap().call(streamed())).await;
                sent(body.unwrap().into_body());
                // The wrapped service is at hand.
                service.get_mut();
                let _: &Leaf = service.get_ref();
                service.into_inner().probe().assert_quiet();
            }

            #[tokio::test(start_paused = true)]
            async fn keeps_to_readiness() {
                let leaf = Leaf::new([]).ready_after(secs(1));
                let probe = leaf.probe();
                let mut service = ServiceBuilder::new().layer($layer).service(leaf);
                // Not ready at first, and not called before.
                assert!(poll_once(pin!(service.ready())).is_pending());
                assert_eq!(probe.calls(), 0);
                for _ in 0..3 {
                    service.ready().await.unwrap().call(streamed()).await.unwrap();
                }
                assert_eq!(probe.times(), [1000, 2000, 3000], "the ready one is called");
                probe.assert_quiet();
            }

            #[tokio::test(start_paused = true)]
            async fn holds_its_permit_only_while_it_runs() {
                let leaf = Leaf::new([Step::Hang, Step::fail(fails(super::HOPELESS))]);
                let probe = leaf.probe();
                let limit = ConcurrencyLimitLayer::new(1);
                let mut service = ServiceBuilder::new().layer($layer).layer(limit).service(leaf);
                let mut hanging = Box::pin(service.ready().await.unwrap().call(streamed()));
                assert!(poll_once(hanging.as_mut()).is_pending());
                assert!(poll_once(pin!(service.clone().ready())).is_pending());
                drop(hanging);
                assert!(ask(&service, streamed()).await.is_err());
                assert!(ask(&service, streamed()).await.is_ok());
                let _: &ConcurrencyLimit<Leaf> = service.get_ref();
                assert_eq!((probe.calls(), probe.counts().peak), (3, 1));
                probe.assert_quiet();
            }

            #[tokio::test(start_paused = true)]
            async fn passes_a_failed_readiness_on() {
                let leaf = Leaf::new([]).unready(fails(super::HOPELESS));
                let mut service = ServiceBuilder::new().layer($layer).service(leaf);
                service.ready().await.unwrap().call(streamed()).await.unwrap();
                assert_eq!(service.ready().await.err().unwrap().kind, super::HOPELESS);
            }

            #[tokio::test(start_paused = true)]
            async fn polled_after_its_end_it_stays_silent() {
                let leaf = Leaf::new([Step::ok(), Step::fail(fails(super::HOPELESS))]);
                let mut service = ServiceBuilder::new().layer($layer).service(leaf);
                for _ in 0..2 {
                    let mut future = Box::pin(service.ready().await.unwrap().call(streamed()));
                    let _ended = future.as_mut().await;
                    for _ in 0..3 {
                        assert!(poll_once(future.as_mut()).is_pending());
                    }
                }
            }

            #[tokio::test(start_paused = true)]
            async fn lets_go_of_what_has_ended() {
                let leaf = Leaf::new([]);
                let probe = leaf.probe();
                let limit = ConcurrencyLimitLayer::new(1);
                let mut service = ServiceBuilder::new().layer($layer).layer(limit).service(leaf);
                let mut future = Box::pin(service.ready().await.unwrap().call(streamed()));
                let answer = future.as_mut().await;
                // The future is still there, and holds nothing.
                let next = tokio::time::timeout(secs(1), ask(&service, streamed()));
                assert!(next.await.expect("the permit is back").is_ok());
                drop((future, answer));
                probe.assert_quiet();
            }

            #[tokio::test(start_paused = true)]
            async fn dropped_unpolled_it_leaves_nothing() {
                let leaf = Leaf::new([]);
                let probe = leaf.probe();
                let mut service = ServiceBuilder::new().layer($layer).service(leaf);
                drop(service.ready().await.unwrap().call(streamed()));
                probe.assert_quiet();
            }

            #[tokio::test(start_paused = true)]
            async fn passes_every_frame_in_order() {
                let frames = super::FRAMES.map(Beat::Frame);
                let beats = frames.into_iter().flat_map(|beat| [beat, Beat::Pause(millis(3))]);
                let leaf = Leaf::new([Step::body(beats)]);
                let service = ServiceBuilder::new().layer($layer).service(leaf);
                let body = ask(&service, streamed()).await.unwrap().into_body();
                assert!(!body.is_end_stream());
                assert_eq!(body.size_hint().lower(), 0);
                let reading = read(body).await;
                assert_eq!(reading.stages, super::FRAMES);
                assert!(reading.error.is_none());
            }

            #[tokio::test(start_paused = true)]
            async fn says_honestly_whether_the_stream_has_ended() {
                let leaf = Leaf::new([Step::body(super::FRAMES[..2].iter().copied().map(Beat::Frame))]);
                let service = ServiceBuilder::new().layer($layer).service(leaf);
                let mut body = ask(&service, streamed()).await.unwrap().into_body();
                for _ in 0..2 {
                    assert!(!body.is_end_stream());
                    body.frame().await.unwrap().unwrap();
                }
                assert!(body.is_end_stream());
                assert!(body.frame().await.is_none());
            }
        }
    )*};
}

/// A failure that no layer tries to mend.
const HOPELESS: tower_llm_layers::FailureKind = tower_llm_layers::FailureKind::BadRequest;

const FRAMES: [tower_llm_layers::Stage; 6] = {
    use tower_llm_layers::Stage as S;
    [S::Preamble, S::Content, S::KeepAlive, S::Content, S::Finish, S::Trailer]
};

every_layer! {
    adaptive_concurrency: AdaptiveConcurrencyLayer::new(ConcurrencyPolicy::new()).unwrap();
    attempt: AttemptLayer::new();
    auth_static: AuthLayer::new(key());
    auth_pool: AuthLayer::new(KeyPool::new([key(), key()]).unwrap());
    #[cfg(feature = "cache")]
    cache: CacheLayer::new(Cache::new(1 << 20), GlobalKey);
    #[cfg(feature = "cache")]
    cache_without_single_flight: CacheLayer::new(Cache::new(0), GlobalKey).single_flight(false);
    circuit_breaker: CircuitBreakerLayer::new(CircuitPolicy::new().slow(secs(1), 0.5)).unwrap();
    conformance: ConformanceLayer::new(AnyAnswer);
    cost: CostLayer::new();
    cost_with_a_budget: CostLayer::new().budgets(one_budget()).unknown_price(UnknownPrice::Assume(WorstCasePrice::default()));
    cost_with_a_store_that_waits: CostLayer::new().budgets(slow_budget()).unknown_price(UnknownPrice::Allow);
    deadline: DeadlineLayer::new(secs(90));
    degrade: DegradeLayer::new(NoDegradation);
    events: EventsLayer::new(tower_llm_layers::events::channel(64).0);
    fallback: FallbackLayer::new(chain(["a", "b"]));
    fallback_with_a_hedge: FallbackLayer::new(chain(["a", "b"])).hedge(Hedge::p95());
    first_token: FirstTokenLayer::new();
    #[cfg(feature = "cache")]
    idempotency: IdempotencyLayer::new(InMemoryIdempotency::new(1 << 20), GlobalKey);
    observe: ObserveLayer::new();
    pause: PauseLayer::new();
    provider_health: ProviderHealthLayer::new(ProviderHealth::new(ProviderPolicy::new()).unwrap());
    rate_limit: RateLimitLayer::new(generous(), GlobalKey).unwrap();
    rate_limit_in_a_store: RateLimitLayer::new(generous(), GlobalKey).unwrap().store(Arc::new(Open));
    resume: ResumeLayer::new();
    resume_off: ResumeLayer::off();
    retry: RetryLayer::new();
    tagging: TaggingLayer::new(|_: &http::Request<TestRequest>| None);
    timeout: AttemptTimeoutLayer::new(secs(10));
}

#[tokio::test(start_paused = true)]
async fn a_future_shows_nothing_of_the_request() {
    let mut service = RetryLayer::new().layer(Leaf::new([]));
    let future = service.ready().await.unwrap().call(streamed());
    assert_eq!(format!("{future:?}"), "RetryFuture { attempts: 1, .. }");
}
