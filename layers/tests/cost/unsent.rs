//! An attempt that waits for its reservation or its key, or gets none, was not sent: it has no entry, costs nothing, and says nothing of its
//! upstream.

use std::{
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    task::{Context, Poll},
    time::Duration,
};

use http::Request;
use tokio::time::timeout;
use tower::{Layer, Service, ServiceBuilder, ServiceExt, layer::layer_fn};
use tower_llm_layers::{
    AttemptLog, FailureKind, Stage, UsdAmount, UtcTime,
    attempt::AttemptLayer,
    auth::{ApiKey, AuthLayer, KeyFuture, KeyProvider, KeySource},
    budget::{AccountRef, Budget, BudgetStore, Budgets, Decision, ReserveRequest},
    circuit_breaker::{CircuitBreakerLayer, CircuitPolicy, CircuitState, Circuits},
    cost::CostLayer,
    first_token::FirstTokenLayer,
    timeout::AttemptTimeoutLayer,
};

use super::{budgeted, up_to};
use crate::support::{Beat, Leaf, Prices, Step, TestRequest, ask, fails};

type Key = fn() -> KeyFuture;

/// Calls with a provider of keys that hangs, and with one that has none: streamed and plain.
#[tokio::test(start_paused = true)]
async fn without_a_key_there_is_no_entry_and_no_cost() {
    let hangs: Key = || Box::pin(std::future::pending());
    let has_none: Key = || Box::pin(async { Err("the vault is sealed".to_owned()) });
    for key in [hangs, has_none] {
        for streaming in [true, false] {
            let leaf = Leaf::new([]);
            let probe = leaf.probe();
            let (layer, store, kept) = budgeted("1");
            let provider: Arc<dyn KeyProvider> = Arc::new(move |_: &str| key());
            let service = AttemptLayer::new().layer(layer.layer(AuthLayer::new(provider).layer(leaf)));
            let mut request = up_to("a", 100);
            request.body_mut().streaming = streaming;
            let left = timeout(Duration::from_secs(5), ask(&service, request)).await;
            assert!(left.is_err() || left.is_ok_and(|result| result.is_err()));
            assert_eq!((probe.calls(), kept.entries().len()), (0, 0), "streaming: {streaming}");
            let [state] = &store.accounts()[..] else { unreachable!() };
            assert_eq!((state.settled, state.reserved), (UsdAmount::ZERO, UsdAmount::ZERO));
        }
    }
}

/// A store that hangs.
#[derive(Debug)]
struct Hangs;

impl BudgetStore for Hangs {
    fn reserve(&self, _: ReserveRequest) -> Decision {
        Decision::Later(Box::pin(std::future::pending()))
    }

    fn adjust(&self, _: &[AccountRef], _: UsdAmount, _: UtcTime) {}
}

/// Time in which a store or a provider of keys does not respond is no silence of the upstream: the failure is theirs, and opens no circuit.
#[tokio::test(start_paused = true)]
async fn what_hangs_on_our_side_does_not_count_against_the_upstream() {
    let budgets = Budgets::in_store([Budget::usd("all", "1").unwrap()], Arc::new(Hangs)).unwrap();
    let hanging_store = CostLayer::new().prices(Arc::new(Prices)).budgets(budgets);
    let free = CostLayer::new().prices(Arc::new(Prices));
    let hanging_key: Arc<dyn KeyProvider> = Arc::new(|_: &str| -> KeyFuture { Box::pin(std::future::pending()) });
    let key = || KeySource::Static(ApiKey::new("sk-1").unwrap());
    let rows = [
        (hanging_store, key(), FailureKind::StoreUnavailable),
        (free, KeySource::Provider(hanging_key), FailureKind::Auth),
    ];
    for (cost, keys, kind) in rows {
        let leaf = Leaf::new([]);
        let probe = leaf.probe();
        let circuits = Circuits::new(CircuitPolicy::new().min_calls(1)).unwrap();
        let stack = ServiceBuilder::new()
            .layer(CircuitBreakerLayer::shared(circuits.clone()))
            .layer(AttemptLayer::new())
            .layer(AttemptTimeoutLayer::new(Duration::from_secs(10)))
            .layer(cost)
            .layer(AuthLayer::new(keys))
            .service(leaf);
        for _ in 0..10 {
            let error = ask(&stack, up_to("a", 100)).await.err().unwrap();
            assert_eq!(error.kind, kind);
            assert_eq!(error.marks.attempts().unwrap().sent(), 0, "nothing was sent");
        }
        assert_eq!(probe.calls(), 0);
        let states: Vec<_> = circuits.reports().iter().map(|report| report.state).collect();
        assert_eq!(states, [CircuitState::Closed]);
    }
}

