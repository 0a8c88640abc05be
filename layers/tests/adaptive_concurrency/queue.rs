//! Which calls wait, which go first, and which are refused.

use std::{
    sync::{Arc, Mutex, mpsc::channel},
    task::{Context, Wake, Waker},
};

use tower_llm_layers::{
    FailureKind, Priority,
    adaptive_concurrency::{ConcurrencyLimits, ConcurrencyPolicy},
};

use super::{Bench, overloaded, saturated, within};
use crate::support::{Beat, Leaf, Step, poll_once, secs};

/// Takes ten seconds to its last frame, and begins at once.
fn long() -> Step {
    use tower_llm_layers::Stage;
    Step::body([
        Beat::Frame(Stage::Content),
        Beat::Pause(secs(10)),
        Beat::Frame(Stage::Finish),
    ])
}

fn one_at_a_time(steps: impl IntoIterator<Item = Step>) -> Bench {
    Bench::new(ConcurrencyPolicy::new().initial(1).ceiling(1), Leaf::new(steps))
}

#[tokio::test(start_paused = true)]
async fn people_go_before_batches_each_in_their_order() {
    use Priority::{Batch, Interactive};
    let bench = one_at_a_time([long()]);
    let first = bench.begin(Interactive).await;
    let mut calls = Vec::new();
    for (name, priority) in [("b1", Batch), ("i1", Interactive), ("b2", Batch), ("i2", Interactive)] {
        let call = bench.begin(priority).await;
        calls.push((name, call));
    }
    assert_eq!((bench.report().in_flight, bench.report().waiting), (1, 4));
    first.await.unwrap();
    let mut order = Vec::new();
    while !calls.is_empty() {
        for index in (0..calls.len()).rev() {
            if poll_once(calls[index].1.as_mut()).is_ready() {
                order.push(calls.remove(index).0);
            }
        }
    }
    assert_eq!(order, ["i1", "i2", "b1", "b2"]);
    bench.probe.assert_quiet();
    assert_eq!(bench.report().in_flight, 0);
}

#[tokio::test(start_paused = true)]
async fn the_place_is_held_to_the_end_of_the_stream() {
    let bench = one_at_a_time([long(), long()]);
    let begun = tokio::time::Instant::now();
    let (one, other) = tokio::join!(bench.call(), bench.call());
    one.unwrap();
    other.unwrap();
    assert_eq!(begun.elapsed(), secs(20));
}

#[tokio::test(start_paused = true)]
async fn a_full_queue_refuses_at_once_and_says_so() {
    let policy = ConcurrencyPolicy::new().initial(1).queue(2);
    let bench = Bench::new(policy, Leaf::new([Step::Hang]));
    let _running = bench.begin(Priority::Interactive).await;
    let _waiting = bench.begin(Priority::Interactive).await;
    let left = bench.begin(Priority::Interactive).await;
    let refused = bench.call().await;
    assert_eq!(saturated(&refused), Some(2));
    let error = refused.unwrap_err();
    assert_eq!(error.kind, FailureKind::ConcurrencyLimited);
    assert!(
        error
            .summary
            .starts_with("upstream/m is at its concurrency limit (1 in flight, 2 queued)"),
        "{}",
        error.summary
    );
    // A call that leaves makes room.
    drop(left);
    let mut next = bench.begin(Priority::Interactive).await;
    assert!(poll_once(next.as_mut()).is_pending());
}

#[tokio::test(start_paused = true)]
async fn who_cannot_pass_in_time_is_refused_at_once() {
    let bench = one_at_a_time([long(), long(), long()]);
    // An attempt takes ten seconds.
    bench.call().await.unwrap();
    let _running = bench.begin(Priority::Interactive).await;
    let begun = tokio::time::Instant::now();
    assert_eq!(saturated(&within(&bench, 9).await), Some(0));
    assert_eq!(begun.elapsed(), secs(0));
    let waits = within(&bench, 25);
    tokio::pin!(waits);
    assert!(poll_once(waits.as_mut()).is_pending(), "twenty seconds fit");
    assert_eq!(bench.report().waiting, 1);
}

#[tokio::test(start_paused = true)]
async fn who_leaves_hands_the_turn_on() {
    let bench = one_at_a_time([Step::Hang]);
    let running = bench.begin(Priority::Interactive).await;
    let first = bench.begin(Priority::Interactive).await;
    let second = bench.begin(Priority::Interactive).await;
    let third = bench.begin(Priority::Interactive).await;
    // It leaves while it waits; the next one once it was woken, and not polled.
    drop(first);
    drop(running);
    drop(second);
    third.await.unwrap();
    assert_eq!((bench.report().in_flight, bench.report().waiting), (0, 0));
    assert_eq!(bench.probe.calls(), 2);
    bench.probe.assert_quiet();
}

#[tokio::test(start_paused = true)]
async fn a_lower_limit_takes_nobodys_place() {
    let steps = [long(), long(), Step::fail(overloaded(FailureKind::RateLimited))];
    let bench = Bench::new(ConcurrencyPolicy::new().initial(3).decrease(0.4), Leaf::new(steps));
    let one = bench.begin(Priority::Interactive).await;
    let other = bench.begin(Priority::Interactive).await;
    bench.call().await.unwrap_err();
    assert_eq!((bench.limit(), bench.report().in_flight), (1, 2));
    let mut waits = bench.begin(Priority::Interactive).await;
    one.await.unwrap();
    other.await.unwrap();
    assert!(poll_once(waits.as_mut()).is_ready());
}

