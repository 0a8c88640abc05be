use std::{
    future::Future,
    pin::Pin,
    task::{Context, Poll, ready},
};

use http::Response;
use http_body::Body;
use pin_project::pin_project;

use super::{
    ObserveBody,
    record::{End, Record, Recorder},
};
use crate::{Failure, Frame};

/// The future of [`Observe`](super::Observe) and [`ObserveAttempt`](super::ObserveAttempt).
#[pin_project]
#[derive(Debug)]
pub struct ObserveFuture<F, T: Record> {
    #[pin]
    inner: Option<F>,
    recorder: Recorder<T>,
}

impl<F, T: Record> ObserveFuture<F, T> {
    pub(super) const fn new(inner: F, recorder: Recorder<T>) -> Self {
        Self {
            inner: Some(inner),
            recorder,
        }
    }
}

impl<F, T, B, E> Future for ObserveFuture<F, T>
where
    F: Future<Output = Result<Response<B>, E>>,
    T: Record,
    B: Body<Error = E>,
    B::Data: Frame,
    E: Failure,
{
    type Output = Result<Response<ObserveBody<B, T>>, E>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let mut this = self.project();
        let Some(inner) = this.inner.as_mut().as_pin_mut() else {
            // Polled again after it was ready: stay silent rather than panic.
            return Poll::Pending;
        };
        let span = this.recorder.span();
        let result = ready!(span.in_scope(|| inner.poll(cx)));
        span.in_scope(|| this.inner.set(None));
        let mut recorder = std::mem::replace(this.recorder, Recorder::none());
        let result = match recorder.get() {
            Some(record) => record.publish(result),
            None => result,
        };
        Poll::Ready(match result {
            Ok(response) => {
                if let Some(record) = recorder.get() {
                    record.began(response.extensions());
                }
                Ok(response.map(|body| ObserveBody::new(body, recorder)))
            }
            Err(error) => {
                recorder.end(&End::Failed(error.kind(), &error.summary()));
                Err(error)
            }
        })
    }
}
