use std::{
    future::Future,
    pin::Pin,
    task::{Context, Poll, ready},
};

use http::Response;
use pin_project::pin_project;

use super::AttemptBody;
use crate::{Failure, call::Opened, claim::Claim};

/// The future of [`AttemptService`](super::AttemptService).
#[pin_project]
#[derive(Debug)]
pub struct AttemptFuture<F, E> {
    #[pin]
    state: State<F, E>,
    opened: Opened,
}

#[pin_project(project = StateProjection)]
#[derive(Debug)]
enum State<F, E> {
    Started {
        #[pin]
        future: F,
        claim: Option<Claim>,
    },
    Refused(Option<E>),
    Ended,
}

impl<F, E> AttemptFuture<F, E> {
    pub(super) const fn started(future: F, claim: Claim, opened: Opened) -> Self {
        Self {
            state: State::Started {
                future,
                claim: Some(claim),
            },
            opened,
        }
    }

    pub(super) const fn refused(error: E, opened: Opened) -> Self {
        Self {
            state: State::Refused(Some(error)),
            opened,
        }
    }
}

impl<F, B, E> Future for AttemptFuture<F, E>
where
    F: Future<Output = Result<Response<B>, E>>,
    E: Failure,
    B: http_body::Body<Error = E>,
{
    type Output = Result<Response<AttemptBody<B>>, E>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let mut this = self.project();
        let result = match this.state.as_mut().project() {
            StateProjection::Started { future, claim } => {
                let result = ready!(future.poll(cx));
                let claim = claim.take();
                this.state.set(State::Ended);
                settle(result, claim)
            }
            StateProjection::Refused(error) => match error.take() {
                Some(error) => Err(error),
                // Polled again after it was ready: stay silent rather than panic.
                None => return Poll::Pending,
            },
            StateProjection::Ended => return Poll::Pending,
        };
        Poll::Ready(this.opened.publish(result))
    }
}

/// Writes down how the attempt began, or failed.
fn settle<B, E>(result: Result<Response<B>, E>, claim: Option<Claim>) -> Result<Response<AttemptBody<B>>, E>
where
    E: Failure,
    B: http_body::Body<Error = E>,
{
    match result {
        Ok(response) => {
            if let Some(claim) = &claim {
                let after = claim.began();
                tracing::debug!(attempt = claim.number, first_token = ?after, "answer began");
            }
            Ok(response.map(|body| AttemptBody::new(body, claim)))
        }
        Err(error) => {
            if let Some(mut claim) = claim {
                let after = claim.failed(&error);
                tracing::warn!(
                    attempt = claim.number,
                    kind = error.kind().as_str(),
                    status = error.status(),
                    retry_after = ?error.retry_after(),
                    duration = ?after,
                    "attempt failed"
                );
            }
            Err(error)
        }
    }
}
