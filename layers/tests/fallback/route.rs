//! The candidate at which a call starts, and how far it may go.

use tower::{Layer, Service, ServiceBuilder, ServiceExt, limit::ConcurrencyLimitLayer};
use tower_llm_layers::{
    Candidate, CandidateError, FailureKind, LayerError, LlmRequest,
    adaptive_concurrency::{AdaptiveConcurrencyLayer, ConcurrencyPolicy},
    attempt::AttemptLayer,
    circuit_breaker::{CircuitBreakerLayer, CircuitPolicy},
    fallback::{Chain, ChainError, FallbackLayer, RequestedModel},
    pause::PauseLayer,
};

use super::{asking, run};
use crate::support::{Leaf, Step, ask, chain, fails, poll_once, secs, streamed};

#[tokio::test(start_paused = true)]
async fn the_model_asked_for_goes_first_and_once() {
    let both = chain(["a", "b"]);
    assert_eq!(asking(both.clone(), Some("x")).await.unwrap(), ["x", "a"]);
    assert_eq!(asking(both.clone(), Some("b")).await.unwrap(), ["b", "a"]);
    assert_eq!(asking(both.clone(), None).await.unwrap(), ["a", "b"]);
    let ignored = both.requested_model(RequestedModel::Ignored);
    assert_eq!(asking(ignored, Some("x")).await.unwrap(), ["a", "b"]);
}

#[tokio::test(start_paused = true)]
async fn without_a_chain_the_request_must_name_a_model() {
    let asked = Chain::asked("router".into());
    assert_eq!(asked.to_string(), "the request's own model at router");
    let leaf = Leaf::new([]);
    let probe = leaf.probe();
    let service = FallbackLayer::new(asked).layer(leaf);
    let error = ask(&service, streamed()).await.unwrap_err();
    assert_eq!(error.layer, Some(LayerError::NoCandidate { reasons: vec![] }));
    assert_eq!(error.kind, FailureKind::BadRequest);
    let mut request = streamed();
    request.body_mut().set_model("x");
    ask(&service, request).await.unwrap();
    assert_eq!(probe.seen()[0].upstream.as_deref(), Some("router"));
    assert_eq!(Chain::new([]).unwrap_err(), ChainError::Empty);
    let twice = Candidate::new("a", "m").unwrap();
    let other = Candidate::new("b", "m").unwrap();
    assert!(Chain::new([twice.clone(), other.clone()]).is_ok());
    let error = Chain::new([twice.clone(), other, twice.clone()]).unwrap_err();
    assert_eq!(error, ChainError::Twice { candidate: twice });
}

