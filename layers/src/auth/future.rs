//! The future of an attempt with its key, and what the pool learns from how it ends.

use std::{
    fmt,
    future::Future,
    pin::Pin,
    task::{Context, Poll, ready},
};

use http::{HeaderValue, Request, Response, header::AUTHORIZATION};
use pin_project::pin_project;
use tower_service::Service;

use super::{ApiKey, KeyFuture, pool::Taken, service::no_key};
use crate::{Failure, FailureKind, LayerError, LlmRequest, Scope, call::Preparing};

/// The future of [`Auth`](super::Auth).
#[pin_project]
pub struct AuthFuture<S, Q>
where
    S: Service<Q>,
{
    #[pin]
    state: State<S, Q, S::Future>,
    used: Used,
}

#[pin_project(project = StateProjection)]
enum State<S, Q, F> {
    Fetching {
        key: KeyFuture,
        waiting: Option<Box<(S, Q, String)>>,
    },
    Calling(#[pin] F),
    Refused(Option<LayerError>),
    Ended,
}

/// Which key this attempt used.
pub(super) enum Used {
    Static,
    /// Of a pool, for a candidate of this quota.
    Pooled(Taken, u64),
    Told,
}

impl<S, R> AuthFuture<S, Request<R>>
where
    S: Service<Request<R>>,
{
    pub(super) fn with_key(service: &mut S, mut request: Request<R>, key: Option<&ApiKey>, used: Used) -> Self {
        if let Some(key) = key {
            put(&mut request, key.header().clone());
        }
        Self {
            state: State::Calling(service.call(request)),
            used,
        }
    }

    pub(super) fn fetching(key: KeyFuture, service: S, request: Request<R>, upstream: String) -> Self
    where
        R: LlmRequest,
    {
        // If it is dropped before the key is there, nothing was sent.
        if let Some(attempt) = request.body().call().attempt() {
            attempt.prepares(Preparing::Key);
        }
        let waiting = Some(Box::new((service, request, upstream)));
        Self {
            state: State::Fetching { key, waiting },
            used: Used::Static,
        }
    }

    pub(super) const fn refused(error: LayerError) -> Self {
        Self {
            state: State::Refused(Some(error)),
            used: Used::Static,
        }
    }
}

fn put<R>(request: &mut Request<R>, value: HeaderValue) {
    request.headers_mut().insert(AUTHORIZATION, value);
}

impl<S, Q> fmt::Debug for AuthFuture<S, Q>
where
    S: Service<Q>,
{
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AuthFuture").finish_non_exhaustive()
    }
}

impl<S, R, B> Future for AuthFuture<S, Request<R>>
where
    S: Service<Request<R>, Response = Response<B>>,
    S::Error: Failure + From<LayerError>,
    R: LlmRequest,
{
    type Output = Result<Response<B>, S::Error>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let mut this = self.project();
        loop {
            match this.state.as_mut().project() {
                StateProjection::Fetching { key, waiting } => {
                    let key = ready!(key.as_mut().poll(cx));
                    let Some(waiting) = waiting.take() else {
                        return Poll::Pending;
                    };
                    let (mut service, mut request, upstream) = *waiting;
                    match key {
                        Ok(key) => {
                            put(&mut request, key.header().clone());
                            if let Some(attempt) = request.body().call().attempt() {
                                attempt.sent();
                            }
                            this.state.set(State::Calling(service.call(request)));
                        }
                        Err(reason) => {
                            let error = no_key(Some(&upstream), reason, None);
                            this.state.set(State::Refused(Some(error)));
                        }
                    }
                }
                StateProjection::Calling(future) => {
                    let mut result = ready!(future.poll(cx));
                    this.state.set(State::Ended);
                    if let Used::Pooled(taken, quota) = std::mem::replace(this.used, Used::Told) {
                        report(taken, quota, &mut result);
                    }
                    return Poll::Ready(result);
                }
                StateProjection::Refused(error) => {
                    let Some(error) = error.take() else {
                        return Poll::Pending;
                    };
                    tracing::warn!(%error, "no key");
                    let mut error = S::Error::from(error);
                    error.marks_mut().set_local();
                    return Poll::Ready(Err(error));
                }
                // Polled again after it was ready: stay silent rather than panic.
                StateProjection::Ended => return Poll::Pending,
            }
        }
    }
}

/// Tells the pool how its key fared, and the error whether another one is left.
fn report<T, E: Failure>(taken: Taken, quota: u64, result: &mut Result<T, E>) {
    let Err(error) = result else { return taken.accepted() };
    let hint = error.retry_after();
    let another = match (error.kind(), error.scope()) {
        (FailureKind::Auth, _) => taken.rejected(),
        (FailureKind::RateLimited | FailureKind::InsufficientFunds, Scope::Upstream) => taken.throttled(hint),
        (FailureKind::QuotaExhausted, Scope::Upstream) => taken.exhausted(hint, None),
        // Another key may be another account's, with a quota of its own.
        (FailureKind::QuotaExhausted, Scope::Pool) => taken.exhausted(hint, Some(quota)),
        _ => return,
    };
    tracing::warn!(kind = error.kind().as_str(), another, "key rests");
    error.marks_mut().set_other_key(another);
}
