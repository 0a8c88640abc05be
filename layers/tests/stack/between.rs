//! A middleware of the user's between any two layers: costs, log and budgets stay right, whether it awaits or calls twice.

use std::{
    future::Future,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

use http::{Request, Response};
use tower::{Layer, Service, ServiceBuilder, util::BoxCloneService};
use tower_llm_layers::{
    AttemptLog, FailureKind, GlobalKey, Outcome, Stage, Tags, TokenUsage, UsdAmount,
    adaptive_concurrency::{AdaptiveConcurrencyLayer, ConcurrencyPolicy},
    attempt::AttemptLayer,
    auth::{ApiKey, AuthLayer},
    budget::{Budget, Budgets, InMemoryBudgetStore},
    cache::{
        Cache, CacheLayer,
        idempotency::{IdempotencyLayer, InMemoryIdempotency},
    },
    circuit_breaker::{CircuitBreakerLayer, CircuitPolicy},
    conformance::{ConformanceCheck, ConformanceLayer, Nonconformity},
    cost::CostLayer,
    deadline::DeadlineLayer,
    degrade::{DegradeLayer, NoDegradation},
    events::{self, EventsLayer},
    fallback::{FallbackLayer, Hedge},
    first_token::FirstTokenLayer,
    observe::ObserveLayer,
    pause::PauseLayer,
    provider_health::{ProviderHealth, ProviderHealthLayer, ProviderPolicy},
    rate_limit::{Limits, PerCandidate, RateLimitLayer},
    resume::ResumeLayer,
    retry::{Exponential, RetryLayer},
    tagging::TaggingLayer,
    timeout::AttemptTimeoutLayer,
};

use crate::support::{
    Beat, Kept, Leaf, Prices, Probe, Step, TestError, TestRequest, ask, chain, fails, millis, read, secs, streamed,
};

type Body = http_body_util::combinators::UnsyncBoxBody<crate::support::TestFrame, TestError>;
type Boxed = BoxCloneService<Request<TestRequest>, Response<Body>, TestError>;

/// What stands between.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Between {
    Nothing,
    /// Waits for 200 ms before it calls inwards: fetches a tenant, say.
    Awaits,
    /// Calls again if the first call fails, as tower's retry does.
    CallsAgain,
    /// Sends the request twice at the same time, returns the first result, and drops the second.
    CallsTwice,
}

/// How many places there are between two layers.
const PLACES: usize = 22;

/// The first place that is above the auth layer: what a service below that sends again, no layer sees.
const ABOVE_AUTH: usize = 1;

/// The first place that is above the deadline layer, which opens the call: what calls again there makes two calls, each with a log of its own.
const ABOVE_DEADLINE: usize = PLACES - 4;

/// The first place above the cache: it makes one call of two that are identical.
const ABOVE_CACHE: usize = ABOVE_DEADLINE - 2;

/// Finds nothing wrong.
#[derive(Debug, Clone)]
struct AnyAnswer;

impl ConformanceCheck<TestRequest, crate::support::TestFrame> for AnyAnswer {
    fn applies_to(&self, _: &TestRequest) -> bool {
        true
    }

    fn check(&self, _: &TestRequest, _: &[crate::support::TestFrame]) -> Result<(), Nonconformity> {
        Ok(())
    }
}

#[derive(Clone)]
struct Middleware {
    inner: Boxed,
    between: Between,
}

impl Service<Request<TestRequest>> for Middleware {
    type Response = Response<Body>;
    type Error = TestError;
    type Future = Pin<Box<dyn Future<Output = Result<Response<Body>, TestError>> + Send>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), TestError>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: Request<TestRequest>) -> Self::Future {
        let again = self.inner.clone();
        let mut ready = std::mem::replace(&mut self.inner, again.clone());
        let between = self.between;
        Box::pin(async move {
            if between == Between::Awaits {
                tokio::time::sleep(millis(200)).await;
            }
            let kept = request.clone();
            if between == Between::CallsTwice {
                let second = tower::ServiceExt::oneshot(again, kept);
                let (first, _dropped) = tokio::join!(ready.call(request), second);
                return first;
            }
            match ready.call(request).await {
                Err(_) if between == Between::CallsAgain => tower::ServiceExt::oneshot(again, kept).await,
                result => result,
            }
        })
    }
}

/// The whole stack, with the middleware at one place.
struct World {
    service: Boxed,
    kept: Arc<Kept>,
    book: InMemoryBudgetStore,
    probe: Probe,
}

fn boxed<S, B>(service: S) -> Boxed
where
    S: Service<Request<TestRequest>, Response = Response<B>, Error = TestError> + Clone + Send + 'static,
    S::Future: Send,
    B: http_body::Body<Data = crate::support::TestFrame, Error = TestError> + Send + 'static,
{
    let unsync = |response: Response<B>| response.map(http_body_util::BodyExt::boxed_unsync);
    BoxCloneService::new(ServiceBuilder::new().map_response(unsync).service(service))
}

