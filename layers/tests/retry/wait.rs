//! How long it waits, and when it does not.

use std::time::Duration;

use tower::Layer;
use tower_llm_layers::{
    FailureKind,
    deadline::DeadlineLayer,
    retry::{Exponential, RetryLayer},
};

use super::{Fixed, failing, layer};
use crate::support::{Leaf, Step, ask, fails, millis, secs, streamed, turn_of, within};

#[tokio::test(start_paused = true)]
async fn the_hint_is_the_least_with_a_little_added() {
    let error = fails(FailureKind::RateLimited).hint(secs(15));
    let leaf = Leaf::new([Step::fail(error)]);
    let probe = leaf.probe();
    ask(&layer().layer(leaf), streamed()).await.unwrap();
    assert_eq!(probe.times(), [0, 16_000]);
}

/// A hint of nothing is no reason to ask again without a pause.
#[tokio::test(start_paused = true)]
async fn a_hint_of_zero_does_not_undo_the_back_off() {
    let error = fails(FailureKind::Overloaded).hint(Duration::ZERO);
    let leaf = Leaf::new((0..4).map(|_| Step::fail(error.clone())));
    let probe = leaf.probe();
    let layer = RetryLayer::new()
        .max_attempts(4)
        .schedule(Fixed(vec![secs(1), secs(2), secs(4)]));
    ask(&layer.layer(leaf), streamed()).await.map(drop).ok();
    assert_eq!(probe.times(), [0, 1000, 3000, 7000]);
}

#[tokio::test(start_paused = true)]
async fn no_wait_is_longer_than_the_longest() {
    for (hint, wait) in [(None, Some(1)), (Some(2), None), (Some(1), Some(1))] {
        let mut error = fails(FailureKind::RateLimited);
        error.hint = hint.map(secs);
        let leaf = Leaf::new([Step::fail(error)]);
        let probe = leaf.probe();
        let layer = layer().max_retry_delay(secs(1)).schedule(Fixed(vec![secs(9)]));
        let result = ask(&layer.layer(leaf), streamed()).await;
        assert_eq!(result.is_ok(), wait.is_some(), "{hint:?}");
        assert_eq!(probe.times().get(1).copied(), wait.map(|wait| wait * 1000));
        if let Err(error) = result {
            assert_eq!(error.hint, Some(secs(2)), "the hint is kept");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn while_another_can_answer_it_waits_no_longer_than_its_patience() {
    for (max_retry_delay_with_fallback, hint, is_last, calls) in [
        (secs(3), 3, false, 2),
        (secs(3), 4, false, 1),
        (secs(3), 4, true, 2),
        (secs(5), 4, false, 2),
        (secs(99), 21, false, 1),
    ] {
        let leaf = Leaf::new([Step::fail(fails(FailureKind::RateLimited).hint(secs(hint)))]);
        let probe = leaf.probe();
        let mut request = streamed();
        request.body_mut().call = if is_last {
            turn_of(["a"]).await
        } else {
            turn_of(["a", "b"]).await
        };
        let service = layer()
            .max_retry_delay_with_fallback(max_retry_delay_with_fallback)
            .layer(leaf);
        ask(&service, request).await.ok();
        assert_eq!(
            probe.calls(),
            calls,
            "{max_retry_delay_with_fallback:?} {hint} {is_last}"
        );
    }
    // A back-off is cut to it.
    let leaf = Leaf::new([Step::fail(fails(FailureKind::Overloaded))]);
    let probe = leaf.probe();
    let mut request = streamed();
    request.body_mut().call = turn_of(["a", "b"]).await;
    let service = layer().schedule(Fixed(vec![secs(9)])).layer(leaf);
    ask(&service, request).await.unwrap();
    assert_eq!(probe.times(), [0, 3000]);
}

#[tokio::test(start_paused = true)]
async fn no_wait_outlives_the_deadline() {
    for (hint, calls) in [(29, 2), (30, 1), (600, 1)] {
        let error = fails(FailureKind::RateLimited).hint(secs(hint));
        let leaf = Leaf::new([Step::fail(error)]);
        let probe = leaf.probe();
        let retry = layer().max_retry_delay(secs(1000));
        let service = DeadlineLayer::new(secs(30)).layer(retry.layer(leaf));
        let (result, took) = within(ask(&service, streamed())).await;
        assert_eq!((result.is_ok(), probe.calls()), (calls == 2, calls), "{hint}");
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
async fn the_default_schedule_stays_within_its_bounds() {
    let leaf = Leaf::new(failing(&fails(FailureKind::Overloaded)));
    let probe = leaf.probe();
    let schedule = Exponential::new(millis(100), millis(200)).seeded(3);
    assert_eq!((schedule.base(), schedule.max()), (millis(100), millis(200)));
    let layer = RetryLayer::new().max_attempts(5).schedule(schedule);
    ask(&layer.layer(leaf), streamed()).await.unwrap_err();
    assert_eq!(probe.calls(), 5);
    let gaps = probe.times();
    let gaps: Vec<_> = gaps.windows(2).map(|pair| pair[1] - pair[0]).collect();
    assert!(gaps.iter().all(|gap| *gap <= 201), "{gaps:?}");
    assert!(gaps.iter().any(|gap| *gap > 0), "{gaps:?}");
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
