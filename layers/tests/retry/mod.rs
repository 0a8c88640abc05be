//! The same candidate again, backed off, within budgets.

mod service;
mod share;
mod wait;

use std::time::Duration;

use tower::Layer;
use tower_llm_layers::{
    FailureKind, NoStore, Phase, Stage,
    attempt::AttemptLayer,
    retry::{Delays, RetryBudget, RetryLayer, Schedule},
};

use crate::support::{Beat, Leaf, Step, TestError, ask, fails, plain, read, secs, streamed, turn_of};

/// The same delay before each retry, as often as it is written.
#[derive(Debug, Clone)]
struct Fixed(Vec<Duration>);

impl Schedule for Fixed {
    fn delays(&self) -> Delays {
        Box::new(self.0.clone().into_iter())
    }
}

fn layer() -> RetryLayer {
    RetryLayer::new()
        .max_attempts(3)
        .schedule(Fixed(vec![secs(1), secs(2), secs(4), secs(8)]))
}

fn failing(error: &TestError) -> [Step; 6] {
    std::array::from_fn(|_| Step::fail(error.clone()))
}

#[tokio::test(start_paused = true)]
async fn retries_by_the_schedule_until_the_attempts_end() {
    let leaf = Leaf::new(failing(&fails(FailureKind::Overloaded)));
    let probe = leaf.probe();
    let error = ask(&layer().layer(leaf), streamed()).await.unwrap_err();
    assert!(error.marks.is_exhausted());
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
                .marks
                .is_exhausted()
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
async fn what_is_hopeless_or_given_up_is_not_tried_again() {
    let mut given_up = fails(FailureKind::Overloaded);
    given_up.marks.set_exhausted();
    let hopeless = [
        fails(FailureKind::BadRequest),
        fails(FailureKind::ContentFiltered),
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
async fn a_silent_candidate_is_retried_on_demand_if_it_is_alone() {
    let silent = fails(FailureKind::Timeout(Phase::FirstToken));
    for (on, alone, calls) in [(true, true, 3), (true, false, 1), (false, true, 1)] {
        let leaf = Leaf::new(failing(&silent));
        let probe = leaf.probe();
        let mut request = streamed();
        request.body_mut().call = if alone {
            turn_of(["a"]).await
        } else {
            turn_of(["a", "b"]).await
        };
        let service = layer().retry_timeouts(on).layer(leaf);
        ask(&service, request).await.unwrap_err();
        assert_eq!(probe.calls(), calls);
    }
}

#[tokio::test(start_paused = true)]
async fn another_key_is_tried_at_once() {
    let mut rejected = fails(FailureKind::Auth);
    rejected.marks.set_other_key(true);
    let leaf = Leaf::new([Step::fail(rejected)]);
    let probe = leaf.probe();
    ask(&layer().layer(leaf), streamed()).await.unwrap();
    assert_eq!(probe.times(), [0, 0]);
    let mut broke = fails(FailureKind::InsufficientFunds).affordable(100);
    broke.marks.set_other_key(true);
    let leaf = Leaf::new([Step::fail(broke)]);
    let probe = leaf.probe();
    let mut request = plain();
    request.body_mut().max_tokens = Some(900);
    ask(&layer().layer(leaf), request).await.unwrap();
    assert_eq!(probe.seen()[1].max_tokens, Some(900), "it may carry the whole");
}

#[tokio::test(start_paused = true)]
async fn fewer_tokens_are_requested_if_the_balance_says_how_many() {
    let broke = fails(FailureKind::InsufficientFunds);
    for (affordable, asked, second) in [
        (Some(500), Some(4000), Some(Some(500))),
        (Some(500), None, Some(Some(500))),
        (Some(500), Some(500), None),
        (Some(255), Some(4000), None),
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

/// Whether the answer that follows these errors is marked as not to be kept.
async fn is_no_store(errors: impl IntoIterator<Item = TestError>, asked: Option<u64>) -> bool {
    let leaf = Leaf::new(errors.into_iter().map(Step::fail));
    let mut request = plain();
    request.body_mut().max_tokens = asked;
    let response = ask(&layer().layer(leaf), request).await.unwrap();
    response.extensions().get::<NoStore>().is_some()
}

#[tokio::test(start_paused = true)]
async fn an_answer_to_a_shortened_request_is_marked_as_not_to_be_kept() {
    let reset = || fails(FailureKind::Reset);
    let broke = || fails(FailureKind::InsufficientFunds).affordable(500);
    let mut on_another_key = broke();
    on_another_key.marks.set_other_key(true);
    assert!(is_no_store([broke()], Some(4000)).await);
    assert!(is_no_store([broke()], None).await, "no limit is more than any");
    assert!(is_no_store([broke(), reset()], Some(4000)).await, "two attempts ago");
    assert!(!is_no_store([], Some(4000)).await);
    assert!(!is_no_store([reset(), reset()], Some(4000)).await, "the whole");
    assert!(
        !is_no_store([on_another_key], Some(4000)).await,
        "the whole on another key"
    );
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
    assert_eq!(note, Some("the attempts of this call are used up"));
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
