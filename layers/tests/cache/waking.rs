//! Who is woken when several poll one call at the same moment.

use std::{
    future::Future,
    pin::Pin,
    sync::{Arc, Mutex},
    task::{Context, Poll},
};

use http::{Request, Response};
use tokio_test::{assert_pending, task};
use tower::{Layer, Service, ServiceExt};

use super::layer;
use crate::support::{ScriptBody, TestError, TestRequest, streamed};

type Follower = task::Spawn<Pin<Box<dyn Future<Output = ()> + Send>>>;

/// Never answers. While it is polled, the follower polls the same call.
#[derive(Clone, Default)]
struct Silent {
    follower: Arc<Mutex<Option<Follower>>>,
    /// Whether it asks to be polled again.
    wakes: bool,
}

impl Future for Silent {
    type Output = Result<Response<ScriptBody>, TestError>;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let follower = self.follower.lock().unwrap().take();
        if let Some(mut follower) = follower {
            assert_pending!(follower.poll());
            assert!(!follower.is_woken());
            *self.follower.lock().unwrap() = Some(follower);
        }
        if self.wakes {
            context.waker().wake_by_ref();
        }
        Poll::Pending
    }
}

impl Service<Request<TestRequest>> for Silent {
    type Response = Response<ScriptBody>;
    type Error = TestError;
    type Future = Self;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), TestError>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, _: Request<TestRequest>) -> Self {
        self.clone()
    }
}

/// Else many followers of a silent call would wake each other without end.
#[tokio::test(start_paused = true)]
async fn a_reader_that_polled_in_vain_is_woken_only_if_the_call_has_more_to_do() {
    for wakes in [false, true] {
        let silent = Silent {
            wakes,
            ..Silent::default()
        };
        let service = layer().layer(silent.clone());
        let call = || {
            let service = service.clone();
            let call: Pin<Box<dyn Future<Output = ()> + Send>> = Box::pin(async move {
                let _ended = service.oneshot(streamed()).await;
            });
            task::spawn(call)
        };
        let mut leader = call();
        assert_pending!(leader.poll());
        *silent.follower.lock().unwrap() = Some(call());
        assert_pending!(leader.poll());
        let follower = silent.follower.lock().unwrap().take().unwrap();
        assert_eq!(follower.is_woken(), wakes);
    }
}
