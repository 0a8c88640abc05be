//! What opens a circuit, and what never does.

use tokio::time::advance;
use tower::Layer;
use tower_llm_layers::{
    FailureKind, GlobalKey, Health, Phase, Stage,
    attempt::AttemptLayer,
    circuit_breaker::{CircuitBreakerLayer, CircuitPolicy, CircuitState, Circuits, MAX_CIRCUITS},
    deadline::DeadlineLayer,
    rate_limit::{Limits, RateLimitLayer},
    timeout::AttemptTimeoutLayer,
};

use super::{Bench, down, refused};
use crate::support::{Beat, Leaf, Step, ask, fails, log, millis, secs, streamed};

fn steps(good: usize, bad: usize) -> Vec<Step> {
    let good = (0..good).map(|_| Step::ok());
    good.chain((0..bad).map(|_| Step::fail(down()))).collect()
}

#[tokio::test(start_paused = true)]
async fn it_opens_at_its_share_of_its_last_attempts_and_no_sooner() {
    // Six of ten are good, then the fifth failure is half of eleven.
    for (good, bad, open) in [(5, 4, false), (5, 5, true), (0, 4, false), (0, 5, true)] {
        let bench = Bench::new(CircuitPolicy::new(), Leaf::new(steps(good, bad)));
        bench.calls(good + bad).await;
        assert_eq!(bench.is_open(), open, "{good} good, {bad} bad");
    }
    let strict = CircuitPolicy::new().error_ratio(0.1).min_calls(10);
    let bench = Bench::new(strict, Leaf::new(steps(9, 1)));
    bench.calls(10).await;
    assert!(bench.is_open(), "one of ten");
    let bench = Bench::new(CircuitPolicy::new().min_calls(10), Leaf::new(steps(0, 10)));
    bench.calls(9).await;
    assert!(!bench.is_open(), "too few to say");
    bench.calls(1).await;
    assert!(bench.is_open());
}

#[tokio::test(start_paused = true)]
async fn what_is_old_counts_no_more() {
    let minute = CircuitPolicy::new().window(100, secs(60));
    for (policy, open) in [(CircuitPolicy::new(), false), (minute, true)] {
        let bench = Bench::new(policy, Leaf::new(steps(0, 9)));
        bench.calls(4).await;
        advance(secs(31)).await;
        bench.calls(1).await;
        assert_eq!(bench.is_open(), open);
    }
    let few = CircuitPolicy::new().window(5, secs(30));
    for (policy, open) in [(CircuitPolicy::new(), false), (few, true)] {
        let bench = Bench::new(policy, Leaf::new(steps(90, 3)));
        bench.calls(93).await;
        assert_eq!(bench.is_open(), open, "three of the last five");
    }
}

#[tokio::test(start_paused = true)]
async fn an_open_one_refuses_at_once_and_says_until_when() {
    log::listen();
    let bench = Bench::new(CircuitPolicy::new(), Leaf::new(steps(0, 5)));
    let mut last = Ok(());
    for _ in 0..5 {
        last = bench.call().await;
    }
    assert!(last.unwrap_err().marks.is_exhausted(), "a retry would be refused");
    advance(secs(2)).await;
    let result = bench.call().await;
    assert!(refused(&result));
    let error = result.unwrap_err();
    assert_eq!((error.kind, error.hint), (FailureKind::CircuitOpen, Some(secs(3))));
    assert_eq!(
        error.summary,
        "m at upstream is down, its circuit is open: next probe in 3 s"
    );
    assert_eq!(bench.probe.calls(), 5, "it was not sent");
    let report = bench.report();
    assert_eq!(report.state, CircuitState::Open { probes_in: secs(3) });
    assert_eq!((report.attempts, report.failed), (5, 5), "by which it opened");
    let said = log::one("circuit opened");
    assert_eq!((said["model"].as_str(), said["failed"].as_str()), ("m", "5 u64"));
    bench.probe.assert_quiet();
}

