//! A learned concurrency limit per candidate.

mod pace;
mod queue;
mod random;

use std::pin::Pin;

use http::Request;
use tower::{Layer, Service, ServiceExt};
use tower_llm_layers::{
    FailureKind, LayerError, Priority,
    adaptive_concurrency::{
        AdaptiveConcurrency, AdaptiveConcurrencyLayer, ConcurrencyError, ConcurrencyPolicy, ConcurrencyReport,
    },
    deadline::DeadlineLayer,
};

use crate::support::{
    Beat, Leaf, Probe, ScriptBody, Step, TestError, TestRequest, ask, fails, millis, poll_once, read, secs, streamed,
};

/// The layer over one inner service, whose requests name the model `m`.
struct Bench {
    layer: AdaptiveConcurrencyLayer,
    service: AdaptiveConcurrency<Leaf>,
    probe: Probe,
}

type Begun = Pin<Box<dyn Future<Output = Result<(), TestError>>>>;

impl Bench {
    fn new(policy: ConcurrencyPolicy, leaf: Leaf) -> Self {
        let layer = AdaptiveConcurrencyLayer::new(policy).unwrap();
        let probe = leaf.probe();
        let service = layer.layer(leaf);
        Self { layer, service, probe }
    }

    fn request(priority: Priority) -> Request<TestRequest> {
        let mut request = streamed();
        request.body_mut().model = Some("m".into());
        request.body_mut().call.set_priority(priority);
        request
    }

    /// A call, read to its end, that has been polled once.
    async fn begin(&self, priority: Priority) -> Begun {
        let mut service = self.service.clone();
        let future = service.ready().await.unwrap().call(Self::request(priority));
        let mut call: Begun = Box::pin(async move {
            let body = Box::pin(future.await?.into_body());
            read::<Pin<Box<tower_llm_layers::adaptive_concurrency::AdaptiveConcurrencyBody<ScriptBody>>>>(body)
                .await
                .error
                .map_or(Ok(()), Err)
        });
        match poll_once(call.as_mut()) {
            std::task::Poll::Ready(ended) => Box::pin(std::future::ready(ended)),
            std::task::Poll::Pending => call,
        }
    }

    async fn call(&self) -> Result<(), TestError> {
        let body = ask(&self.service, Self::request(Priority::Interactive))
            .await?
            .into_body();
        read(body).await.error.map_or(Ok(()), Err)
    }

    fn report(&self) -> ConcurrencyReport {
        self.layer.limits().reports().remove(0)
    }

    fn limit(&self) -> u32 {
        self.report().limit
    }
}

fn overloaded(kind: FailureKind) -> TestError {
    let mut error = fails(kind);
    error.status = Some(429);
    error
}

#[tokio::test(start_paused = true)]
async fn the_upstreams_overload_takes_a_part_and_nothing_else_does() {
    for (error, limit) in [
        (overloaded(FailureKind::RateLimited), 7),
        (overloaded(FailureKind::Overloaded), 7),
        // A limit of our own, inside.
        (fails(FailureKind::RateLimited), 10),
        (overloaded(FailureKind::InsufficientFunds), 10),
        (overloaded(FailureKind::BadRequest), 10),
        (overloaded(FailureKind::Upstream), 10),
    ] {
        let kind = error.kind;
        let bench = Bench::new(ConcurrencyPolicy::new().initial(10), Leaf::new([Step::fail(error)]));
        bench.call().await.unwrap_err();
        assert_eq!(bench.limit(), limit, "{kind}");
        bench.probe.assert_quiet();
    }
    let broken = Step::body([
        Beat::Frame(tower_llm_layers::Stage::Content),
        Beat::Fail(overloaded(FailureKind::Overloaded)),
    ]);
    let bench = Bench::new(ConcurrencyPolicy::new().initial(10), Leaf::new([broken]));
    bench.call().await.unwrap_err();
    assert_eq!(bench.limit(), 7, "in the midst of a stream");
    // Those who leave.
    let bench = Bench::new(ConcurrencyPolicy::new().initial(10), Leaf::new([Step::Hang]));
    drop(bench.begin(Priority::Interactive).await);
    assert_eq!((bench.limit(), bench.report().in_flight), (10, 0));
}

