//! Invariant 15: an operator who has raised a limit ends its pause, and does not wait for the next probe.

use http::Request;
use tokio::time::sleep;
use tower::Layer;
use tower_llm_layers::{
    Candidate, FailureKind, FailureScope, Route,
    pause::{Pause, PauseLayer, Pauses},
};

use super::limited;
use crate::support::{Leaf, Step, TestError, TestRequest, ask, candidate, fails, secs, streamed};

fn of(candidate: &Candidate) -> Request<TestRequest> {
    let mut request = streamed();
    request.body_mut().call.set_candidate(candidate.clone());
    request
}

/// Pauses a candidate by a failure that reaches so far, and lets every later call through.
async fn paused(paused: &Candidate, error: TestError) -> (PauseLayer, Pause<Leaf>) {
    let layer = PauseLayer::new();
    let service = layer.layer(Leaf::new([Step::fail(error)]));
    ask(&service, of(paused)).await.map(drop).unwrap_err();
    let refused = ask(&service, of(paused)).await.map(drop).unwrap_err();
    assert!(refused.marks.is_paused(), "{}", refused.summary);
    (layer, service)
}

fn exhausted(scope: FailureScope) -> TestError {
    fails(FailureKind::QuotaExhausted)
        .scope(scope)
        .says(403, "key limit exceeded")
}

