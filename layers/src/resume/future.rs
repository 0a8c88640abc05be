//! The future that resumes an interrupted stream.

use std::{
    fmt,
    future::Future,
    pin::Pin,
    task::{Context, Poll, ready},
};

use http::{Request, Response};
use http_body::Body;
use pin_project::pin_project;
use tower_service::Service;

use super::{ResumeBody, resumable::ResumableAnswer};
use crate::{AttemptLog, Continuable, Failure, LlmRequest, protocol::publish};

/// The future of [`Resume`](super::Resume).
#[pin_project]
#[must_use = "futures do nothing unless polled"]
pub struct ResumeFuture<S, R, B>
where
    S: Service<Request<R>>,
    B: Body,
{
    #[pin]
    first: Option<S::Future>,
    resumable: Option<Box<ResumableAnswer<S, R, B::Data>>>,
    opened: Option<AttemptLog>,
}

impl<S, R, B> ResumeFuture<S, R, B>
where
    S: Service<Request<R>>,
    B: Body,
{
    pub(super) const fn new(
        first: S::Future,
        resumable: Option<Box<ResumableAnswer<S, R, B::Data>>>,
        opened: Option<AttemptLog>,
    ) -> Self {
        Self {
            first: Some(first),
            resumable,
            opened,
        }
    }
}

impl<S, R, B> Future for ResumeFuture<S, R, B>
where
    S: Service<Request<R>, Response = Response<B>, Error = B::Error>,
    R: LlmRequest + Continuable,
    B: Body,
    B::Error: Failure,
{
    type Output = Result<Response<ResumeBody<S, R, B>>, B::Error>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let mut this = self.project();
        let Some(first) = this.first.as_mut().as_pin_mut() else {
            // Polled again after it was ready: stay silent rather than panic.
            return Poll::Pending;
        };
        let result = ready!(first.poll(cx));
        this.first.set(None);
        let resumable = this.resumable.take();
        let result = result.map(|mut response| {
            if let Some(resumable) = &resumable {
                response.extensions_mut().insert(resumable.resumed().clone());
            }
            response.map(|body| ResumeBody::new(body, resumable))
        });
        Poll::Ready(publish(this.opened, result))
    }
}

impl<S, R, B> fmt::Debug for ResumeFuture<S, R, B>
where
    S: Service<Request<R>>,
    B: Body,
{
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ResumeFuture")
            .field("may_resume", &self.resumable.is_some())
            .finish_non_exhaustive()
    }
}