fn world(place: usize, between: Between, leaf: Leaf, attempts: u32) -> World {
    let (kept, book) = (Kept::new(), InMemoryBudgetStore::new());
    let budget = Budget::usd("all", "1.00").unwrap();
    let budgets = Budgets::in_store([budget], Arc::new(book.clone())).unwrap();
    let probe = leaf.probe();
    let limits = Limits::new().concurrency(1_000).unwrap();
    let hedge = Hedge::after(millis(500)).ratio(1.0);
    let retry = RetryLayer::new()
        .max_attempts(attempts)
        .schedule(Exponential::new(secs(0), secs(0)));
    let cost = CostLayer::new()
        .prices(Arc::new(Prices))
        .ledger(kept.clone())
        .budgets(budgets);
    let mut service = boxed(leaf);
    let mut number = 0;
    macro_rules! add {
        ($($layer:expr),* $(,)?) => {$(
            if number == place && between != Between::Nothing {
                service = boxed(Middleware { inner: service, between });
            }
            number += 1;
            service = boxed(($layer).layer(service));
        )*};
    }
    add!(
        AuthLayer::new(ApiKey::new("sk-the-key").unwrap()),
        cost,
        FirstTokenLayer::new(),
        AttemptTimeoutLayer::new(secs(10)),
        AttemptLayer::new().cap(8),
        ProviderHealthLayer::new(ProviderHealth::new(ProviderPolicy::new()).unwrap()),
        RateLimitLayer::new(limits, PerCandidate).unwrap(),
        PauseLayer::new(),
        AdaptiveConcurrencyLayer::new(ConcurrencyPolicy::new()).unwrap(),
        CircuitBreakerLayer::new(CircuitPolicy::new()).unwrap(),
        ConformanceLayer::new(AnyAnswer),
        retry,
        FallbackLayer::new(chain(["costly", "a"])).hedge(hedge),
        ResumeLayer::new(),
        RateLimitLayer::new(limits, GlobalKey).unwrap(),
        CacheLayer::new(Cache::new(1 << 20), GlobalKey),
        IdempotencyLayer::new(InMemoryIdempotency::new(1 << 20), GlobalKey),
        DeadlineLayer::new(secs(90)),
        DegradeLayer::new(NoDegradation),
        ObserveLayer::new(),
        TaggingLayer::new(|_: &Request<TestRequest>| Tags::new([("tenant", "acme")]).ok()),
        EventsLayer::new(events::channel(64).0),
    );
    assert_eq!(number, PLACES);
    World {
        service,
        kept,
        book,
        probe,
    }
}

fn answer(answer: u64) -> Vec<Beat> {
    let content = (0..answer).map(|_| Beat::Frame(Stage::Content));
    let usage = Beat::Charged(Stage::Trailer, TokenUsage::new(100, answer));
    content.chain([Beat::Frame(Stage::Finish), usage]).collect()
}

fn request() -> Request<TestRequest> {
    let mut request = streamed();
    let body = request.body_mut();
    body.max_tokens = Some(500);
    body.needs.prompt_tokens = 100;
    body.needs.most_prompt_tokens = 100;
    request
}

/// Each attempt has its own cost on its own line, in the ledger and in the log, and the budget has settled what the ledger says.
fn check(world: &World, log: &AttemptLog, what: &str) {
    let (entries, lines) = (world.kept.entries(), log.attempts());
    let sent: Vec<_> = lines.iter().filter(|line| line.is_sent).collect();
    assert_eq!(
        entries.len(),
        world.probe.calls(),
        "{what}: an entry for each request\n{log}"
    );
    assert_eq!(entries.len(), sent.len(), "{what}: a line for each entry\n{log}");
    for line in &sent {
        let own: Vec<_> = entries.iter().filter(|entry| entry.attempt == line.number).collect();
        assert_eq!(own.len(), 1, "{what}: attempt {}\n{log}", line.number);
        let candidate = line.candidate.as_ref().unwrap();
        assert_eq!(&*own[0].model, candidate.model(), "{what}\n{log}");
        assert_eq!(line.cost, Some(own[0].cost()), "{what}\n{log}");
        assert_ne!(line.outcome, Outcome::Waiting, "{what}\n{log}");
        assert!(line.duration.is_some(), "{what}\n{log}");
    }
    let total = entries
        .iter()
        .fold(UsdAmount::ZERO, |sum, entry| sum.saturating_add(entry.cost()));
    let account = &world.book.accounts()[0];
    assert_eq!(account.reserved, UsdAmount::ZERO, "{what}");
    assert_eq!((account.settled, log.cost()), (total, Some(total)), "{what}\n{log}");
}

async fn call(world: &World) -> AttemptLog {
    match ask(&world.service, request()).await {
        Ok(response) => {
            let log = response.extensions().get::<AttemptLog>().unwrap().clone();
            read(response.into_body()).await;
            log
        }
        Err(error) => error.log().clone(),
    }
}