/// Nor by a layer that stands without a chain.
#[tokio::test(start_paused = true)]
async fn a_model_that_is_no_name_is_refused_and_kept_by_no_layer() {
    let leaf = Leaf::new(std::iter::repeat_n(
        Step::fail(fails(FailureKind::RateLimited).hint(secs(30))),
        10_000,
    ));
    let probe = leaf.probe();
    let circuits = CircuitBreakerLayer::new(CircuitPolicy::new().min_calls(1)).unwrap();
    let (pauses, places) = (
        PauseLayer::new(),
        AdaptiveConcurrencyLayer::new(ConcurrencyPolicy::new()).unwrap(),
    );
    let within = ServiceBuilder::new()
        .layer(circuits.clone())
        .layer(pauses.clone())
        .layer(places.clone())
        .layer(AttemptLayer::new())
        .service(leaf);
    let named = |model: String| {
        let mut request = streamed();
        request.body_mut().model = Some(model);
        request
    };
    for chain in [Chain::asked("router".into()), chain(["a", "b"])] {
        let service = FallbackLayer::new(chain).layer(within.clone());
        for number in 0..1_000 {
            let (model, problem) = if number % 2 == 0 {
                let long = format!("{number}{}", "m".repeat(256 * 1024));
                (long, CandidateError::NameTooLong { field: "model" })
            } else {
                (
                    format!("m\u{7f}{number}"),
                    CandidateError::ControlCharacter { field: "model" },
                )
            };
            let error = ask(&service, named(model.clone())).await.err().unwrap();
            assert_eq!(error.layer, Some(LayerError::BadModel { problem }));
            assert_eq!(error.kind, FailureKind::BadRequest);
            assert!(
                error.summary.contains("`model`") && error.summary.len() < 300,
                "{}",
                error.summary
            );
            assert_eq!(probe.calls(), 0, "nothing was sent");
        }
    }
    for number in 0..2_000 {
        let long = format!("{number}{}", "m".repeat(256 * 1024));
        assert!(ask(&within, named(long)).await.is_err());
    }
    assert_eq!(probe.calls(), 2_000, "without a chain the inner service decides");
    let kept = (
        circuits.circuits().reports().len(),
        pauses.pauses().reports().len(),
        places.limits().reports().len(),
    );
    assert_eq!(kept, (0, 0, 0), "circuits, pauses and queues");
    // A name of its own is kept by each.
    assert!(ask(&within, named("x".into())).await.is_err());
    assert_eq!(pauses.pauses().reports().len(), 1);
    assert_eq!(circuits.circuits().reports().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn the_router_may_try_the_next_ones_by_itself() {
    let names = ["a", "b", "direct/x", "c", "d"];
    let (_, probe) = run(chain(names), fails(FailureKind::Upstream)).await;
    assert!(probe.seen()[0].alternatives.is_empty(), "off by default");
    let along = chain(names).server_side(3);
    let (_, probe) = run(along.clone(), fails(FailureKind::Upstream)).await;
    // It answered for a, b and c: the next is none of them.
    assert_eq!(probe.models(), ["a", "x"]);
    assert_eq!(probe.seen()[0].alternatives, ["b", "c"]);
    assert!(probe.seen()[1].alternatives.is_empty());
    let (_, probe) = run(chain(names).server_side(2), fails(FailureKind::Upstream)).await;
    assert_eq!(probe.seen()[0].alternatives, ["b"], "no more than the upstream accepts");
    // If it was not reached, no candidate was tried.
    let (_, probe) = run(along, fails(FailureKind::Connect)).await;
    assert_eq!(probe.models(), ["a", "b"]);
    assert_eq!(probe.seen()[1].alternatives, ["c", "d"]);
}

#[tokio::test(start_paused = true)]
async fn the_cap_of_the_call_ends_the_chain() {
    let down = Step::fail(fails(FailureKind::Upstream));
    let leaf = Leaf::new([down.clone(), down.clone(), down]);
    let probe = leaf.probe();
    let attempts = AttemptLayer::new().cap(2).layer(leaf);
    let service = FallbackLayer::new(chain(["a", "b", "c"])).layer(attempts);
    let error = ask(&service, streamed()).await.unwrap_err();
    assert_eq!((error.kind, probe.calls()), (FailureKind::Upstream, 2));
    let note = error.log().attempts()[1].note.clone();
    assert_eq!(note.as_deref(), Some("the attempts of this call are used up"));
    let last: Vec<_> = probe.seen().iter().map(|seen| seen.is_last).collect();
    assert_eq!(last, [false, true], "the last attempt has its grace");
}

#[tokio::test(start_paused = true)]
async fn waits_for_readiness_and_passes_its_failure_on() {
    let down = Step::fail(fails(FailureKind::Upstream));
    let leaf = Leaf::new([down.clone()]).ready_after(secs(3));
    let probe = leaf.probe();
    let service = FallbackLayer::new(chain(["a", "b"])).layer(leaf);
    ask(&service, streamed()).await.unwrap();
    assert_eq!(probe.times(), [3000, 6000]);
    let leaf = Leaf::new([down]).unready(fails(FailureKind::Internal));
    let service = FallbackLayer::new(chain(["a", "b"])).layer(leaf);
    let error = ask(&service, streamed()).await.unwrap_err();
    assert_eq!((error.kind, error.marks.is_exhausted()), (FailureKind::Internal, true));
}

#[tokio::test(start_paused = true)]
async fn dropped_in_each_state_leaves_nothing() {
    for (first, calls) in [(Step::Hang, 1), (Step::fail(fails(FailureKind::Upstream)), 1)] {
        let leaf = Leaf::new([first]).ready_after(secs(5));
        let probe = leaf.probe();
        let limited = ConcurrencyLimitLayer::new(1).layer(leaf);
        let mut service = FallbackLayer::new(chain(["a", "b"])).layer(limited);
        let mut future = Box::pin(service.ready().await.unwrap().call(streamed()));
        assert!(poll_once(future.as_mut()).is_pending());
        assert!(format!("{future:?}").contains("at router"));
        drop(future);
        assert_eq!(probe.calls(), calls);
        probe.assert_quiet();
        ask(&service, streamed()).await.unwrap();
    }
}

#[test]
fn a_chain_prints_as_it_is_walked() {
    let chain = chain(["a", "direct/b"]);
    assert_eq!(
        chain.to_string(),
        "the request's own model at router, then a at router, then b at direct"
    );
    let chain = chain.requested_model(RequestedModel::Ignored);
    assert_eq!(chain.to_string(), "a at router, then b at direct");
}
