//! How an open circuit closes again.

use std::time::Duration;

use tokio::time::{Instant, advance};
use tower_llm_layers::{
    FailureKind, Stage,
    circuit_breaker::{CircuitPolicy, CircuitState},
};

use super::{Bench, down, refused};
use crate::support::{Beat, Leaf, Step, fails, log, secs};

/// Opens after five failures, then meets these steps.
async fn opened(policy: CircuitPolicy, then: impl IntoIterator<Item = Step>) -> Bench {
    let failures = (0..5).map(|_| Step::fail(down()));
    let bench = Bench::new(policy, Leaf::new(failures.chain(then)));
    bench.calls(5).await;
    assert!(bench.is_open());
    bench
}

#[tokio::test(start_paused = true)]
async fn probes_go_one_at_a_time_and_close_it() {
    log::listen();
    let bench = opened(CircuitPolicy::new(), [Step::Hang]).await;
    advance(secs(5)).await;
    let probe = bench.begin().await;
    assert_eq!(bench.report().state, CircuitState::HalfOpen);
    let second = bench.call().await;
    assert!(refused(&second));
    assert_eq!(
        second.unwrap_err().summary,
        "m at upstream is down, its circuit is open: next probe in 5 s"
    );
    drop(probe);
    bench.call().await.unwrap();
    assert_eq!(bench.report().state, CircuitState::HalfOpen, "one is not enough");
    bench.call().await.unwrap();
    assert_eq!(bench.report().state, CircuitState::Returning);
    advance(secs(10)).await;
    assert_eq!(bench.report().state, CircuitState::Closed);
    assert_eq!(bench.probe.calls(), 8);
    assert!(log::messages().contains(&"circuit half-open".to_owned()));
    assert!(log::messages().contains(&"circuit closed".to_owned()));
    bench.probe.assert_quiet();
}

#[tokio::test(start_paused = true)]
async fn as_many_probes_as_the_policy_says() {
    let bench = opened(CircuitPolicy::new().probes(3, 1), [Step::Hang, Step::Hang, Step::Hang]).await;
    advance(secs(5)).await;
    let hanging = [bench.begin().await, bench.begin().await, bench.begin().await];
    assert!(refused(&bench.call().await));
    drop(hanging);
    bench.call().await.unwrap();
    assert_eq!(bench.report().state, CircuitState::Returning, "one is enough");
}

#[tokio::test(start_paused = true)]
async fn each_failed_probe_doubles_the_wait() {
    let bench = Bench::new(CircuitPolicy::new(), Leaf::new([]).always("m", Step::fail(down())));
    let begun = Instant::now();
    let mut times = Vec::new();
    while begun.elapsed() < secs(90) {
        let before = bench.probe.calls();
        bench.calls(1).await;
        if bench.probe.calls() > before && before >= 5 {
            times.push(begun.elapsed().as_secs());
        }
        advance(secs(1)).await;
    }
    // Five, then ten, then twenty seconds after the fifth failure.
    assert_eq!(times, [9, 19, 39, 59, 79]);
    let constant = CircuitPolicy::new().open_for(secs(2), secs(2));
    let bench = Bench::new(constant, Leaf::new([]).always("m", Step::fail(down())));
    bench.calls(5).await;
    for _ in 0..10 {
        advance(secs(2)).await;
        bench.calls(3).await;
    }
    assert_eq!(bench.probe.calls(), 15);
}

#[tokio::test(start_paused = true)]
async fn a_probe_that_says_nothing_gives_its_place_back() {
    let steps = [
        Step::fail(fails(FailureKind::BadRequest)),
        Step::fail(fails(FailureKind::RateLimited)),
    ];
    let bench = opened(CircuitPolicy::new(), steps).await;
    advance(secs(5)).await;
    for _ in 0..2 {
        assert!(!refused(&bench.call().await));
        assert_eq!(bench.report().state, CircuitState::HalfOpen);
    }
    bench.calls(2).await;
    assert_eq!(bench.report().state, CircuitState::Returning);
}

/// Of so many calls each second, how many passed in each of so many seconds.
async fn passed(bench: &Bench, seconds: usize) -> Vec<usize> {
    let mut passed = Vec::new();
    for _ in 0..seconds {
        let before = bench.probe.calls();
        bench.calls(100).await;
        passed.push(bench.probe.calls() - before);
        advance(secs(1)).await;
    }
    passed
}