#[tokio::test(start_paused = true)]
async fn a_hedge_and_its_loser_pay_on_their_own_lines() {
    for place in 0..PLACES {
        for between in [Between::Nothing, Between::Awaits] {
            let leaf = Leaf::new([])
                .on("costly", [Step::Answer(secs(9), answer(3))])
                .on("a", [Step::Answer(millis(100), answer(2))]);
            let world = world(place, between, leaf, 1);
            let log = call(&world).await;
            let what = format!("{between:?} at {place}");
            check(&world, &log, &what);
            assert_eq!(log.answered_by().unwrap().model(), "a", "{what}\n{log}");
            let dropped = log.attempts().into_iter().find(|line| line.outcome == Outcome::Dropped);
            assert_eq!(dropped.unwrap().candidate.unwrap().model(), "costly", "{what}\n{log}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn retries_and_fallbacks_pay_on_their_own_lines() {
    for place in 0..PLACES {
        for between in [Between::Nothing, Between::Awaits] {
            let broken = Step::body([Beat::Frame(Stage::Preamble), Beat::Fail(fails(FailureKind::Reset))]);
            let leaf = Leaf::new([])
                .on("costly", [broken.clone(), broken.clone()])
                .on("a", [broken, Step::body(answer(2))]);
            let world = world(place, between, leaf, 2);
            let log = call(&world).await;
            let what = format!("{between:?} at {place}");
            check(&world, &log, &what);
            assert_eq!((log.sent(), world.probe.calls()), (4, 4), "{what}\n{log}");
        }
    }
}

/// Above the attempt a second call is an attempt by itself; between it and the cost layer it is one that the cost layer writes down; below
/// the cost layer it is refused, since no entry would account for it.
#[tokio::test(start_paused = true)]
async fn a_service_that_calls_again_makes_attempts_of_its_own() {
    for place in ABOVE_AUTH..ABOVE_DEADLINE {
        let broken = Step::body([Beat::Frame(Stage::Preamble), Beat::Fail(fails(FailureKind::Reset))]);
        let failed = Step::fail(fails(FailureKind::Overloaded));
        for (first, reads) in [(failed, 0), (broken, 100)] {
            let leaf = Leaf::new([])
                .on("costly", [first, Step::body(answer(2))])
                .on("a", [Step::body(answer(2))]);
            let world = world(place, Between::CallsAgain, leaf, 1);
            let log = call(&world).await;
            let what = format!("at {place}, {reads}");
            check(&world, &log, &what);
            assert!(log.sent() <= 8, "{what}");
            let first = &log.attempts()[0];
            assert!(matches!(first.outcome, Outcome::Failed(_)), "{what}\n{log}");
            // Between the cost layer and the auth layer the second call is refused, and the user's middleware passes that on.
            let is_refused = place == ABOVE_AUTH && reads == 0;
            assert_eq!(log.answered_by().is_none(), is_refused, "{what}\n{log}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn it_never_passes_the_cap_or_the_budget() {
    for place in ABOVE_AUTH..ABOVE_DEADLINE {
        let leaf = Leaf::new([]).on("costly", vec![Step::fail(fails(FailureKind::Overloaded)); 40]);
        let leaf = leaf.on("a", vec![Step::fail(fails(FailureKind::Overloaded)); 40]);
        let world = world(place, Between::CallsAgain, leaf, 5);
        let log = call(&world).await;
        check(&world, &log, &format!("at {place}"));
        assert!(world.probe.calls() <= 8, "at {place}: {}\n{log}", world.probe.calls());
    }
}

/// Two at the same time are two attempts, each with its own entry and line; the one that nothing reads is paid for as dropped. Below the
/// cost layer the second is refused, and above the cache it shares the first one's.
#[tokio::test(start_paused = true)]
async fn two_at_the_same_time_pay_on_their_own_lines() {
    for place in ABOVE_AUTH..ABOVE_DEADLINE {
        for wait in [0, 100] {
            let leaf = Leaf::new([]).always("costly", Step::Answer(millis(wait), answer(2)));
            let world = world(place, Between::CallsTwice, leaf, 1);
            let log = call(&world).await;
            let what = format!("at {place} after {wait} ms");
            check(&world, &log, &what);
            let is_one = place == ABOVE_AUTH || place >= ABOVE_CACHE;
            assert_eq!(world.probe.calls(), if is_one { 1 } else { 2 }, "{what}\n{log}");
            let outcomes = |wanted| log.attempts().iter().filter(|line| line.outcome == wanted).count();
            assert_eq!(outcomes(Outcome::Answered), 1, "{what}\n{log}");
            assert_eq!(outcomes(Outcome::Dropped), usize::from(!is_one), "{what}\n{log}");
            world.probe.assert_quiet();
        }
    }
}
