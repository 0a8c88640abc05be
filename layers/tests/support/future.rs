//! The future of the test service, which panics if it is polled after its end.

use std::{
    future::Future,
    pin::Pin,
    task::{Context, Poll, ready},
    time::Duration,
};

use http::Response;
use tokio::time::{Sleep, sleep};

use super::{Probe, ScriptBody, Step, TestError};

/// An attempt at the inner service. Panics if it is polled after it was ready.
#[derive(Debug)]
pub(crate) struct LeafFuture {
    step: Option<Step>,
    delay: Option<Pin<Box<Sleep>>>,
    probe: Probe,
}

impl LeafFuture {
    pub(super) const fn new(step: Step, probe: Probe) -> Self {
        Self {
            step: Some(step),
            delay: None,
            probe,
        }
    }
}

impl Future for LeafFuture {
    type Output = Result<Response<ScriptBody>, TestError>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let wait = match self.step.as_ref().expect("polled after it was ready") {
            Step::Hang => return Poll::Pending,
            Step::Fail(after, _) | Step::Answer(after, _) => *after,
        };
        if wait > Duration::ZERO {
            let delay = self.delay.get_or_insert_with(|| Box::pin(sleep(wait)));
            ready!(delay.as_mut().poll(cx));
        }
        self.probe.change(|counts| counts.in_flight -= 1);
        let probe = self.probe.clone();
        Poll::Ready(match self.step.take() {
            Some(Step::Answer(_, beats)) => Ok(Response::new(ScriptBody::new(beats, probe))),
            Some(Step::Fail(_, error)) => Err(error),
            Some(Step::Hang) | None => unreachable!(),
        })
    }
}

impl Drop for LeafFuture {
    fn drop(&mut self) {
        if self.step.is_some() {
            self.probe.change(|counts| {
                counts.in_flight -= 1;
                counts.futures_dropped += 1;
            });
        }
    }
}
