//! Another candidate answers: nothing waits, and the paused one is left alone.

use std::time::Duration;

use tokio::time::advance;
use tower_llm_layers::{FailureKind, FailureScope, Outcome};

use super::{Bench, limited};
use crate::support::{Leaf, Step, ask, fails, poll_once, secs, streamed, within};

#[tokio::test(start_paused = true)]
async fn a_paused_candidate_is_not_called_and_no_call_waits() {
    let leaf = Leaf::new([]).always("a", Step::fail(limited().hint(secs(40))));
    let bench = Bench::new(["a", "b"], leaf);
    for second in 0..41 {
        let (result, took) = within(bench.call()).await;
        result.unwrap();
        assert_eq!(took, Duration::ZERO);
        assert_eq!(
            bench.calls_of("a"),
            if second < 40 { 1 } else { 2 },
            "in second {second}"
        );
        advance(secs(1)).await;
    }
}

#[tokio::test(start_paused = true)]
async fn the_log_says_when_it_is_called_again() {
    let leaf = Leaf::new([]).on("a", [Step::fail(limited().hint(secs(40)))]);
    let bench = Bench::new(["a", "b"], leaf);
    bench.call().await.unwrap();
    let response = ask(&bench.service, streamed()).await.unwrap();
    let log = response.extensions().get::<tower_llm_layers::AttemptLog>().unwrap();
    let lines = log.attempts();
    assert_eq!(lines[0].outcome, Outcome::Skipped);
    assert_eq!(
        lines[0].summary.as_deref(),
        Some("a at router is paused by a rate limit of the upstream: next attempt in 40 s")
    );
}

#[tokio::test(start_paused = true)]
async fn a_hint_of_a_day_is_probed_once_a_minute() {
    let leaf = Leaf::new([]).on(
        "a",
        [
            Step::fail(limited().hint(secs(86_400))),
            Step::fail(limited().hint(secs(86_400))),
        ],
    );
    let bench = Bench::new(["a", "b"], leaf);
    for _ in 0..119 {
        bench.call().await.unwrap();
        advance(secs(1)).await;
    }
    assert_eq!(bench.calls_of("a"), 2, "at first, and after a minute");
    advance(secs(2)).await;
    for _ in 0..5 {
        bench.call().await.unwrap();
    }
    assert_eq!(bench.calls_of("a"), 7, "the second probe went well");
    assert!(bench.layer.pauses().reports().is_empty());
}

#[tokio::test(start_paused = true)]
async fn the_third_without_a_hint_pauses_for_a_second_then_twice_as_long() {
    let leaf = Leaf::new([]).always("a", Step::fail(limited()));
    let bench = Bench::new(["a", "b"], leaf);
    let mut called = Vec::new();
    let mut before = 0;
    for tenth in 0..2_600_u32 {
        bench.call().await.unwrap();
        if bench.calls_of("a") > before {
            before = bench.calls_of("a");
            called.push(tenth);
        }
        advance(Duration::from_millis(100)).await;
    }
    let gaps: Vec<_> = called.windows(2).map(|pair| pair[1] - pair[0]).collect();
    assert_eq!(gaps, [1, 1, 10, 20, 40, 80, 160, 320, 600, 600, 600]);
}

#[tokio::test(start_paused = true)]
async fn a_success_between_begins_the_row_again() {
    let steps = (0..9).map(|number| {
        if number % 3 == 2 {
            Step::ok()
        } else {
            Step::fail(limited())
        }
    });
    let bench = Bench::new(["a", "b"], Leaf::new([]).on("a", steps));
    for _ in 0..9 {
        bench.call().await.unwrap();
    }
    assert_eq!(bench.calls_of("a"), 9);
}

/// A hundred calls that were under way together are one pause, not a minute.
#[tokio::test(start_paused = true)]
async fn failures_at_once_do_not_escalate() {
    let late = Step::Fail(secs(1), limited());
    let bench = Bench::new(["a", "b"], Leaf::new([]).always("a", late));
    crate::support::join_all((0..100).map(|_| bench.call())).await;
    let reports = bench.layer.pauses().reports();
    assert_eq!(reports.len(), 1);
    assert_eq!(reports[0].ends_in, secs(1));
}