#[tokio::test(start_paused = true)]
async fn an_interactive_call_takes_the_place_of_the_last_batch_in_a_full_queue() {
    let policy = ConcurrencyPolicy::new().initial(1).ceiling(1).queue(2);
    let bench = Bench::new(policy, Leaf::new([long()]));
    let running = bench.begin(Priority::Interactive).await;
    let mut older = bench.begin(Priority::Batch).await;
    let mut last = bench.begin(Priority::Batch).await;
    let mut person = bench.begin(Priority::Interactive).await;
    assert!(poll_once(older.as_mut()).is_pending() && poll_once(person.as_mut()).is_pending());
    let std::task::Poll::Ready(refused) = poll_once(last.as_mut()) else {
        panic!("the last batch has lost its place")
    };
    assert_eq!(saturated(&refused), Some(2));
    assert_eq!(bench.report().waiting, 2);
    let mut second = bench.begin(Priority::Interactive).await;
    assert!(poll_once(older.as_mut()).is_ready(), "it was the last one then");
    assert_eq!(saturated(&bench.call().await), Some(2), "no batch is left");
    running.await.unwrap();
    person.await.unwrap();
    assert!(poll_once(second.as_mut()).is_ready());
    assert_eq!((bench.report().in_flight, bench.report().waiting), (0, 0));
    bench.probe.assert_quiet();
}

#[tokio::test(start_paused = true)]
async fn one_place_in_ten_goes_to_the_oldest_batch() {
    let bench = one_at_a_time([long()]);
    let first = bench.begin(Priority::Interactive).await;
    let mut calls = Vec::new();
    for name in ["b1", "b2"] {
        calls.push((name, bench.begin(Priority::Batch).await));
    }
    for _ in 0..30 {
        calls.push(("i", bench.begin(Priority::Interactive).await));
    }
    first.await.unwrap();
    let mut order = Vec::new();
    while !calls.is_empty() {
        for index in (0..calls.len()).rev() {
            if poll_once(calls[index].1.as_mut()).is_ready() {
                order.push(calls.remove(index).0);
            }
        }
    }
    let places: Vec<_> = (0..order.len()).filter(|place| order[*place] != "i").collect();
    assert_eq!(places, [9, 19], "{order:?}");
    assert_eq!((order[9], order[19]), ("b1", "b2"));
}

#[tokio::test(start_paused = true)]
async fn an_unknown_wait_is_not_reported_as_zero() {
    let policy = ConcurrencyPolicy::new().initial(1).ceiling(1).queue(0);
    let bench = Bench::new(policy, Leaf::new([long(), long()]));
    let running = bench.begin(Priority::Interactive).await;
    let error = bench.call().await.unwrap_err();
    assert_eq!(error.hint, Some(secs(1)), "a moment");
    assert!(error.summary.ends_with("is not known yet"), "{}", error.summary);
    running.await.unwrap();
    // One attempt has ended since: it took ten seconds, the end of its answer included.
    let _running = bench.begin(Priority::Interactive).await;
    assert_eq!(bench.call().await.unwrap_err().hint, Some(secs(10)));
}

#[tokio::test(start_paused = true)]
async fn who_leaves_with_a_place_in_hand_says_nothing_of_how_long_one_takes() {
    let bench = one_at_a_time([long(), Step::Hang]);
    let running = bench.begin(Priority::Interactive).await;
    let queued = [
        bench.begin(Priority::Interactive).await,
        bench.begin(Priority::Interactive).await,
    ];
    running.await.unwrap();
    // Each has the place by now, and is not polled again.
    for waits in queued {
        drop(waits);
    }
    let _running = bench.begin(Priority::Interactive).await;
    // An attempt takes ten seconds still.
    assert_eq!(saturated(&within(&bench, 9).await), Some(0));
}

/// Looks at the limits when it is woken, from another thread: a lock that is held meanwhile would be held against it, too.
struct Looks(ConcurrencyLimits, Mutex<Vec<bool>>);

impl Wake for Looks {
    fn wake(self: Arc<Self>) {
        let (limits, (say, said)) = (self.0.clone(), channel());
        std::thread::spawn(move || say.send(limits.reports().len()));
        let is_free = said.recv_timeout(secs(2)).is_ok();
        self.1.lock().unwrap().push(is_free);
    }
}

#[tokio::test(start_paused = true)]
async fn a_batch_that_is_displaced_is_woken_without_a_lock() {
    let policy = ConcurrencyPolicy::new().initial(1).ceiling(1).queue(1);
    let bench = Bench::new(policy, Leaf::new([Step::Hang]));
    let _running = bench.begin(Priority::Interactive).await;
    let mut batch = bench.begin(Priority::Batch).await;
    let looks = Arc::new(Looks(bench.layer.limits().clone(), Mutex::default()));
    let waker = Waker::from(Arc::clone(&looks));
    assert!(batch.as_mut().poll(&mut Context::from_waker(&waker)).is_pending());
    let _interactive = bench.begin(Priority::Interactive).await;
    assert_eq!(*looks.1.lock().unwrap(), [true]);
    assert_eq!(saturated(&batch.await), Some(1));
}
