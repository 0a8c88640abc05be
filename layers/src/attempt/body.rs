use std::{
    pin::Pin,
    task::{Context, Poll, ready},
};

use http_body::{Body, SizeHint};
use pin_project::pin_project;

use crate::{Failure, claim::Claim};

/// The body of [`AttemptService`](super::AttemptService): closes the attempt's line at its end.
#[pin_project]
#[derive(Debug)]
pub struct AttemptBody<B> {
    #[pin]
    inner: B,
    claim: Option<Claim>,
}

impl<B: Body> AttemptBody<B> {
    pub(super) fn new(inner: B, mut claim: Option<Claim>) -> Self {
        if inner.is_end_stream() {
            finish(&mut claim);
        }
        Self { inner, claim }
    }
}

fn finish(claim: &mut Option<Claim>) {
    if let Some(mut claim) = claim.take() {
        let after = claim.answered();
        tracing::debug!(attempt = claim.number, duration = ?after, "answer ended");
    }
}

impl<B> Body for AttemptBody<B>
where
    B: Body,
    B::Error: Failure,
{
    type Data = B::Data;
    type Error = B::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<http_body::Frame<Self::Data>, Self::Error>>> {
        let mut this = self.project();
        let frame = ready!(this.inner.as_mut().poll_frame(cx));
        match &frame {
            // A reader may stop at the last frame, and never ask for the end.
            Some(Ok(_)) if this.inner.is_end_stream() => finish(this.claim),
            Some(Ok(_)) => {}
            Some(Err(error)) => {
                if let Some(mut claim) = this.claim.take() {
                    let after = claim.failed(error);
                    tracing::warn!(
                        attempt = claim.number,
                        kind = error.kind().as_str(),
                        duration = ?after,
                        "answer broke off"
                    );
                }
            }
            None => finish(this.claim),
        }
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.inner.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.inner.size_hint()
    }
}