#[tokio::test(start_paused = true)]
async fn traffic_returns_in_a_straight_line() {
    let bench = opened(CircuitPolicy::new(), []).await;
    advance(secs(5)).await;
    bench.calls(2).await;
    let returned = passed(&bench, 11).await;
    let line = [10, 10, 20, 30, 40, 50, 60, 70, 80, 90, 100];
    assert!(
        returned
            .iter()
            .zip(line)
            .all(|(passed, wanted)| passed.abs_diff(wanted) <= 2),
        "{returned:?}"
    );
    let at_once = opened(CircuitPolicy::new().return_over(secs(0)), []).await;
    advance(secs(5)).await;
    at_once.calls(2).await;
    assert_eq!(passed(&at_once, 1).await, [100]);
}

#[tokio::test(start_paused = true)]
async fn one_that_fails_on_its_return_opens_for_longer() {
    let good = [Step::ok(), Step::ok()];
    let bad = (0..50).map(|_| Step::fail(down()));
    let bench = opened(CircuitPolicy::new(), good.into_iter().chain(bad)).await;
    advance(secs(5)).await;
    bench.calls(100).await;
    assert_eq!(
        bench.report().state,
        CircuitState::Open { probes_in: secs(5) },
        "no probe has failed"
    );
    advance(secs(5)).await;
    bench.calls(1).await;
    assert_eq!(bench.report().state, CircuitState::Open { probes_in: secs(10) });
}

#[tokio::test(start_paused = true)]
async fn what_began_before_it_opened_does_not_count() {
    let bench = Bench::new(CircuitPolicy::new(), {
        let slow = (0..5).map(|_| Step::Fail(secs(1), down()));
        let late = (0..2).map(|_| Step::Answer(secs(7), Vec::new()));
        Leaf::new(slow.chain(late).chain([Step::Hang]))
    });
    let mut early = Vec::new();
    for _ in 0..7 {
        early.push(bench.begin().await);
    }
    for call in early.drain(..5) {
        call.await.unwrap_err();
    }
    assert!(bench.is_open());
    advance(secs(5)).await;
    let probe = bench.begin().await;
    for call in early {
        call.await.unwrap();
    }
    assert_eq!(bench.report().state, CircuitState::HalfOpen, "only the probe is sent");
    drop(probe);
}

#[tokio::test(start_paused = true)]
async fn a_probe_whose_answer_is_interrupted_fails() {
    let broken = Step::body([Beat::Frame(Stage::Content), Beat::Fail(fails(FailureKind::Truncated))]);
    let bench = opened(CircuitPolicy::new(), vec![broken; 2]).await;
    advance(secs(6)).await;
    bench.calls(1).await;
    // And the next wait is the longer one.
    assert_eq!(bench.report().state, CircuitState::Open { probes_in: secs(10) });
    bench.calls(1).await;
    assert_eq!(bench.probe.calls(), 6, "it was not sent");
}

#[tokio::test(start_paused = true)]
async fn it_may_be_open_without_end() {
    let policy = CircuitPolicy::new().open_for(Duration::MAX, Duration::MAX);
    let bench = opened(policy, [Step::ok()]).await;
    advance(secs(24 * 60 * 60)).await;
    assert!(bench.is_open());
}

/// A caller keeps the probe's future and never polls it again.
#[tokio::test(start_paused = true)]
async fn a_probe_that_is_never_polled_again_does_not_keep_the_circuit_half_open() {
    let bench = opened(CircuitPolicy::new(), [Step::Hang, Step::Hang]).await;
    advance(secs(5)).await;
    let forgotten = bench.begin().await;
    let error = bench.call().await.unwrap_err();
    assert_eq!(
        error.hint,
        Some(secs(5)),
        "the lease ends as the circuit would have opened again"
    );
    advance(secs(5)).await;
    let also_forgotten = bench.begin().await;
    assert!(refused(&bench.call().await), "one probe for each lease");
    advance(secs(5)).await;
    bench.calls(2).await;
    assert_eq!(bench.report().state, CircuitState::Returning);
    // Too late to count.
    drop((forgotten, also_forgotten));
    assert_eq!(bench.report().state, CircuitState::Returning);
}
