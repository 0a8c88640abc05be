//! Readers that leave, at every await, with and without others.

use std::{
    future::Future,
    pin::Pin,
    task::{Context, Poll},
};

use http_body_util::BodyExt;
use tokio::time::timeout;
use tower::{Service, ServiceExt};
use tower_llm_layers::{FailureKind, Stage};

use super::{TestService, frames, over, places, slow};
use crate::support::{Beat, Leaf, Step, TestError, TestFrame, ask, fails, millis, poll_once, secs, streamed};

/// A future that is dropped where it would be polled this often.
struct Killed<F> {
    future: Option<Pin<Box<F>>>,
    polls: usize,
}

impl<F: Future> Future for Killed<F> {
    type Output = Option<F::Output>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        if self.polls == 0 {
            self.future = None;
            return Poll::Ready(None);
        }
        self.polls -= 1;
        let future = self.future.as_mut().expect("polled once it was killed");
        future.as_mut().poll(cx).map(Some)
    }
}

fn killed<F: Future>(polls: usize, future: F) -> Killed<F> {
    Killed {
        future: Some(Box::pin(future)),
        polls,
    }
}

async fn whole(service: TestService, after: u64) -> (Vec<TestFrame>, Option<TestError>) {
    tokio::time::sleep(millis(after)).await;
    match ask(&service, streamed()).await {
        Ok(response) => frames(response.into_body()).await,
        Err(error) => (Vec::new(), Some(error)),
    }
}

#[tokio::test(start_paused = true)]
async fn a_leader_that_is_dropped_at_any_await_leaves_no_follower_hanging() {
    let mut died = 0;
    for polls in 0..40 {
        let leaf = Leaf::new([slow(8)]);
        let probe = leaf.probe();
        let service = over(leaf);
        let all = async {
            tokio::join!(
                killed(polls, whole(service.clone(), 0)),
                whole(service.clone(), 0),
                whole(service.clone(), 35)
            )
        };
        let (first, second, third) = timeout(secs(60), all).await.expect("no call hangs");
        died += usize::from(first.is_none());
        for (frames, error) in [second, third] {
            assert!(error.is_none());
            assert_eq!(
                places(&frames),
                (0..10).collect::<Vec<_>>(),
                "killed after {polls} polls"
            );
        }
        assert_eq!(probe.calls(), 1, "killed after {polls} polls");
        assert_eq!(service.coalescable_calls(), 0);
        probe.assert_quiet();
    }
    assert!((5..40).contains(&died), "{died}");
}

#[tokio::test(start_paused = true)]
async fn followers_that_are_dropped_at_any_await_harm_no_other() {
    for polls in 0..40 {
        let leaf = Leaf::new([slow(8)]);
        let probe = leaf.probe();
        let service = over(leaf);
        let (first, _, _, last) = tokio::join!(
            whole(service.clone(), 0),
            killed(polls, whole(service.clone(), 0)),
            killed(polls / 2, whole(service.clone(), 25)),
            whole(service.clone(), 35)
        );
        assert_eq!((first.0.len(), last.0.len(), probe.calls()), (10, 10, 1));
        probe.assert_quiet();
    }
}

#[tokio::test(start_paused = true)]
async fn when_all_have_left_the_call_is_dropped_at_once() {
    for polls in 1..20 {
        let leaf = Leaf::new([slow(8), Step::ok()]);
        let probe = leaf.probe();
        let service = over(leaf);
        tokio::join!(
            killed(polls, whole(service.clone(), 0)),
            killed(polls, whole(service.clone(), 0))
        );
        let counts = probe.counts();
        let open = counts.bodies_open + counts.in_flight;
        assert_eq!((open, service.coalescable_calls()), (0, 0), "after {polls} polls");
        if counts.bodies_dropped + counts.futures_dropped > 0 {
            let (again, error) = whole(service.clone(), 0).await;
            assert!(error.is_none());
            assert_eq!((again.len(), probe.calls()), (2, 2), "called again");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_leader_dropped_before_it_was_polled_is_carried_on() {
    let leaf = Leaf::new([slow(3)]);
    let probe = leaf.probe();
    let mut service = over(leaf);
    let leader = service.ready().await.unwrap().call(streamed());
    let follower = service.ready().await.unwrap().call(streamed());
    drop(leader);
    let (frames, error) = frames(Box::pin(follower.await.unwrap().into_body())).await;
    assert!(error.is_none());
    assert_eq!((frames.len(), probe.calls()), (5, 1));
}

#[tokio::test(start_paused = true)]
async fn a_waiting_reader_is_woken_when_the_polling_one_is_dropped() {
    // The leader polls the call and goes away while the follower, polled before, waits for its waker alone.
    let leaf = Leaf::new([Step::body([
        Beat::Frame(Stage::Content),
        Beat::Pause(secs(1)),
        Beat::Frame(Stage::Finish),
    ])]);
    let service = over(leaf);
    let (leader, follower) = tokio::join!(ask(&service, streamed()), ask(&service, streamed()));
    let (mut leader, mut follower) = (leader.unwrap().into_body(), follower.unwrap().into_body());
    leader.frame().await.unwrap().unwrap();
    follower.frame().await.unwrap().unwrap();
    let mut waiting = tokio_test::task::spawn(follower.frame());
    assert!(waiting.poll().is_pending());
    assert!(poll_once(std::pin::pin!(leader.frame())).is_pending());
    drop(leader);
    assert!(waiting.is_woken());
}

#[tokio::test(start_paused = true)]
async fn the_others_see_it_fail_after_the_leader_has_left() {
    let leaf = Leaf::new([Step::Fail(secs(1), fails(FailureKind::Overloaded))]);
    let probe = leaf.probe();
    let service = over(leaf);
    let (_, (none, error)) = tokio::join!(
        timeout(millis(500), whole(service.clone(), 0)),
        whole(service.clone(), 10)
    );
    assert!(none.is_empty());
    assert_eq!((error.unwrap().kind, probe.calls()), (FailureKind::Overloaded, 1));
}
