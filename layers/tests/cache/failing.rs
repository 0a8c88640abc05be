//! What the others get where a shared call fails.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use http::Request;
use tokio::time::Instant;
use tower::{Layer, ServiceExt};
use tower_llm_layers::{FailureKind, LayerError, LlmRequest, Phase, Stage};

use super::{TestService, frames, layer, over, slow};
use crate::support::{Beat, Leaf, Step, TestError, TestRequest, ask, fails, millis, secs, streamed, within};

/// How many frames came, or the error.
async fn outcome(service: &TestService, request: Request<TestRequest>) -> Result<usize, TestError> {
    let (frames, error) = frames(ask(service, request).await?.into_body()).await;
    error.map_or(Ok(frames.len()), Err)
}

/// One who leads, and three who share.
async fn four(
    service: &TestService,
    leader: Request<TestRequest>,
) -> (Result<usize, TestError>, Vec<Result<usize, TestError>>) {
    let (leader, one, two, three) = tokio::join!(
        outcome(service, leader),
        outcome(service, streamed()),
        outcome(service, streamed()),
        outcome(service, streamed())
    );
    (leader, vec![one, two, three])
}

#[tokio::test(start_paused = true)]
async fn what_says_nothing_of_the_leader_goes_to_all() {
    let error = fails(FailureKind::Overloaded)
        .hint(secs(7))
        .says(503, "overloaded (Anthropic)");
    let leaf = Leaf::new([Step::Fail(secs(1), error)]);
    let probe = leaf.probe();
    let service = over(leaf);
    let ((leader, others), took) = within(Box::pin(four(&service, streamed()))).await;
    assert_eq!((probe.calls(), took), (1, secs(1)));
    assert_eq!(leader.unwrap_err().layer, None, "the error itself");
    for other in others {
        let error = other.unwrap_err();
        assert_eq!((error.kind, error.hint), (FailureKind::Overloaded, Some(secs(7))));
        let text = "a coalesced identical request failed: overloaded (Anthropic)";
        assert_eq!(error.summary, text);
        let Some(LayerError::CoalescedFailure { status, .. }) = error.layer else {
            panic!("another's")
        };
        assert_eq!(status, Some(503));
    }
    assert_eq!(service.coalescable_calls(), 0);
}

#[tokio::test(start_paused = true)]
async fn a_personal_failure_stays_with_the_leader_and_one_follower_calls_again() {
    for kind in [
        FailureKind::Timeout(Phase::Deadline),
        FailureKind::Cancelled,
        FailureKind::InsufficientFunds,
        FailureKind::Auth,
        FailureKind::Internal,
    ] {
        let leaf = Leaf::new([Step::Fail(secs(1), fails(kind)), slow(3)]);
        let probe = leaf.probe();
        let service = over(leaf);
        let (leader, others) = four(&service, streamed()).await;
        assert_eq!(leader.unwrap_err().kind, kind);
        for other in others {
            assert_eq!(other.unwrap(), 5, "{kind}");
        }
        assert_eq!((probe.calls(), probe.counts().peak), (2, 1), "{kind}");
        probe.assert_quiet();
    }
}

/// The others may have more patience than the leader, whose own timeout it was.
#[tokio::test(start_paused = true)]
async fn a_timeout_of_the_leaders_own_stays_with_it() {
    let mut error = fails(FailureKind::Timeout(Phase::FirstToken));
    error.marks.set_own_timeout();
    let leaf = Leaf::new([Step::Fail(secs(1), error), slow(3)]);
    let probe = leaf.probe();
    let service = over(leaf);
    let (leader, others) = four(&service, streamed()).await;
    assert!(leader.unwrap_err().marks.is_own_timeout());
    assert!(others.iter().all(Result::is_ok));
    assert_eq!(probe.calls(), 2);
}

#[tokio::test(start_paused = true)]
async fn each_asks_at_most_once_and_one_at_a_time() {
    let steps = (0..4).map(|_| Step::Fail(secs(1), fails(FailureKind::InsufficientFunds)));
    let leaf = Leaf::new(steps).ready_after(millis(100));
    let probe = leaf.probe();
    let service = over(leaf);
    let ((leader, others), took) = within(Box::pin(four(&service, streamed()))).await;
    assert_eq!(leader.unwrap_err().kind, FailureKind::InsufficientFunds);
    for other in others {
        assert_eq!(other.unwrap_err().layer, None, "each has its own");
    }
    assert_eq!((probe.calls(), probe.counts().peak), (4, 1));
    assert_eq!(took, millis(4400));
    probe.assert_quiet();
}

#[tokio::test(start_paused = true)]
async fn a_limit_of_ones_own_is_personal_and_an_upstreams_pause_is_not() {
    let own = LayerError::RateLimited {
        limit: Some((1, "requests", secs(1))),
        retry_after: Some(secs(1)),
    };
    let busy = LayerError::RateLimited {
        limit: None,
        retry_after: None,
    };
    let pause = LayerError::Paused {
        model: "a".into(),
        upstream: "router".into(),
        kind: FailureKind::RateLimited,
        retry_after: secs(1),
        ends_in: secs(1),
    };
    assert_eq!([own, busy, pause].map(|error| error.is_personal()), [true, true, false]);
}

