//! Threads that really run at once.

use std::{
    pin::Pin,
    sync::{
        Arc, Barrier, Mutex,
        atomic::{AtomicUsize, Ordering},
        mpsc::{Receiver, Sender, channel},
    },
    task::{Context, Poll, Waker},
    thread,
};

use http::{Request, Response};
use http_body::{Body, Frame as BodyFrame};
use http_body_util::BodyExt;
use tower::{Layer, Service};
use tower_llm_layers::{
    GlobalKey, Stage,
    cache::{Cache, CacheLayer},
};

use super::{MIB, frames};
use crate::support::{TestError, TestFrame, TestRequest, ask, streamed};

const FRAMES: usize = 50;
const ROUNDS: usize = 60;

const fn frame(index: usize) -> TestFrame {
    TestFrame {
        stage: if index + 1 == FRAMES {
            Stage::Finish
        } else {
            Stage::Content
        },
        index,
        used: None,
        usage: None,
        size: 1,
    }
}

/// What a body does when it is polled.
type Polling = Arc<Mutex<dyn FnMut(usize, &Waker) -> Poll<()> + Send>>;

/// Answers at once with fifty frames, each of which comes when it likes.
#[derive(Clone)]
struct Moody {
    calls: Arc<AtomicUsize>,
    polling: Polling,
}

impl Moody {
    fn new(polling: impl FnMut(usize, &Waker) -> Poll<()> + Send + 'static) -> Self {
        Self {
            calls: Arc::default(),
            polling: Arc::new(Mutex::new(polling)),
        }
    }
}

impl Service<Request<TestRequest>> for Moody {
    type Response = Response<MoodyBody>;
    type Error = TestError;
    type Future = std::future::Ready<Result<Response<MoodyBody>, TestError>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), TestError>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, _: Request<TestRequest>) -> Self::Future {
        self.calls.fetch_add(1, Ordering::Relaxed);
        std::future::ready(Ok(Response::new(MoodyBody(Arc::clone(&self.polling), 0))))
    }
}

struct MoodyBody(Polling, usize);

impl Body for MoodyBody {
    type Data = TestFrame;
    type Error = TestError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<BodyFrame<TestFrame>, TestError>>> {
        let index = self.1;
        if index == FRAMES {
            return Poll::Ready(None);
        }
        let polled = (self.0.lock().unwrap())(index, cx.waker());
        polled.map(|()| {
            self.1 += 1;
            Some(Ok(BodyFrame::data(frame(index))))
        })
    }
}

/// Each frame is pending up to twice, and wakes at once, or from another thread: while the poll is under way, or after it.
fn restless() -> Moody {
    let mut pendings = 0;
    Moody::new(move |index, waker| {
        pendings += 1;
        if pendings > index % 3 {
            pendings = 0;
            return Poll::Ready(());
        }
        let waker = waker.clone();
        if index.is_multiple_of(2) {
            waker.wake();
        } else {
            thread::spawn(move || waker.wake());
        }
        Poll::Pending
    })
}

/// Six threads ask the same at once, sixty times; this is how many calls it took.
fn calls(leaves: bool) -> usize {
    const THREADS: usize = 6;
    let leaf = restless();
    let service = CacheLayer::new(Cache::new(MIB), GlobalKey).layer(leaf.clone());
    let start = Arc::new(Barrier::new(THREADS));
    let threads: Vec<_> = (0..THREADS)
        .map(|number| {
            let (service, start) = (service.clone(), Arc::clone(&start));
            thread::spawn(move || {
                let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
                for round in 0..ROUNDS {
                    if start.wait().is_leader() {
                        service.cache().clear();
                    }
                    start.wait();
                    runtime.block_on(async {
                        let mut body = ask(&service, streamed()).await.unwrap().into_body();
                        if leaves && number % 2 == 1 {
                            for _ in 0..(round * 7 + number) % FRAMES {
                                body.frame().await.unwrap().unwrap();
                            }
                            return;
                        }
                        let (frames, error) = frames(body).await;
                        assert!(error.is_none());
                        assert!(frames.iter().map(|frame| frame.index).eq(0..FRAMES));
                    });
                }
            })
        })
        .collect();
    for thread in threads {
        thread.join().unwrap();
    }
    assert_eq!(service.coalescable_calls(), 0);
    leaf.calls.load(Ordering::Relaxed)
}

#[test]
fn threads_that_ask_the_same_make_one_call_between_them() {
    assert_eq!(calls(false), ROUNDS);
}

#[test]
fn threads_that_leave_in_the_middle_harm_no_other() {
    assert!(calls(true) >= ROUNDS);
}

/// An inner service whose first frame waits inside the poll: it sends `in`, and continues on a signal.
fn held(answers: bool) -> (Moody, Receiver<()>, Sender<()>) {
    let (entered, enters) = channel();
    let (go, goes) = channel();
    let leaf = Moody::new(move |index, waker| {
        if index > 0 {
            return Poll::Pending;
        }
        entered.send(()).unwrap();
        goes.recv().unwrap();
        if answers {
            return Poll::Ready(());
        }
        // The wake comes while the poll is under way.
        waker.wake_by_ref();
        entered.send(()).unwrap();
        goes.recv().unwrap();
        Poll::Pending
    });
    (leaf, enters, go)
}

#[test]
fn a_reader_that_comes_during_a_poll_is_woken_after_it() {
    for answers in [true, false] {
        let (leaf, enters, go) = held(answers);
        let service = CacheLayer::new(Cache::new(MIB), GlobalKey).layer(leaf);
        let body = || {
            let mut response = tokio_test::task::spawn(ask(&service, streamed()));
            let Poll::Ready(Ok(response)) = response.poll() else {
                panic!("it is there at once")
            };
            response.into_body()
        };
        let (mut one, mut other) = (body(), body());
        let polls = thread::spawn(move || {
            // Polled once, and then neither polled nor dropped.
            let mut frame = tokio_test::task::spawn(one.frame());
            let ready = frame.poll().is_ready();
            drop(frame);
            (one, ready)
        });
        enters.recv().unwrap();
        let mut waiting = tokio_test::task::spawn(other.frame());
        assert!(waiting.poll().is_pending());
        go.send(()).unwrap();
        if !answers {
            enters.recv().unwrap();
            assert!(waiting.is_woken());
            assert!(waiting.poll().is_pending());
            go.send(()).unwrap();
        }
        let (_one, ready) = polls.join().unwrap();
        assert_eq!(ready, answers);
        assert!(waiting.is_woken(), "answers: {answers}");
    }
}
