//! Circuits under a chain of candidates.

use tokio::time::advance;
use tower::{Layer, Service};
use tower_llm_layers::{
    FailureKind, LayerError,
    attempt::AttemptLayer,
    circuit_breaker::{CircuitBreakerLayer, CircuitPolicy, CircuitState},
    fallback::FallbackLayer,
    retry::RetryLayer,
};

use super::down;
use crate::support::{Leaf, Probe, ScriptBody, Step, TestError, TestRequest, ask, chain, fails, secs, streamed, text};

pub(super) type Boxed = tower::util::BoxCloneService<http::Request<TestRequest>, http::Response<()>, TestError>;

/// Fallback and retry over circuits.
pub(super) fn over<const N: usize>(
    names: [&str; N],
    policy: CircuitPolicy,
    leaf: Leaf,
) -> (Boxed, CircuitBreakerLayer, Probe) {
    let breaker = CircuitBreakerLayer::new(policy).unwrap();
    let probe = leaf.probe();
    let service = breaker.layer(AttemptLayer::new().layer(leaf));
    let service = FallbackLayer::new(chain(names)).layer(RetryLayer::new().max_attempts(2).layer(service));
    let service = tower::ServiceBuilder::new()
        .map_response(|response: http::Response<_>| {
            let (parts, body) = response.into_parts();
            drop::<
                tower_llm_layers::circuit_breaker::CircuitBreakerBody<
                    tower_llm_layers::attempt::AttemptBody<ScriptBody>,
                >,
            >(body);
            http::Response::from_parts(parts, ())
        })
        .service(service);
    (Boxed::new(service), breaker, probe)
}

pub(super) async fn call(service: &Boxed) -> Result<http::Response<()>, TestError> {
    let mut service = service.clone();
    std::future::poll_fn(|cx| service.poll_ready(cx)).await?;
    service.call(streamed()).await
}

pub(super) fn states(layer: &CircuitBreakerLayer) -> Vec<(String, bool)> {
    let mut states: Vec<_> = layer
        .circuits()
        .reports()
        .into_iter()
        .map(|report| {
            let open = matches!(report.state, CircuitState::Open { .. });
            (report.candidate.model().to_owned(), open)
        })
        .collect();
    states.sort();
    states
}

#[tokio::test(start_paused = true)]
async fn an_open_one_is_passed_over_at_once_and_the_log_says_so() {
    let (service, layer, probe) = over(
        ["a", "b"],
        CircuitPolicy::new(),
        Leaf::new([]).always("a", Step::fail(down())),
    );
    for _ in 0..3 {
        call(&service).await.unwrap();
    }
    assert_eq!(states(&layer), [("a".to_owned(), true), ("b".to_owned(), false)]);
    let (begun, sent) = (tokio::time::Instant::now(), probe.calls());
    let response = call(&service).await.unwrap();
    assert_eq!((begun.elapsed(), probe.calls() - sent), (secs(0), 1));
    let log = text(&response);
    assert!(
        log.contains("passed over: a at router is down, its circuit is open: next probe in"),
        "{log}"
    );
    assert!(log.contains("  1  b"), "{log}");
}

#[tokio::test(start_paused = true)]
async fn an_outage_of_all_is_one_attempt_a_call_and_the_first_answers_end_it() {
    let leaf = Leaf::new([])
        .on("a", (0..60).map(|_| Step::fail(down())))
        .always("b", Step::fail(down()));
    let (service, layer, probe) = over(["a", "b"], CircuitPolicy::new(), leaf);
    while !states(&layer).iter().all(|(_, open)| *open) || states(&layer).len() < 2 {
        let _ended = call(&service).await;
    }
    let sent = probe.calls();
    for _ in 0..20 {
        let error = call(&service).await.unwrap_err();
        assert_eq!(error.kind, FailureKind::Overloaded, "the truth, not a refusal");
    }
    assert_eq!(probe.calls() - sent, 20);
    // `a` is back once its failures are used up; it opened first, so it is the least bad one.
    let mut answered = 0;
    for _ in 0..100 {
        answered += usize::from(call(&service).await.is_ok());
    }
    assert!(answered > 50, "{answered}");
    assert!(!states(&layer)[0].1);
}

#[tokio::test(start_paused = true)]
async fn last_resorts_are_bounded_and_may_be_turned_off() {
    for (policy, asked) in [
        (CircuitPolicy::new().last_resorts(10), 10),
        (CircuitPolicy::new().last_resorts(3), 3),
        (CircuitPolicy::new().last_resorts(0), 0),
    ] {
        for names in [["a", "b"].as_slice(), &["a"]] {
            let leaf = Leaf::new(
                (0..5 * names.len())
                    .map(|_| Step::fail(down()))
                    .chain((0..99).map(|_| Step::Hang)),
            );
            let breaker = CircuitBreakerLayer::new(policy).unwrap();
            let probe = leaf.probe();
            let chain =
                tower_llm_layers::fallback::Chain::new(names.iter().map(|name| crate::support::candidate(name)));
            let service = FallbackLayer::new(chain.unwrap()).layer(breaker.layer(AttemptLayer::new().layer(leaf)));
            for _ in 0..5 {
                ask(&service, streamed()).await.map(drop).unwrap_err();
            }
            let sent = probe.calls();
            let mut hanging = Vec::new();
            for _ in 0..20 {
                let service = service.clone();
                let mut call = Box::pin(async move { ask(&service, streamed()).await.map(drop) });
                if let std::task::Poll::Ready(result) = crate::support::poll_once(call.as_mut()) {
                    let refusal = result.unwrap_err().layer;
                    assert!(matches!(refusal, Some(LayerError::CircuitOpen { .. })));
                }
                hanging.push(call);
            }
            assert_eq!(probe.calls() - sent, asked, "{names:?}");
            drop(hanging);
            probe.assert_quiet();
        }
    }
}

#[tokio::test(start_paused = true)]
async fn one_that_opens_while_it_is_retried_is_left_for_the_next_with_its_own_failure() {
    let policy = CircuitPolicy::new().min_calls(1);
    let (service, _, probe) = over(["a", "b"], policy, Leaf::new([]).always("a", Step::fail(down())));
    let response = call(&service).await.unwrap();
    assert_eq!(probe.models(), ["a", "b"], "no retry, and no wait for one");
    assert!(text(&response).contains("overloaded"), "{}", text(&response));
}

#[tokio::test(start_paused = true)]
async fn a_closed_circuit_is_tried_before_a_last_resort_and_a_bad_request_ends_all() {
    let policy = CircuitPolicy::new().min_calls(1);
    let leaf = Leaf::new([]).on("a", [Step::fail(down())]).on(
        "b",
        [
            Step::ok(),
            Step::fail(down()),
            Step::fail(fails(FailureKind::BadRequest)),
        ],
    );
    let (service, _, probe) = over(["a", "b"], policy.open_for(secs(60), secs(60)), leaf);
    call(&service).await.unwrap();
    // `b` fails as well, so `a` is tried although its circuit is open: it has recovered.
    call(&service).await.unwrap();
    assert_eq!(probe.models(), ["a", "b", "b", "a"]);
    advance(secs(120)).await;
    let (sent, error) = (probe.calls(), call(&service).await);
    assert!(error.is_ok() || probe.calls() - sent == 1, "{:?}", probe.models());
}
