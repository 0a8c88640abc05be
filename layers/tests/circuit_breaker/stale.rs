//! What says nothing of how its candidate is now.

use http::Request;
use tokio::time::advance;
use tower::{Layer, Service, ServiceExt};
use tower_llm_layers::{
    FailureKind, Phase, Stage,
    attempt::AttemptLayer,
    circuit_breaker::{CircuitBreakerLayer, CircuitPolicy, CircuitState},
};

use crate::support::{Beat, Leaf, Step, TestError, TestRequest, ask, fails, plain, poll_once, read, secs, streamed};

fn named(mut request: Request<TestRequest>) -> Request<TestRequest> {
    request.body_mut().model = Some("m".into());
    request
}

async fn begin<S>(service: &S) -> std::pin::Pin<Box<S::Future>>
where
    S: Service<Request<TestRequest>> + Clone,
    S::Error: std::fmt::Debug,
{
    let mut service = service.clone();
    let mut future = Box::pin(service.ready().await.unwrap().call(named(streamed())));
    assert!(poll_once(future.as_mut()).is_pending());
    future
}

/// Ten begin together: five fail after a second and open it, five end so, when it has long been well again.
async fn five_end_late(policy: CircuitPolicy, late: Step) -> Vec<Result<(), TestError>> {
    let early = (0..5).map(|_| Step::Fail(secs(1), fails(FailureKind::Overloaded)));
    let leaf = Leaf::new(early.chain(std::iter::repeat_n(late, 5)));
    let layer = CircuitBreakerLayer::new(policy).unwrap();
    let service = layer.layer(AttemptLayer::new().layer(leaf));
    let mut all = Vec::new();
    for _ in 0..10 {
        all.push(begin(&service).await);
    }
    let state = || layer.circuits().reports().remove(0).state;
    for call in all.drain(..5) {
        call.await.map(drop).unwrap_err();
    }
    assert!(matches!(state(), CircuitState::Open { .. }));
    advance(secs(5)).await;
    let well = async || read(ask(&service, named(streamed())).await.unwrap().into_body()).await;
    well().await;
    well().await;
    assert_eq!(state(), CircuitState::Returning);
    advance(secs(20)).await;
    for _ in 0..4 {
        well().await;
    }
    assert_eq!(state(), CircuitState::Closed);
    let mut ended = Vec::new();
    for call in all {
        ended.push(call.await.map(drop));
    }
    assert_eq!(
        state(),
        CircuitState::Closed,
        "attempts that began before it opened do not count"
    );
    ended
}

#[tokio::test(start_paused = true)]
async fn a_failure_that_began_before_it_opened_opens_it_no_second_time() {
    let late = Step::Fail(secs(60), fails(FailureKind::Timeout(Phase::Response)));
    let ended = five_end_late(CircuitPolicy::new(), late).await;
    assert!(ended.iter().all(Result::is_err));
}

/// The same with answers that come slowly.
#[tokio::test(start_paused = true)]
async fn a_slow_answer_from_before_it_opened_does_not_open_it_again() {
    let late = Step::Answer(secs(60), vec![Beat::Frame(Stage::Content), Beat::Frame(Stage::Finish)]);
    let ended = five_end_late(CircuitPolicy::new().slow(secs(5), 0.5), late).await;
    assert!(ended.iter().all(Result::is_ok));
}

/// The same with answers that began before it opened and are interrupted after it has closed.
#[tokio::test(start_paused = true)]
async fn an_answer_that_began_before_it_opened_opens_it_no_second_time() {
    let down = || fails(FailureKind::Overloaded);
    let breaks = || {
        Step::body([
            Beat::Frame(Stage::Content),
            Beat::Pause(secs(9)),
            Beat::Fail(fails(FailureKind::Truncated)),
        ])
    };
    let leaf = Leaf::new((0..5).map(|_| breaks()).chain((0..5).map(|_| Step::fail(down()))));
    let layer = CircuitBreakerLayer::new(CircuitPolicy::new()).unwrap();
    let service = layer.layer(AttemptLayer::new().layer(leaf));
    let state = || layer.circuits().reports().remove(0).state;
    let request = || {
        let mut request = streamed();
        request.body_mut().model = Some("m".into());
        request
    };
    let mut bodies = Vec::new();
    for _ in 0..5 {
        bodies.push(ask(&service, request()).await.unwrap().into_body());
    }
    advance(secs(40)).await;
    for _ in 0..5 {
        ask(&service, request()).await.map(drop).unwrap_err();
    }
    assert!(matches!(state(), CircuitState::Open { .. }));
    advance(secs(5)).await;
    for _ in 0..2 {
        read(ask(&service, request()).await.unwrap().into_body()).await;
    }
    advance(secs(10)).await;
    for _ in 0..4 {
        read(ask(&service, request()).await.unwrap().into_body()).await;
    }
    assert_eq!(state(), CircuitState::Closed);
    let mut bodies = bodies.into_iter().map(|body| Box::pin(read(body))).collect::<Vec<_>>();
    for body in &mut bodies {
        assert!(poll_once(body.as_mut()).is_pending());
    }
    for body in &mut bodies {
        assert!(body.await.error.is_some());
    }
    assert_eq!(state(), CircuitState::Closed);
}

/// Nor do plain calls open a circuit by their length.
#[tokio::test(start_paused = true)]
async fn a_plain_answer_that_is_long_is_no_slow_beginning() {
    let layer = CircuitBreakerLayer::new(CircuitPolicy::new().slow(secs(2), 0.5)).unwrap();
    let service = layer.layer(AttemptLayer::new().layer(Leaf::new(
        (0..10).map(|_| Step::Answer(secs(6), vec![Beat::Frame(Stage::Finish)])),
    )));
    for _ in 0..10 {
        if let Ok(response) = ask(&service, named(plain())).await {
            read(response.into_body()).await;
        }
    }
    assert_eq!(layer.circuits().reports().remove(0).state, CircuitState::Closed);
}