#[tokio::test(start_paused = true)]
async fn an_exhausted_quota_reaches_its_pool_and_is_probed_once_an_hour() {
    let gone = fails(FailureKind::QuotaExhausted)
        .says(429, "free models: 50 a day")
        .scope(FailureScope::Pool)
        .hint(secs(10 * 3_600));
    let leaf = Leaf::new([])
        .always("a:free", Step::fail(gone.clone()))
        .always("b:free", Step::fail(gone));
    let bench = Bench::new(["a:free", "b:free", "c"], leaf);
    for _ in 0..3 * 60 {
        bench.call().await.unwrap();
        advance(secs(60)).await;
    }
    assert_eq!((bench.calls_of("a:free"), bench.calls_of("b:free")), (3, 0));
}

#[tokio::test(start_paused = true)]
async fn a_probe_that_is_dropped_leaves_the_next_call_to_be_the_probe() {
    let leaf = Leaf::new([]).on("a", [Step::fail(limited().hint(secs(3_600))), Step::Hang]);
    let bench = Bench::new(["a", "b"], leaf);
    bench.call().await.unwrap();
    advance(secs(60)).await;
    let mut probe = Box::pin(bench.call());
    assert!(poll_once(probe.as_mut()).is_pending());
    bench.call().await.unwrap();
    assert_eq!(bench.calls_of("a"), 2, "one probe at a time");
    drop(probe);
    bench.call().await.unwrap();
    assert_eq!(bench.calls_of("a"), 3);
    assert!(bench.layer.pauses().reports().is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_probe_that_is_never_polled_again_holds_its_place_for_a_minute() {
    let leaf = Leaf::new([]).on("a", [Step::fail(limited().hint(secs(3_600))), Step::Hang]);
    let bench = Bench::new(["a", "b"], leaf);
    bench.call().await.unwrap();
    advance(secs(60)).await;
    let mut forgotten = Box::pin(bench.call());
    assert!(poll_once(forgotten.as_mut()).is_pending());
    advance(secs(60)).await;
    bench.call().await.unwrap();
    assert_eq!(bench.calls_of("a"), 3);
    drop(forgotten);
    assert!(bench.layer.pauses().reports().is_empty());
}

/// If all are paused, the one that is called again first is waited for, or reported.
#[tokio::test(start_paused = true)]
async fn of_several_paused_the_soonest_is_waited_for() {
    let leaf = Leaf::new([])
        .on("a", [Step::fail(limited().hint(secs(30)))])
        .on("b", [Step::fail(limited().hint(secs(5)))])
        .on("c", [Step::fail(limited().hint(secs(40)))]);
    let bench = Bench::new(["a", "b", "c"], leaf);
    bench.call().await.unwrap_err();
    let (result, took) = within(bench.call()).await;
    result.unwrap();
    assert!(took >= secs(5) && took < secs(6), "{took:?}");
    assert_eq!(
        (bench.calls_of("a"), bench.calls_of("b"), bench.calls_of("c")),
        (1, 2, 1)
    );
}

#[tokio::test(start_paused = true)]
async fn of_several_that_are_paused_for_too_long_the_soonest_is_reported() {
    let leaf = Leaf::new([])
        .on("a", [Step::fail(limited().hint(secs(50)))])
        .on("b", [Step::fail(limited().hint(secs(30)))])
        .on("c", [Step::fail(limited().hint(secs(40)))]);
    let bench = Bench::new(["a", "b", "c"], leaf);
    bench.call().await.unwrap_err();
    let (result, took) = within(bench.call()).await;
    let error = result.unwrap_err();
    assert_eq!(
        (error.kind, error.hint, took),
        (FailureKind::RateLimited, Some(secs(30)), Duration::ZERO)
    );
    assert_eq!(bench.probe.calls(), 3);
}

/// What another candidate failed with says more than that this one was not called.
#[tokio::test(start_paused = true)]
async fn a_failure_is_reported_before_a_pause() {
    let leaf = Leaf::new([])
        .on("a", [Step::fail(limited().hint(secs(50)))])
        .always("b", Step::fail(fails(FailureKind::Overloaded).says(503, "busy")));
    let bench = Bench::new(["a", "b"], leaf);
    for _ in 0..2 {
        assert_eq!(bench.call().await.unwrap_err().kind, FailureKind::Overloaded);
    }
    assert_eq!(bench.calls_of("a"), 1);
}