#[tokio::test(start_paused = true)]
async fn one_burst_takes_one_part() {
    let steps = (0..8).map(|_| Step::Fail(secs(1), overloaded(FailureKind::RateLimited)));
    let policy = ConcurrencyPolicy::new().initial(10).decrease(0.5);
    let bench = Bench::new(policy, Leaf::new(steps));
    let mut burst = Vec::new();
    for _ in 0..8 {
        burst.push(bench.begin(Priority::Interactive).await);
    }
    for call in burst {
        call.await.unwrap_err();
    }
    assert_eq!(bench.limit(), 5);
}

#[tokio::test(start_paused = true)]
async fn good_answers_add_to_it_up_to_the_ceiling_and_bad_ones_leave_the_floor() {
    let policy = ConcurrencyPolicy::new().initial(2).ceiling(4).floor(2);
    let bench = Bench::new(policy, Leaf::new([]));
    for _ in 0..40 {
        let (one, other) = (
            bench.begin(Priority::Interactive).await,
            bench.begin(Priority::Interactive).await,
        );
        one.await.unwrap();
        other.await.unwrap();
    }
    assert!(bench.limit() > 2 && bench.limit() <= 4, "{}", bench.limit());
    let fails = (0..9).map(|_| Step::fail(overloaded(FailureKind::RateLimited)));
    let bench = Bench::new(policy, Leaf::new(fails));
    for _ in 0..9 {
        bench.call().await.unwrap_err();
    }
    assert_eq!(bench.limit(), 2);
}

#[tokio::test(start_paused = true)]
async fn slow_first_tokens_take_a_part() {
    let good = |wait| Step::Answer(millis(wait), vec![Beat::Frame(tower_llm_layers::Stage::Content)]);
    for (slower, cut) in [(2.0, true), (9.0, false)] {
        let steps = (0..100).map(|_| good(100)).chain((0..40).map(|_| good(400)));
        let policy = ConcurrencyPolicy::new().initial(10).ceiling(10).slower(slower);
        let bench = Bench::new(policy, Leaf::new(steps));
        for _ in 0..140 {
            bench.call().await.unwrap();
        }
        assert_eq!(bench.limit() < 10, cut, "{slower}");
    }
}

#[tokio::test(start_paused = true)]
async fn candidates_are_apart() {
    let bench = Bench::new(
        ConcurrencyPolicy::new().initial(1).queue(0),
        Leaf::new([]).always("m", Step::Hang),
    );
    let _first = bench.begin(Priority::Interactive).await;
    assert!(bench.call().await.is_err());
    ask(&bench.service, streamed()).await.unwrap();
}

#[test]
fn a_policy_that_makes_no_sense_is_refused() {
    let policy = ConcurrencyPolicy::new;
    let order = |floor, initial, ceiling| ConcurrencyError::Order {
        floor,
        initial,
        ceiling,
    };
    assert!(order(1, 20, 5).to_string().contains("1, 20 and 5"));
    for (policy, expected) in [
        (policy().floor(0), ConcurrencyError::ZeroFloor),
        (policy().initial(5).floor(6), order(6, 5, 1000)),
        (policy().ceiling(5), order(1, 20, 5)),
        (policy().decrease(1.0), ConcurrencyError::Decrease),
        (policy().decrease(f64::NAN), ConcurrencyError::Decrease),
        (policy().slower(0.5), ConcurrencyError::Slower),
    ] {
        assert_eq!(AdaptiveConcurrencyLayer::new(policy).map(drop).unwrap_err(), expected);
    }
}

/// A refusal, and how many waited.
fn saturated(result: &Result<(), TestError>) -> Option<usize> {
    match result.as_ref().err()?.layer.as_ref()? {
        LayerError::ConcurrencyLimited { waiting, .. } => Some(*waiting),
        _ => None,
    }
}

/// A call within this many seconds.
async fn within(bench: &Bench, seconds: u64) -> Result<(), TestError> {
    let service = DeadlineLayer::new(secs(seconds)).layer(bench.service.clone());
    let body = ask(&service, Bench::request(Priority::Interactive)).await?.into_body();
    read(body).await.error.map_or(Ok(()), Err)
}