/// A slow store takes nothing of the upstream's time, and makes its answer no slower.
#[tokio::test(start_paused = true)]
async fn a_slow_key_takes_nothing_of_the_upstreams_time() {
    let leaf = Leaf::new([Step::Answer(
        Duration::from_secs(8),
        vec![Beat::Frame(Stage::Content), Beat::Frame(Stage::Finish)],
    )]);
    let slow: Arc<dyn KeyProvider> = Arc::new(|_: &str| -> KeyFuture {
        Box::pin(async {
            tokio::time::sleep(Duration::from_secs(5)).await;
            Ok(ApiKey::new("sk-1").unwrap())
        })
    });
    let stack = ServiceBuilder::new()
        .layer(AttemptLayer::new())
        .layer(AttemptTimeoutLayer::new(Duration::from_secs(10)))
        .layer(FirstTokenLayer::new())
        .layer(AuthLayer::new(slow))
        .service(leaf);
    let response = ask(&stack, up_to("a", 100)).await.unwrap();
    let log = response.extensions().get::<AttemptLog>().unwrap().clone();
    assert_eq!(log.attempts()[0].first_token, Some(Duration::from_secs(8)));
}

/// A layer of the user's own that sends a failed attempt again.
#[derive(Clone)]
struct Again<S>(S);

impl<S> Service<Request<TestRequest>> for Again<S>
where
    S: Service<Request<TestRequest>, Future: Send, Error: Send, Response: Send> + Clone + Send + 'static,
{
    type Response = S::Response;
    type Error = S::Error;
    type Future = Pin<Box<dyn Future<Output = Result<S::Response, S::Error>> + Send>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.0.poll_ready(cx)
    }

    fn call(&mut self, request: Request<TestRequest>) -> Self::Future {
        let clone = self.0.clone();
        let mut ready = std::mem::replace(&mut self.0, clone);
        Box::pin(async move {
            match ready.call(request.clone()).await {
                Ok(response) => Ok(response),
                Err(_) => ready.ready().await?.call(request).await,
            }
        })
    }
}

/// The same if a service between sends a failed attempt again: what the latest exchange waits for is what counts.
#[tokio::test(start_paused = true)]
async fn what_hangs_on_our_side_in_a_repeated_exchange_does_not_count_either() {
    let fetched = AtomicUsize::new(0);
    let provider: Arc<dyn KeyProvider> = Arc::new(move |_: &str| -> KeyFuture {
        if fetched.fetch_add(1, Ordering::Relaxed).is_multiple_of(2) {
            return Box::pin(async { Ok(ApiKey::new("sk-1").unwrap()) });
        }
        Box::pin(std::future::pending())
    });
    let leaf = Leaf::new([(); 4].map(|()| Step::fail(fails(FailureKind::ContentFiltered))));
    let probe = leaf.probe();
    let circuits = Circuits::new(CircuitPolicy::new().min_calls(1)).unwrap();
    let stack = ServiceBuilder::new()
        .layer(CircuitBreakerLayer::shared(circuits.clone()))
        .layer(AttemptLayer::new())
        .layer(AttemptTimeoutLayer::new(Duration::from_secs(10)))
        .layer(layer_fn(Again))
        .layer(CostLayer::new().prices(Arc::new(Prices)))
        .layer(AuthLayer::new(provider))
        .service(leaf);
    for _ in 0..4 {
        let error = ask(&stack, up_to("a", 100)).await.err().unwrap();
        assert_eq!(error.kind, FailureKind::Auth, "{error:?}");
    }
    assert_eq!(probe.calls(), 4, "the first exchange of each was sent");
    let states: Vec<_> = circuits.reports().iter().map(|report| report.state).collect();
    assert_eq!(states, [CircuitState::Closed]);
}

/// And what a repeated exchange waits for is not taken from the upstream's time.
#[tokio::test(start_paused = true)]
async fn a_slow_key_of_a_repeated_exchange_takes_nothing_of_the_upstreams_time() {
    let late = Step::Answer(
        Duration::from_secs(8),
        vec![Beat::Frame(Stage::Content), Beat::Frame(Stage::Finish)],
    );
    let leaf = Leaf::new([Step::fail(fails(FailureKind::ContentFiltered)), late]);
    let slow: Arc<dyn KeyProvider> = Arc::new(|_: &str| -> KeyFuture {
        Box::pin(async {
            tokio::time::sleep(Duration::from_secs(5)).await;
            Ok(ApiKey::new("sk-1").unwrap())
        })
    });
    let stack = ServiceBuilder::new()
        .layer(AttemptLayer::new())
        .layer(AttemptTimeoutLayer::new(Duration::from_secs(10)).last_candidate_grace(Duration::ZERO))
        .layer(layer_fn(Again))
        .layer(FirstTokenLayer::new())
        .layer(CostLayer::new())
        .layer(AuthLayer::new(slow))
        .service(leaf);
    // Twice five seconds for the key, and eight for the answer.
    assert!(ask(&stack, up_to("a", 100)).await.is_ok());
}
