//! Rate limits on tokens: what calls in flight hold may come back at any time, and is neither reported nor waited for as if it were used.

use std::time::Duration;

use tokio::time::advance;
use tokio_test::{assert_pending, task};
use tower::{Layer, ServiceExt};
use tower_llm_layers::{
    FailureKind, GlobalKey, Stage,
    rate_limit::{Limits, RateLimit, RateLimitLayer},
};

use crate::{
    rate_limit::{rate, requests, sized},
    support::{Beat, Leaf, Step, TestError, ask, join_all, read, secs, within},
};

/// 600 tokens a minute, 100 at once: ten a second.
fn tokens() -> Limits {
    Limits::new().tokens(rate(600, secs(60), 100))
}

fn limited(limits: Limits, max_wait: Duration, leaf: Leaf) -> RateLimit<Leaf, GlobalKey> {
    let layer = RateLimitLayer::new(limits, GlobalKey).unwrap();
    layer.max_wait(max_wait).layer(leaf)
}

/// An answer of so long that takes so many tokens.
fn answer(time: Duration, tokens: u64) -> Step {
    Step::body([Beat::Frame(Stage::Content), Beat::Pause(time), Beat::Used(tokens)])
}

/// One call, read to its end.
async fn whole(service: &RateLimit<Leaf, GlobalKey>, prompt: u64, output: u64) -> Result<(), TestError> {
    let body = ask(service, sized(prompt, output)).await?.into_body();
    read(body).await.error.map_or(Ok(()), Err)
}

async fn hint(service: &RateLimit<Leaf, GlobalKey>, tokens: u64) -> Option<Duration> {
    let error = ask(service, sized(0, tokens)).await.map(drop).unwrap_err();
    assert_eq!(error.kind, FailureKind::RateLimited);
    error.hint
}

#[tokio::test(start_paused = true)]
async fn the_hint_is_a_second_while_calls_in_flight_hold_what_is_needed() {
    let service = limited(tokens(), Duration::ZERO, Leaf::new([answer(secs(8), 20)]));
    let first = ask(&service, sized(10, 90)).await.unwrap();
    advance(secs(1)).await;
    assert_eq!(hint(&service, 50).await, Some(secs(1)), "four, if it were used");
    read(first.into_body()).await;
    whole(&service, 0, 50).await.unwrap();
}

/// What was used is refilled at its rate, however many calls are in flight.
#[tokio::test(start_paused = true)]
async fn the_hint_is_exact_for_what_was_used() {
    let leaf = Leaf::new([answer(Duration::ZERO, 100), answer(secs(60), 40)]);
    let service = limited(tokens(), Duration::ZERO, leaf);
    whole(&service, 10, 90).await.unwrap();
    assert_eq!(hint(&service, 100).await, Some(secs(10)));
    advance(secs(5)).await;
    let _in_flight = ask(&service, sized(0, 40)).await.unwrap();
    // Nine seconds in all, of which four are claimed.
    assert_eq!(hint(&service, 100).await, Some(secs(5)));
    assert_eq!(hint(&service, 60).await, Some(secs(1)));
}

#[tokio::test(start_paused = true)]
async fn a_call_that_waits_is_woken_when_one_in_flight_ends() {
    let service = limited(tokens(), secs(9), Leaf::new([answer(secs(8), 20)]));
    let first = ask(&service, sized(10, 90)).await.unwrap();
    let reading = tokio::spawn(async move { read(first.into_body()).await });
    // Ten seconds, if the first call used what it was thought to use.
    let (passed, took) = within(whole(&service, 0, 100)).await;
    passed.unwrap();
    assert_eq!(took, secs(8));
    assert!(reading.await.unwrap().error.is_none());
}

/// One call gives back enough for several: each that passes wakes the next.
#[tokio::test(start_paused = true)]
async fn all_that_fit_pass_when_one_in_flight_ends() {
    let service = limited(tokens(), secs(9), Leaf::new([answer(secs(8), 1)]));
    let first = ask(&service, sized(0, 300)).await.unwrap();
    let reading = tokio::spawn(async move { read(first.into_body()).await });
    let waiting = (0..3).map(|_| within(whole(&service, 0, 30)));
    for (passed, took) in join_all(waiting).await {
        passed.unwrap();
        assert_eq!(took, secs(8));
    }
    assert!(reading.await.unwrap().error.is_none());
}

#[tokio::test(start_paused = true)]
async fn it_waits_for_calls_in_flight_no_longer_than_it_may() {
    let service = limited(tokens(), secs(3), Leaf::new([answer(secs(8), 20)]));
    let _first = ask(&service, sized(10, 90)).await.unwrap();
    let (refused, took) = within(whole(&service, 0, 100)).await;
    assert_eq!((refused.unwrap_err().hint, took), (Some(secs(1)), secs(3)));
    // Over what all of them could give back, it is refused at once.
    let used = limited(tokens(), secs(3), Leaf::new([answer(Duration::ZERO, 200)]));
    whole(&used, 10, 90).await.unwrap();
    let (refused, took) = within(whole(&used, 0, 100)).await;
    assert_eq!((refused.unwrap_err().hint, took), (Some(secs(20)), Duration::ZERO));
}

/// It was sent, and what it used is not known: its tokens count as used, and come back at their rate.
#[tokio::test(start_paused = true)]
async fn a_call_that_is_dropped_before_its_answer_holds_nothing_any_more() {
    let service = limited(tokens(), Duration::ZERO, Leaf::new([Step::Hang]));
    let mut left = task::spawn(service.clone().oneshot(sized(10, 90)));
    assert_pending!(left.poll());
    assert_eq!(hint(&service, 100).await, Some(secs(1)));
    drop(left);
    assert_eq!(hint(&service, 100).await, Some(secs(10)));
}

/// A call that another limit refuses wakes no call: neither the others nor itself.
#[tokio::test(start_paused = true)]
async fn a_limit_on_requests_beside_it_is_waited_for_in_peace() {
    let limits = requests(60, secs(60), 1).tokens(rate(600, secs(60), 100));
    let service = limited(limits, secs(9), Leaf::new([]));
    let calls = (0..3).map(|_| within(whole(&service, 0, 10)));
    let mut waits = Vec::new();
    for (passed, took) in join_all(calls).await {
        passed.unwrap();
        waits.push(took.as_secs());
    }
    waits.sort_unstable();
    assert_eq!(waits[0], 0);
    assert!(waits[1] == 1 && (2..=3).contains(&waits[2]), "{waits:?}");
}
