use std::{
    fmt,
    future::Future,
    pin::Pin,
    task::{Context, Poll, ready},
};

use http::Response;
use pin_project::{pin_project, pinned_drop};

use super::{ObserveBody, record::Record};
use crate::{Failure, Frame, call::Opened};

/// The future of [`Observe`](super::Observe) and [`ObserveAttempt`](super::ObserveAttempt).
#[pin_project(PinnedDrop)]
pub struct ObserveFuture<F> {
    #[pin]
    inner: Option<F>,
    record: Record,
    opened: Option<Opened>,
}

impl<F> ObserveFuture<F> {
    pub(super) const fn new(inner: F, record: Record, opened: Option<Opened>) -> Self {
        Self {
            inner: Some(inner),
            record,
            opened,
        }
    }
}

impl<F> fmt::Debug for ObserveFuture<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ObserveFuture").finish_non_exhaustive()
    }
}

impl<F, B, E> Future for ObserveFuture<F>
where
    F: Future<Output = Result<Response<B>, E>>,
    E: Failure,
    B: http_body::Body<Error = E>,
    B::Data: Frame,
{
    type Output = Result<Response<ObserveBody<B>>, E>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let mut this = self.project();
        let Some(future) = this.inner.as_mut().as_pin_mut() else {
            // Polled again after it was ready: stay silent rather than panic.
            return Poll::Pending;
        };
        let result = {
            let _inside = this.record.enter();
            let result = ready!(future.poll(cx));
            this.inner.set(None);
            result
        };
        let mut record = std::mem::take(this.record);
        let result = match this.opened.take() {
            Some(mut opened) => opened.publish(result),
            None => result,
        };
        Poll::Ready(match result {
            Ok(response) => {
                record.responded(response.extensions());
                Ok(response.map(|body| ObserveBody::new(body, record)))
            }
            Err(error) => {
                record.failed(&error);
                Err(error)
            }
        })
    }
}

/// What is below ends first, within the span, so that the record knows how.
#[pinned_drop]
impl<F> PinnedDrop for ObserveFuture<F> {
    fn drop(self: Pin<&mut Self>) {
        let mut this = self.project();
        let _inside = this.record.enter();
        this.inner.set(None);
    }
}
