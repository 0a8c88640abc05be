//! The same candidate again, backed off, within budgets.

use std::time::Duration;

use tower::{Layer, Service, ServiceExt, limit::ConcurrencyLimitLayer};
use tower_llm_layers::{
    FailureKind, Phase, Stage,
    attempt::AttemptLayer,
    deadline::DeadlineLayer,
    retry::{Exponential, RetryBudget, RetryLayer, Schedule},
};

use crate::support::{
    Beat, Leaf, Step, TestError, ask, candidate, fails, millis, plain, poll_once, read, secs,
    streamed, within,
};

/// The same delay before each retry, as often as it is written.
#[derive(Debug, Clone)]
struct Fixed(Vec<Duration>);

impl Schedule for Fixed {
    type Delays = std::vec::IntoIter<Duration>;

    fn delays(&self) -> Self::Delays {
        self.0.clone().into_iter()
    }
}

fn layer() -> RetryLayer<Fixed> {
    RetryLayer::new()
        .max_attempts(3)
        .schedule(Fixed(vec![secs(1), secs(2), secs(4), secs(8)]))
}

fn failing(error: &TestError) -> [Step; 6] {
    std::array::from_fn(|_| Step::fail(error.clone()))
}

#[tokio::test(start_paused = true)]
async fn goes_on_by_the_schedule_until_the_attempts_end() {
    let leaf = Leaf::new(failing(&fails(FailureKind::Overloaded)));
    let probe = leaf.probe();
    let error = ask(&layer().layer(leaf), streamed()).await.unwrap_err();
    assert!(error.exhausted);
    assert_eq!(probe.times(), [0, 1000, 3000]);
    probe.assert_quiet();
}

#[tokio::test(start_paused = true)]
async fn one_attempt_is_no_retry_and_two_are_the_default() {
    for (layer, calls) in [
        (RetryLayer::new().max_attempts(0), 1),
        (RetryLayer::new().max_attempts(1), 1),
        (RetryLayer::new(), 2),
    ] {
        let leaf = Leaf::new(failing(&fails(FailureKind::Upstream)));
        let probe = leaf.probe();
        assert!(
            ask(&layer.layer(leaf), streamed())
                .await
                .unwrap_err()
                .exhausted
        );
        assert_eq!(probe.calls(), calls);
    }
}

#[tokio::test(start_paused = true)]
async fn an_answer_ends_it() {
    let leaf = Leaf::new([Step::fail(fails(FailureKind::Reset)), Step::ok()]);
    let probe = leaf.probe();
    let response = ask(&layer().layer(leaf), streamed()).await.unwrap();
    assert_eq!(read(response.into_body()).await.stages.len(), 2);
    assert_eq!(probe.times(), [0, 1000]);
}

#[tokio::test(start_paused = true)]
async fn the_hint_is_the_least_with_a_little_added() {
    let error = fails(FailureKind::Throttled).hint(secs(15));
    let leaf = Leaf::new([Step::fail(error)]);
    let probe = leaf.probe();
    ask(&layer().layer(leaf), streamed()).await.unwrap();
    assert_eq!(probe.times(), [0, 16_000]);
}