#[tokio::test(start_paused = true)]
async fn only_what_hurts_counts() {
    let kinds = [
        FailureKind::RateLimited,
        FailureKind::QuotaExhausted,
        FailureKind::NoEndpoint,
        FailureKind::ContextLengthExceeded,
        FailureKind::ContentFiltered,
        FailureKind::InsufficientFunds,
        FailureKind::Auth,
        FailureKind::BadRequest,
        FailureKind::Cancelled,
        FailureKind::Internal,
        FailureKind::Timeout(Phase::Deadline),
        FailureKind::CircuitOpen,
    ];
    for kind in kinds {
        let bench = Bench::new(CircuitPolicy::new(), Leaf::new([]).always("m", Step::fail(fails(kind))));
        bench.calls(100).await;
        assert_eq!((bench.probe.calls(), bench.report().attempts), (100, 0), "{kind}");
    }
    for kind in [
        FailureKind::Connect,
        FailureKind::Reset,
        FailureKind::Overloaded,
        FailureKind::Upstream,
        FailureKind::EmptyResponse,
        FailureKind::Malformed,
        FailureKind::Timeout(Phase::FirstToken),
        FailureKind::Timeout(Phase::Response),
    ] {
        assert_eq!(kind.advice().health, Health::Unhealthy);
        let bench = Bench::new(CircuitPolicy::new(), Leaf::new([]).always("m", Step::fail(fails(kind))));
        bench.calls(100).await;
        assert_eq!(bench.probe.calls(), 5, "{kind}");
    }
}

#[tokio::test(start_paused = true)]
async fn ten_thousand_deadlines_that_are_too_short_open_nothing() {
    let breaker = CircuitBreakerLayer::new(CircuitPolicy::new().slow(millis(1), 0.1)).unwrap();
    let leaf = Leaf::new([]).always("m", Step::silent_for(secs(1)));
    let probe = leaf.probe();
    let attempt = AttemptTimeoutLayer::new(secs(10)).layer(leaf);
    let service = breaker.layer(AttemptLayer::new().layer(attempt));
    let service = DeadlineLayer::new(millis(5)).layer(service);
    for count in 0..10_000_u32 {
        let mut request = streamed();
        request.body_mut().model = Some("m".into());
        // In all phases of an attempt: before it, in it, and after it has begun.
        match ask(&service, request).await {
            Ok(response) => {
                let error = crate::support::read(response.into_body()).await.error.unwrap();
                assert_eq!(error.kind, FailureKind::Timeout(Phase::Deadline), "{count}");
            }
            Err(error) => assert_eq!(error.kind, FailureKind::Timeout(Phase::Deadline), "{count}"),
        }
    }
    assert_eq!(probe.calls(), 10_000);
    let reports = breaker.circuits().reports();
    assert_eq!((reports[0].state, reports[0].failed), (CircuitState::Closed, 0));
    probe.assert_quiet();
}

#[tokio::test(start_paused = true)]
async fn callers_who_leave_open_nothing() {
    let bench = Bench::new(CircuitPolicy::new(), Leaf::new([]).always("m", Step::Hang));
    for _ in 0..100 {
        drop(bench.begin().await);
    }
    assert_eq!(
        (bench.report().attempts, bench.report().state),
        (0, CircuitState::Closed)
    );
    bench.probe.assert_quiet();
}

#[tokio::test(start_paused = true)]
async fn an_interrupted_answer_counts_as_a_failure_instead() {
    let broken = Step::body([Beat::Frame(Stage::Content), Beat::Fail(fails(FailureKind::Truncated))]);
    let bench = Bench::new(CircuitPolicy::new(), Leaf::new([]).always("m", broken));
    bench.calls(4).await;
    assert_eq!((bench.report().attempts, bench.report().failed), (4, 4));
    bench.calls(1).await;
    assert!(bench.is_open());
    let left = Step::body([
        Beat::Frame(Stage::Content),
        Beat::Fail(fails(FailureKind::Timeout(Phase::Deadline))),
    ]);
    let bench = Bench::new(CircuitPolicy::new(), Leaf::new([]).always("m", left));
    bench.calls(9).await;
    assert_eq!(
        (bench.report().attempts, bench.report().failed),
        (9, 0),
        "the deadline is the caller's"
    );
}