#[tokio::test(start_paused = true)]
async fn a_lift_ends_what_stands_in_a_candidates_way_and_nothing_else() {
    let a = candidate("x/a").with_pool("team");
    let same_pool = candidate("y/b").with_pool("team");
    let same_upstream = candidate("x/c");
    let other = candidate("y/d");
    for (scope, reached) in [
        (FailureScope::Candidate, vec![&a]),
        (FailureScope::Pool, vec![&a, &same_pool]),
        (FailureScope::Upstream, vec![&a, &same_upstream]),
    ] {
        for named in [&a, &same_pool, &same_upstream, &other] {
            let (layer, service) = paused(&a, exhausted(scope)).await;
            let is_reached = reached.contains(&named);
            let what = format!("{scope:?} by {named}");
            assert_eq!(layer.pauses().lift(named), usize::from(is_reached), "{what}");
            assert_eq!(layer.pauses().reports().is_empty(), is_reached, "{what}");
            assert_eq!(ask(&service, of(&a)).await.is_ok(), is_reached, "{what}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn it_reaches_the_routes_that_requests_pin_and_their_accounts() {
    let a = candidate("x/a");
    let layer = PauseLayer::new();
    let failures = (0..2).map(|_| Step::fail(limited().hint(secs(600))));
    let service = layer.layer(Leaf::new(failures));
    let mut pinned = of(&a);
    pinned.body_mut().provider = Some("acme");
    let mut own = of(&a);
    own.body_mut().call.set_account(Route::of([b"tenant-7".as_slice()]));
    for request in [&pinned, &own] {
        ask(&service, request.clone()).await.map(drop).unwrap_err();
    }
    assert_eq!(layer.pauses().lift(&a), 2);
    for request in [pinned, own] {
        ask(&service, request).await.map(drop).unwrap();
    }
}

#[tokio::test(start_paused = true)]
async fn an_upstream_or_all_of_them_can_be_lifted() {
    let a = candidate("x/a");
    let (layer, service) = paused(&a, exhausted(FailureScope::Upstream)).await;
    assert_eq!(layer.pauses().lift_upstream("y"), 0);
    assert!(ask(&service, of(&a)).await.is_err());
    assert_eq!(layer.pauses().lift_upstream("x"), 1);
    assert!(ask(&service, of(&a)).await.is_ok());
    let (layer, service) = paused(&a, exhausted(FailureScope::Upstream)).await;
    assert_eq!((layer.pauses().lift_all(), layer.pauses().lift_all()), (1, 0));
    assert!(ask(&service, of(&a)).await.is_ok());
}

/// A lift, given the candidate of a call and another one.
type Lift = fn(&Pauses, &Candidate, &Candidate) -> usize;

/// Its answer is of the time before: of a key, for example, that was replaced.
#[tokio::test(start_paused = true)]
async fn an_attempt_that_began_before_a_lift_pauses_nothing() {
    let (a, other) = (candidate("x/a"), candidate("y/b"));
    for scope in [FailureScope::Candidate, FailureScope::Pool, FailureScope::Upstream] {
        let lifts: [(Lift, bool); 5] = [
            (|pauses, a, _| pauses.lift(a), false),
            (|pauses, a, _| pauses.lift_upstream(a.upstream()), false),
            (|pauses, _, _| pauses.lift_all(), false),
            (|pauses, _, other| pauses.lift(other), true),
            (|pauses, _, other| pauses.lift_upstream(other.upstream()), true),
        ];
        for (lift, is_paused) in lifts {
            let layer = PauseLayer::new();
            let service = layer.layer(Leaf::new([Step::Fail(secs(5), exhausted(scope))]));
            let lifted = async {
                sleep(secs(1)).await;
                assert_eq!(lift(layer.pauses(), &a, &other), 0, "nothing is paused yet");
            };
            let (failed, ()) = tokio::join!(ask(&service, of(&a)), lifted);
            assert_eq!(failed.map(drop).unwrap_err().kind, FailureKind::QuotaExhausted);
            assert_eq!(layer.pauses().reports().len(), usize::from(is_paused), "{scope:?}");
            assert_eq!(ask(&service, of(&a)).await.is_err(), is_paused, "{scope:?}");
        }
    }
}

/// Attempts of the stacks before begin after the restart, as retries do, and have the old key.
#[tokio::test(start_paused = true)]
async fn stacks_before_a_restart_of_an_upstream_pause_it_no_more() {
    let (a, other) = (candidate("x/a"), candidate("y/b"));
    for scope in [FailureScope::Candidate, FailureScope::Pool, FailureScope::Upstream] {
        let first = Pauses::new();
        let second = first.successor();
        let third = second.successor();
        assert_eq!(third.restart_upstream("x"), 0);
        for (pauses, met, paused) in [(&first, &a, 0), (&second, &a, 0), (&third, &a, 1), (&first, &other, 2)] {
            let service = PauseLayer::shared(pauses.clone()).layer(Leaf::new([Step::fail(exhausted(scope))]));
            ask(&service, of(met)).await.map(drop).unwrap_err();
            assert_eq!(third.reports().len(), paused, "{scope:?} {met}");
        }
        assert_eq!((first.lift_upstream("x"), third.reports().len()), (1, 1));
    }
}

/// Its probe goes to the next call.
#[tokio::test(start_paused = true)]
async fn a_stack_before_a_restart_of_an_upstream_ends_none_of_its_pauses() {
    let a = candidate("x/a");
    for step in [None, Some(Step::fail(limited().hint(secs(6_000))))] {
        let before = Pauses::new();
        let after = before.successor();
        after.restart_upstream("x");
        let new = PauseLayer::shared(after.clone()).layer(Leaf::new([Step::fail(limited().hint(secs(600)))]));
        ask(&new, of(&a)).await.map(drop).unwrap_err();
        sleep(secs(61)).await;
        let is_ok = step.is_none();
        let old = PauseLayer::shared(before).layer(Leaf::new(step));
        assert_eq!(ask(&old, of(&a)).await.is_ok(), is_ok);
        assert!(matches!(&*after.reports(), [pause] if pause.ends_in < secs(600)));
        ask(&new, of(&a)).await.map(drop).unwrap();
        assert!(after.reports().is_empty());
    }
}

/// It says nothing of the upstream: one that still refuses is paused again.
#[tokio::test(start_paused = true)]
async fn a_limit_that_still_holds_pauses_again() {
    let a = candidate("x/a");
    let layer = PauseLayer::new();
    let leaf = Leaf::new((0..2).map(|_| Step::fail(exhausted(FailureScope::Candidate))));
    let probe = leaf.probe();
    let service = layer.layer(leaf);
    ask(&service, of(&a)).await.map(drop).unwrap_err();
    assert_eq!(layer.pauses().lift(&a), 1);
    ask(&service, of(&a)).await.map(drop).unwrap_err();
    assert_eq!((probe.calls(), layer.pauses().reports().len()), (2, 1));
    assert!(ask(&service, of(&a)).await.map(drop).unwrap_err().marks.is_paused());
}