#[tokio::test(start_paused = true)]
async fn no_wait_is_longer_than_the_longest() {
    for (hint, wait) in [(None, Some(1)), (Some(2), None), (Some(1), Some(1))] {
        let mut error = fails(FailureKind::Throttled);
        error.hint = hint.map(secs);
        let leaf = Leaf::new([Step::fail(error)]);
        let probe = leaf.probe();
        let layer = layer().max_wait(secs(1)).schedule(Fixed(vec![secs(9)]));
        let result = ask(&layer.layer(leaf), streamed()).await;
        assert_eq!(result.is_ok(), wait.is_some(), "{hint:?}");
        assert_eq!(probe.times().get(1).copied(), wait.map(|wait| wait * 1000));
        if let Err(error) = result {
            assert_eq!(error.hint, Some(secs(2)), "the hint is kept");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn no_wait_outlives_the_deadline() {
    for (hint, calls) in [(29, 2), (30, 1), (600, 1)] {
        let error = fails(FailureKind::Throttled).hint(secs(hint));
        let leaf = Leaf::new([Step::fail(error)]);
        let probe = leaf.probe();
        let retry = layer().max_wait(secs(1000));
        let service = DeadlineLayer::new(secs(30)).layer(retry.layer(leaf));
        let (result, took) = within(ask(&service, streamed())).await;
        assert_eq!(
            (result.is_ok(), probe.calls()),
            (calls == 2, calls),
            "{hint}"
        );
        let expected = if calls == 2 { secs(29) } else { Duration::ZERO };
        assert_eq!(took, expected, "{hint}");
    }
}

#[tokio::test(start_paused = true)]
async fn the_end_of_the_schedule_ends_it() {
    let leaf = Leaf::new(failing(&fails(FailureKind::Connect)));
    let probe = leaf.probe();
    let layer = layer().max_attempts(9).schedule(Fixed(vec![millis(7)]));
    ask(&layer.layer(leaf), streamed()).await.unwrap_err();
    assert_eq!(probe.times(), [0, 7]);
}

#[tokio::test(start_paused = true)]
async fn what_is_hopeless_or_given_up_is_not_tried_again() {
    let mut given_up = fails(FailureKind::Overloaded);
    given_up.exhausted = true;
    let hopeless = [
        fails(FailureKind::BadRequest),
        fails(FailureKind::Refused),
        fails(FailureKind::Auth),
        fails(FailureKind::Timeout(Phase::FirstToken)),
        given_up,
    ];
    for error in hopeless {
        let leaf = Leaf::new(failing(&error));
        let probe = leaf.probe();
        ask(&layer().layer(leaf), streamed()).await.unwrap_err();
        assert_eq!(probe.calls(), 1, "{}", error.kind);
    }
}

#[tokio::test(start_paused = true)]
async fn a_silent_one_is_tried_again_on_demand_where_it_is_alone() {
    let silent = fails(FailureKind::Timeout(Phase::FirstToken));
    for (on, alone, calls) in [(true, true, 3), (true, false, 1), (false, true, 1)] {
        let leaf = Leaf::new(failing(&silent));
        let probe = leaf.probe();
        let mut request = streamed();
        let call = &mut request.body_mut().call;
        call.set_candidate(candidate("a"), alone, alone);
        let service = layer().retry_silent(on).layer(leaf);
        ask(&service, request).await.unwrap_err();
        assert_eq!(probe.calls(), calls);
    }
}

#[tokio::test(start_paused = true)]
async fn another_key_is_tried_at_once() {
    let mut rejected = fails(FailureKind::Auth);
    rejected.other_key = true;
    let leaf = Leaf::new([Step::fail(rejected)]);
    let probe = leaf.probe();
    ask(&layer().layer(leaf), streamed()).await.unwrap();
    assert_eq!(probe.times(), [0, 0]);
    let mut broke = fails(FailureKind::Unaffordable).affordable(100);
    broke.other_key = true;
    let leaf = Leaf::new([Step::fail(broke)]);
    let probe = leaf.probe();
    let mut request = plain();
    request.body_mut().max_tokens = Some(900);
    ask(&layer().layer(leaf), request).await.unwrap();
    assert_eq!(
        probe.seen()[1].max_tokens,
        Some(900),
        "it may carry the whole"
    );
}

#[tokio::test(start_paused = true)]
async fn fewer_tokens_are_asked_for_where_the_balance_says_how_many() {
    let broke = fails(FailureKind::Unaffordable);
    for (affordable, asked, second) in [
        (Some(500), Some(4000), Some(Some(500))),
        (Some(500), None, Some(Some(500))),
        (Some(500), Some(500), None),
        (Some(15), Some(4000), None),
        (None, Some(4000), None),
    ] {
        let mut error = broke.clone();
        error.affordable = affordable;
        let leaf = Leaf::new([Step::fail(error)]);
        let probe = leaf.probe();
        let mut request = plain();
        request.body_mut().max_tokens = asked;
        let result = ask(&layer().layer(leaf), request).await;
        assert_eq!(result.is_ok(), second.is_some());
        let seen = probe.seen();
        assert_eq!(seen.get(1).map(|seen| seen.max_tokens), second);
        assert!(seen.iter().all(|seen| seen.at == Duration::ZERO));
    }
}

#[tokio::test(start_paused = true)]
async fn the_process_has_one_budget() {
    let budget = RetryBudget::new(0.2, 0.0);
    let leaf = Leaf::new([]).always("", Step::fail(fails(FailureKind::Upstream)));
    let probe = leaf.probe();
    let stacks = [(); 2].map(|()| layer().budget(budget.clone()).layer(leaf.clone()));
    for _ in 0..50 {
        for stack in &stacks {
            ask(stack, streamed()).await.unwrap_err();
        }
    }
    assert_eq!(probe.calls(), 120);
    assert!(budget.left() < 1.0);
}

#[tokio::test(start_paused = true)]
async fn the_calls_cap_ends_it_with_a_note() {
    let leaf = Leaf::new(failing(&fails(FailureKind::Overloaded)));
    let probe = leaf.probe();
    let service = layer().layer(AttemptLayer::new().cap(2).layer(leaf));
    let error = ask(&service, streamed()).await.unwrap_err();
    assert_eq!((error.kind, probe.calls()), (FailureKind::Overloaded, 2));
    let lines = error.log().attempts();
    assert_eq!(lines[0].waited, Some(secs(1)));
    let note = lines[1].note.as_deref();
    assert_eq!(note, Some("the attempts of this call are spent"));
}

#[tokio::test(start_paused = true)]
async fn the_default_schedule_stays_within_its_bounds() {
    let leaf = Leaf::new(failing(&fails(FailureKind::Overloaded)));
    let probe = leaf.probe();
    let schedule = Exponential::new(millis(100), millis(200)).seeded(3);
    assert_eq!(
        (schedule.base(), schedule.max()),
        (millis(100), millis(200))
    );
    let layer = RetryLayer::new().max_attempts(5).schedule(schedule);
    ask(&layer.layer(leaf), streamed()).await.unwrap_err();
    assert_eq!(probe.calls(), 5);
    let gaps = probe.times();
    let gaps: Vec<_> = gaps.windows(2).map(|pair| pair[1] - pair[0]).collect();
    assert!(gaps.iter().all(|gap| *gap <= 201), "{gaps:?}");
    assert!(gaps.iter().any(|gap| *gap > 0), "{gaps:?}");
}

#[tokio::test(start_paused = true)]
async fn waits_for_readiness_and_passes_its_failure_on() {
    let leaf = Leaf::new(failing(&fails(FailureKind::Reset))).ready_after(secs(5));
    let probe = leaf.probe();
    let service = layer().max_attempts(2).layer(leaf);
    ask(&service, streamed()).await.unwrap_err();
    assert_eq!(probe.times(), [5_000, 11_000]);
    probe.assert_quiet();
    let leaf = Leaf::new(failing(&fails(FailureKind::Reset)));
    let leaf = leaf.unready(fails(FailureKind::Internal));
    let error = ask(&layer().layer(leaf), streamed()).await.unwrap_err();
    assert_eq!((error.kind, error.exhausted), (FailureKind::Internal, true));
}

#[tokio::test(start_paused = true)]
async fn holds_no_permit_while_it_waits() {
    let leaf = Leaf::new([Step::fail(fails(FailureKind::Reset)), Step::Hang]);
    let probe = leaf.probe();
    let mut service = layer().layer(ConcurrencyLimitLayer::new(1).layer(leaf));
    let mut first = Box::pin(service.ready().await.unwrap().call(streamed()));
    assert!(poll_once(first.as_mut()).is_pending());
    // The first one waits for its second attempt; another caller gets the permit meanwhile.
    let mut other = service.clone();
    let mut second = Box::pin(other.ready().await.unwrap().call(streamed()));
    assert!(poll_once(second.as_mut()).is_pending());
    assert_eq!(probe.calls(), 2);
    tokio::time::advance(secs(2)).await;
    assert!(poll_once(first.as_mut()).is_pending());
    drop(second);
    first.await.unwrap();
    assert_eq!((probe.calls(), probe.counts().peak), (3, 1));
    probe.assert_quiet();
}

#[tokio::test(start_paused = true)]
async fn dropped_in_each_state_leaves_nothing() {
    // In flight, waiting, getting ready.
    for advance in [None, Some(secs(0)), Some(secs(1))] {
        let first = match advance {
            None => Step::Hang,
            Some(_) => Step::fail(fails(FailureKind::Reset)),
        };
        let leaf = Leaf::new([first]).ready_after(secs(5));
        let probe = leaf.probe();
        let mut service = layer().layer(leaf);
        let mut future = Box::pin(service.ready().await.unwrap().call(streamed()));
        assert!(poll_once(future.as_mut()).is_pending());
        tokio::time::advance(advance.unwrap_or_default()).await;
        assert!(poll_once(future.as_mut()).is_pending());
        drop(future);
        assert_eq!(probe.calls(), 1);
        assert_eq!(
            probe.counts().futures_dropped,
            usize::from(advance.is_none())
        );
        probe.assert_quiet();
    }
}

#[tokio::test(start_paused = true)]
async fn nothing_is_tried_again_once_shown() {
    let broken = Beat::Fail(fails(FailureKind::Upstream));
    let leaf = Leaf::new([Step::body([Beat::Frame(Stage::Content), broken])]);
    let probe = leaf.probe();
    let response = ask(&layer().layer(leaf), streamed()).await.unwrap();
    assert!(read(response.into_body()).await.error.is_some());
    assert_eq!(probe.calls(), 1);
}

#[cfg(feature = "backoff")]
#[tokio::test(start_paused = true)]
async fn the_backoff_crate_may_give_the_schedule() {
    use tower_llm_layers::retry::BackoffSchedule;
    let schedule = BackoffSchedule::new(backoff::ExponentialBackoff {
        initial_interval: millis(100),
        randomization_factor: 0.0,
        multiplier: 3.0,
        max_interval: millis(500),
        max_elapsed_time: Some(Duration::ZERO),
        ..backoff::ExponentialBackoff::default()
    });
    let leaf = Leaf::new([]).always("", Step::fail(fails(FailureKind::Overloaded)));
    let probe = leaf.probe();
    let service = RetryLayer::new().max_attempts(4).schedule(schedule);
    let service = service.layer(leaf);
    for _ in 0..2 {
        ask(&service, streamed()).await.unwrap_err();
    }
    assert_eq!(probe.times(), [0, 100, 400, 900, 900, 1000, 1300, 1800]);
}
