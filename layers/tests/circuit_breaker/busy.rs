//! What many calls at once tell, and when: failures come before first tokens.

use tokio::time::advance;
use tower_llm_layers::circuit_breaker::{CircuitPolicy, CircuitState};

use super::{Bench, along_a_chain, down};
use crate::support::{Beat, Leaf, Step, ask, chain, millis, secs, streamed};

/// Answers after half a second.
fn slow() -> Step {
    Step::Answer(
        millis(500),
        vec![
            Beat::Frame(tower_llm_layers::Stage::Content),
            Beat::Frame(tower_llm_layers::Stage::Finish),
        ],
    )
}

#[tokio::test(start_paused = true)]
async fn quick_failures_are_weighed_against_those_that_may_yet_succeed() {
    let steps = (0..8).map(|_| slow()).chain((0..6).map(|_| Step::fail(down())));
    let bench = Bench::new(CircuitPolicy::new(), Leaf::new(steps));
    let mut waiting = Vec::new();
    for _ in 0..8 {
        waiting.push(bench.begin().await);
    }
    bench.calls(6).await;
    assert_eq!(
        bench.report().state,
        CircuitState::Closed,
        "6 of 14, though 6 of 6 known"
    );
    for call in waiting {
        call.await.unwrap();
    }
    assert_eq!((bench.report().failed, bench.report().attempts), (6, 14));
    bench.probe.assert_quiet();
}

#[tokio::test(start_paused = true)]
async fn those_that_are_late_or_left_excuse_nothing() {
    // Late: one that began after them has succeeded.
    let hanging = || (0..8).map(|_| Step::Hang);
    let fails = || (0..6).map(|_| Step::fail(down()));
    let late = hanging().chain([Step::ok()]).chain(fails());
    let bench = Bench::new(CircuitPolicy::new(), Leaf::new(late));
    let mut waiting = Vec::new();
    for _ in 0..8 {
        waiting.push(bench.begin().await);
    }
    bench.calls(7).await;
    assert!(bench.is_open());
    // Left: no caller waits for them any more.
    let bench = Bench::new(CircuitPolicy::new(), Leaf::new(hanging().chain(fails())));
    for _ in 0..8 {
        drop(bench.begin().await);
    }
    bench.calls(6).await;
    assert!(bench.is_open());
}

#[tokio::test(start_paused = true)]
async fn when_one_is_back_the_others_of_its_upstream_are_probed_at_once() {
    let policy = CircuitPolicy::new().min_calls(1).probes(1, 1).return_over(secs(0));
    let leaf = Leaf::new([])
        .on("a", [Step::fail(down()), Step::fail(down())])
        .on("b", [Step::fail(down())]);
    let (service, layer, probe) = along_a_chain::over(["a", "b"], policy, leaf);
    along_a_chain::call(&service).await.unwrap_err();
    advance(secs(5)).await;
    // `a` is probed and fails: it waits twice as long. `b` is probed and answers.
    along_a_chain::call(&service).await.unwrap();
    assert_eq!(probe.models(), ["a", "b", "a", "b"]);
    along_a_chain::call(&service).await.unwrap();
    assert_eq!(probe.models().last().unwrap(), "a", "without a wait");
    assert!(along_a_chain::states(&layer).iter().all(|(_, open)| !open));
}

#[tokio::test(start_paused = true)]
async fn those_that_take_a_part_again_are_last_resorts_in_turn_and_may_be_hedges() {
    use tower::Layer;
    use tower_llm_layers::{
        attempt::AttemptLayer,
        circuit_breaker::CircuitBreakerLayer,
        fallback::{FallbackLayer, Hedge},
    };

    let policy = CircuitPolicy::new().probes(1, 1).return_over(secs(1000));
    // Both open; the probe and the first one after it go well.
    let steps = || {
        let fails = (0..5).map(|_| Step::fail(down()));
        fails.chain([Step::ok(), Step::ok()])
    };
    for (then_a, hedge) in [
        (Step::fail(down()), None),
        (Step::Hang, Some(Hedge::after(secs(1)).ratio(1.0))),
    ] {
        let leaf = Leaf::new([]).on("a", steps().chain([then_a])).on("b", steps());
        let probe = leaf.probe();
        let breaker = CircuitBreakerLayer::new(policy).unwrap();
        let service = FallbackLayer::new(chain(["a", "b"])).hedge(hedge);
        let service = service.layer(breaker.layer(AttemptLayer::new().layer(leaf)));
        for _ in 0..5 {
            ask(&service, streamed()).await.map(drop).unwrap_err();
        }
        advance(secs(5)).await;
        for name in ["a", "b", "a", "b"] {
            let mut request = streamed();
            request.body_mut().model = Some(name.into());
            ask(&service, request).await.map(drop).unwrap();
        }
        let before = probe.calls();
        ask(&service, streamed()).await.map(drop).unwrap();
        assert_eq!(probe.models().get(before..).unwrap(), ["a", "b"]);
        probe.assert_quiet();
    }
}