#[tokio::test(start_paused = true)]
async fn slow_beginnings_open_it_where_asked_for() {
    let slow = || Leaf::new([]).always("m", Step::Answer(secs(3), vec![Beat::Frame(Stage::Finish)]));
    for (policy, open) in [
        (CircuitPolicy::new(), false),
        (CircuitPolicy::new().slow(secs(2), 1.0), true),
        (CircuitPolicy::new().slow(secs(3), 1.0), false),
    ] {
        let bench = Bench::new(policy, slow());
        bench.calls(5).await;
        assert_eq!(bench.is_open(), open);
    }
    // Four of ten are slow.
    for (share, open) in [(0.3, true), (0.9, false)] {
        let slow = (0..4).map(|_| Step::Answer(secs(3), vec![Beat::Frame(Stage::Finish)]));
        let steps: Vec<_> = steps(6, 0).into_iter().chain(slow).collect();
        let bench = Bench::new(CircuitPolicy::new().slow(secs(2), share), Leaf::new(steps));
        bench.calls(10).await;
        assert_eq!(bench.is_open(), open, "{share}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_wait_for_ones_turn_is_not_the_upstreams_slowness() {
    let breaker = CircuitBreakerLayer::new(CircuitPolicy::new().slow(secs(2), 0.5)).unwrap();
    let leaf = Leaf::new([]).always("m", Step::Answer(secs(1), vec![Beat::Frame(Stage::Finish)]));
    let turns = RateLimitLayer::new(Limits::new().concurrency(1).unwrap(), GlobalKey).unwrap();
    let service = breaker.layer(turns.max_wait(secs(60)).layer(AttemptLayer::new().layer(leaf)));
    let service = DeadlineLayer::new(secs(90)).layer(service);
    let calls = (0..10).map(|_| {
        let mut request = streamed();
        request.body_mut().model = Some("m".into());
        let service = service.clone();
        tokio::spawn(async move { ask(&service, request).await.map(drop) })
    });
    let calls: Vec<_> = calls.collect();
    for call in calls {
        call.await.unwrap().unwrap();
    }
    let report = breaker.circuits().reports().remove(0);
    assert_eq!((report.attempts, report.slow), (10, 0), "{report:?}");
}

#[tokio::test(start_paused = true)]
async fn each_candidate_has_its_own_and_there_are_never_too_many() {
    let circuits = Circuits::new(CircuitPolicy::new().min_calls(1)).unwrap();
    let service = CircuitBreakerLayer::shared(circuits.clone()).layer(Leaf::new([Step::fail(down())]));
    for count in 0..MAX_CIRCUITS + 2_000 {
        let mut request = streamed();
        request.body_mut().model = Some(count.to_string());
        let _ended = ask(&service, request).await;
        assert!(count % 500 != 0 || circuits.reports().len() <= MAX_CIRCUITS);
    }
    let reports = circuits.reports();
    assert!(reports.len() <= MAX_CIRCUITS, "{}", reports.len());
    let open: Vec<_> = reports
        .iter()
        .filter(|report| report.state != CircuitState::Closed)
        .collect();
    assert_eq!(open.len(), 1);
    assert_eq!(open[0].candidate.model(), "0", "the open one is not forgotten");
}

#[tokio::test(start_paused = true)]
async fn answers_from_before_the_window_do_not_count_with_interrupted_ones() {
    let long = Step::body([
        Beat::Frame(Stage::Content),
        Beat::Pause(secs(3_600)),
        Beat::Fail(fails(FailureKind::Truncated)),
    ]);
    for (broken, open) in [(4, false), (5, true)] {
        let bench = Bench::new(CircuitPolicy::new(), Leaf::new(vec![long.clone(); 5]));
        let mut bodies = Vec::new();
        for _ in 0..5 {
            let mut request = streamed();
            request.body_mut().model = Some("m".into());
            bodies.push(ask(&bench.service, request).await.unwrap().into_body());
        }
        let read = bodies
            .into_iter()
            .take(broken)
            .map(crate::support::read)
            .map(tokio::spawn);
        for read in read.collect::<Vec<_>>() {
            read.await.unwrap();
        }
        assert_eq!(bench.is_open(), open, "{broken} of the last hour's");
    }
}

#[tokio::test(start_paused = true)]
async fn a_flood_of_names_that_failed_makes_room_when_they_are_unused() {
    let circuits = Circuits::new(CircuitPolicy::new().min_calls(1)).unwrap();
    let failures = vec![Step::fail(down()); MAX_CIRCUITS + 3];
    let leaf = Leaf::new(failures);
    let probe = leaf.probe();
    let service = CircuitBreakerLayer::shared(circuits.clone()).layer(leaf);
    let call = async |model: String| {
        let mut request = streamed();
        request.body_mut().model = Some(model);
        let _failed = ask(&service, request).await;
    };
    for count in 0..MAX_CIRCUITS {
        call(count.to_string()).await;
    }
    // All are open: a new one has no circuit, and each call is let through.
    call("real".into()).await;
    call("real".into()).await;
    assert_eq!(probe.calls(), MAX_CIRCUITS + 2);
    advance(secs(24 * 60 * 60)).await;
    call("real".into()).await;
    call("real".into()).await;
    assert_eq!(probe.calls(), MAX_CIRCUITS + 3, "its circuit has opened");
    assert!(circuits.reports().len() <= MAX_CIRCUITS);
}
