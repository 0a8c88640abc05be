//! Invariant 8: a timeout of the call's own, shorter than its candidate's and the layer's, counts against no upstream.

use std::time::Duration;

use http::{Request, Response};
use http_body::Body;
use tokio::time::Instant;
use tower::{Layer, Service, ServiceBuilder};
use tower_llm_layers::{
    Failure, FailureKind, Health, Phase, Stage, TimeoutOverrides,
    attempt::AttemptLayer,
    circuit_breaker::{CircuitBreakerLayer, CircuitPolicy, CircuitState},
    fallback::{FallbackLayer, Hedge},
    first_token::FirstTokenLayer,
    timeout::AttemptTimeoutLayer,
};

use crate::support::{
    Beat, Leaf, Step, TestError, TestFrame, TestRequest, ask, candidate, chain, millis, plain, read, secs, streamed,
};

fn all(limit: Duration) -> TimeoutOverrides {
    TimeoutOverrides::new().first_token(limit).response(limit).idle(limit)
}

/// Two seconds for each phase.
fn layer() -> AttemptTimeoutLayer {
    AttemptTimeoutLayer::new(secs(2))
        .response_timeout(Some(secs(2)))
        .idle_timeout(Some(secs(2)))
        .last_candidate_grace(Duration::ZERO)
}

/// How a call fails, before its answer begins or after.
async fn failure<S, B>(service: &S, request: Request<TestRequest>) -> TestError
where
    S: Service<Request<TestRequest>, Response = Response<B>, Error = TestError> + Clone,
    B: Body<Data = TestFrame, Error = TestError>,
{
    match ask(service, request).await {
        Ok(response) => read(response.into_body()).await.error.unwrap(),
        Err(error) => error,
    }
}

/// The phases in which a call can be late: how it is made, what it meets.
fn phases() -> [(Phase, Request<TestRequest>, Step); 3] {
    let stalls = Step::body([Beat::Frame(Stage::Content), Beat::Stall]);
    [
        (Phase::FirstToken, streamed(), Step::Hang),
        (Phase::Response, plain(), Step::Hang),
        (Phase::Idle, streamed(), stalls),
    ]
}

#[tokio::test(start_paused = true)]
async fn only_a_limit_that_others_have_too_opens_a_circuit() {
    let rows = [
        // The layer's alone, or the candidate's.
        (None, None, true),
        (None, Some(secs(1)), true),
        // The call's own: shorter, and not shorter.
        (Some(secs(1)), None, false),
        (Some(secs(2)), None, true),
        (Some(secs(3)), None, true),
        // Compared with the candidate's, which goes before the layer's.
        (Some(millis(500)), Some(secs(1)), false),
        (Some(secs(1)), Some(secs(1)), true),
        (Some(secs(2)), Some(secs(3)), false),
    ];
    for (own, of_candidate, opens) in rows {
        for (phase, mut request, step) in phases() {
            let what = format!("{phase:?}, own {own:?}, the candidate's {of_candidate:?}");
            let breaker = CircuitBreakerLayer::new(CircuitPolicy::new()).unwrap();
            let leaf = Leaf::new([]).always("m", step);
            let attempt = AttemptLayer::new().layer(layer().layer(FirstTokenLayer::new().layer(leaf)));
            let service = breaker.layer(attempt);
            let called = of_candidate.map_or_else(|| candidate("m"), |limit| candidate("m").with_timeouts(all(limit)));
            let body = request.body_mut();
            body.model = Some("m".into());
            body.call.set_candidate(called);
            if let Some(own) = own {
                body.call.set_timeouts(all(own));
            }
            for _ in 0..5 {
                let error = failure(&service, request.clone()).await;
                assert_eq!(error.kind, FailureKind::Timeout(phase), "{what}");
                let health = if opens { Health::Unhealthy } else { Health::Neutral };
                assert_eq!(error.advice().health, health, "{what}");
                assert_eq!(error.is_personal(), !opens, "{what}");
            }
            let state = breaker.circuits().reports().remove(0).state;
            assert_eq!(matches!(state, CircuitState::Open { .. }), opens, "{what}: {state:?}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn without_a_limit_of_the_layers_each_own_one_is_shorter() {
    let unlimited = layer().idle_timeout(None);
    let stalls = Step::body([Beat::Frame(Stage::Content), Beat::Stall]);
    let service = unlimited.layer(FirstTokenLayer::new().layer(Leaf::new([stalls])));
    let mut request = streamed();
    request.body_mut().call.set_timeouts(all(secs(1_000)));
    let error = failure(&service, request).await;
    assert_eq!(error.kind, FailureKind::Timeout(Phase::Idle));
    assert!(error.marks.is_own_timeout());
}

/// Hasty calls that give up on the hedge do not take it from the others.
#[tokio::test(start_paused = true)]
async fn hasty_calls_take_no_hedge_from_the_others() {
    let late = Step::Answer(secs(9), vec![Beat::Frame(Stage::Content), Beat::Frame(Stage::Finish)]);
    let hangs = || (0..10).map(|_| Step::Hang);
    let leaf = Leaf::new([]).on("a", hangs().chain([late])).on("b", hangs());
    let probe = leaf.probe();
    let service = ServiceBuilder::new()
        .layer(FallbackLayer::new(chain(["a", "b"])).hedge(Hedge::after(millis(500)).ratio(1.0)))
        .layer(AttemptLayer::new())
        .layer(AttemptTimeoutLayer::new(secs(10)).last_candidate_grace(Duration::ZERO))
        .layer(FirstTokenLayer::new())
        .service(leaf);
    for _ in 0..10 {
        let mut hasty = streamed();
        hasty.body_mut().call.set_timeouts(all(secs(1)));
        let error = failure(&service, hasty).await;
        assert_eq!(error.kind, FailureKind::Timeout(Phase::FirstToken));
    }
    assert_eq!(probe.calls(), 20);
    let begun = Instant::now();
    ask(&service, streamed()).await.unwrap();
    assert_eq!(
        (probe.calls(), begun.elapsed()),
        (22, millis(500)),
        "{:?}",
        probe.models()
    );
}