fn due_in(left: Duration) -> Request<TestRequest> {
    let mut request = streamed();
    request.body_mut().call_mut().limit_deadline(Instant::now() + left);
    request
}

#[tokio::test(start_paused = true)]
async fn a_failure_for_want_of_the_leaders_time_is_its_own() {
    for (left, hint, calls) in [
        // Its deadline had passed, or came before the hint; the others had more time.
        (secs(1), None, 2),
        (secs(5), Some(secs(30)), 2),
        (secs(90), Some(secs(30)), 1),
        (secs(90), None, 1),
    ] {
        let mut error = fails(FailureKind::Overloaded);
        error.hint = hint;
        let leaf = Leaf::new([Step::Fail(secs(1), error), slow(3)]);
        let probe = leaf.probe();
        let service = over(leaf);
        let (leader, others) = four(&service, due_in(left)).await;
        assert!(leader.is_err());
        assert_eq!(others.iter().filter(|other| other.is_ok()).count(), 3 * (calls - 1));
        assert_eq!(probe.calls(), calls, "{left:?}, {hint:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn after_the_beginning_all_see_the_interruption() {
    for (kind, seen) in [
        (FailureKind::Truncated, FailureKind::Truncated),
        (FailureKind::Timeout(Phase::Idle), FailureKind::Timeout(Phase::Idle)),
        // No caller may take another caller's deadline for its own.
        (FailureKind::Timeout(Phase::Deadline), FailureKind::Truncated),
    ] {
        let beats = [
            Beat::Frame(Stage::Content),
            Beat::Pause(secs(1)),
            Beat::Fail(fails(kind)),
        ];
        let leaf = Leaf::new([Step::body(beats)]);
        let probe = leaf.probe();
        let service = over(leaf);
        let (leader, others) = four(&service, streamed()).await;
        assert_eq!(leader.unwrap_err().kind, kind);
        for other in others {
            assert_eq!(other.unwrap_err().kind, seen);
        }
        assert_eq!(probe.calls(), 1);
        probe.assert_quiet();
    }
}

#[tokio::test(start_paused = true)]
async fn one_that_calls_again_waits_for_readiness_and_may_fail_there() {
    let leaf = Leaf::new([Step::Fail(secs(1), fails(FailureKind::Auth))]).unready(fails(FailureKind::Connect));
    let probe = leaf.probe();
    let service = over(leaf);
    let mut ready = [service.clone(), service.clone()];
    for service in &mut ready {
        service.ready().await.unwrap();
    }
    let [first, second] = ready.map(|mut service| tower::Service::call(&mut service, streamed()));
    let (first, second) = tokio::join!(first, second);
    assert_eq!(first.unwrap_err().kind, FailureKind::Auth);
    assert_eq!(second.unwrap_err().kind, FailureKind::Connect);
    probe.assert_quiet();
}

#[tokio::test(start_paused = true)]
async fn a_leader_that_panics_leaves_no_follower_hanging() {
    for at_the_head in [true, false] {
        let leaf = Leaf::new([slow(3), slow(3)]);
        let probe = leaf.probe();
        let panics = AtomicBool::new(true);
        let panics = Arc::new(panics);
        let inner = leaf.map_response(move |response: http::Response<crate::support::ScriptBody>| {
            let panics = Arc::clone(&panics);
            response.map(|body| {
                use http_body_util::BodyExt;
                let fails = move || assert!(!panics.swap(false, Ordering::Relaxed), "on purpose");
                if at_the_head {
                    fails();
                    return body.map_frame(Box::new(|frame| frame) as Mapped);
                }
                body.map_frame(Box::new(move |frame| {
                    fails();
                    frame
                }) as Mapped)
            })
        });
        let service = layer().layer(inner);
        let local = tokio::task::LocalSet::new();
        let spawn = || {
            let service = service.clone();
            local.spawn_local(async move {
                let response = ask(&service, streamed()).await?;
                let (frames, error) = frames(response.into_body()).await;
                error.map_or(Ok(frames.len()), Err)
            })
        };
        let tasks = [spawn(), spawn()];
        let both = async {
            let [leader, follower] = tasks;
            tokio::join!(leader, follower)
        };
        let ended = tokio::time::timeout(secs(60), local.run_until(both)).await;
        let (leader, follower) = ended.expect("no call hangs");
        // The one that polls it when it panics goes down with it; which one that is, the runtime decides.
        let survivor = match (leader, follower) {
            (Err(panic), Ok(survivor)) => {
                assert!(panic.is_panic());
                let anew = usize::from(at_the_head);
                assert_eq!((survivor.is_ok(), probe.calls()), (at_the_head, 1 + anew));
                survivor
            }
            (Ok(survivor), Err(_)) => survivor,
            both => panic!("one of them panics: {both:?}"),
        };
        match survivor {
            Ok(frames) => assert_eq!(frames, 5, "called again"),
            Err(error) => assert!(matches!(error.layer, Some(LayerError::CoalescedFailure { .. }))),
        }
        assert_eq!(service.coalescable_calls(), 0);
        probe.assert_quiet();
    }
}

type Mapped =
    Box<dyn FnMut(http_body::Frame<crate::support::TestFrame>) -> http_body::Frame<crate::support::TestFrame> + Send>;
