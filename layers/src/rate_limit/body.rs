use std::{
    pin::Pin,
    task::{Context, Poll, ready},
};

use http_body::{Body, Frame as BodyFrame, SizeHint};
use pin_project::{pin_project, pinned_drop};

use super::bucket::Grant;
use crate::Frame;

/// The body of [`RateLimit`](super::RateLimit): trues the tokens up at its end, however it ends.
#[pin_project(PinnedDrop)]
#[derive(Debug)]
pub struct RateLimitBody<B> {
    #[pin]
    inner: B,
    grant: Option<Grant>,
    prompt: u64,
    /// What the upstream said was used.
    used: Option<u64>,
    /// What was seen, for an answer that ends without a word on it.
    seen: u64,
}

impl<B: Body> RateLimitBody<B> {
    pub(super) fn new(inner: B, granted: Option<(Grant, u64)>) -> Self {
        let (grant, prompt) = granted.map_or((None, 0), |(grant, prompt)| (Some(grant), prompt));
        Self {
            inner,
            grant,
            prompt,
            used: None,
            seen: 0,
        }
    }
}

fn settle(grant: &mut Option<Grant>, prompt: u64, used: Option<u64>, seen: u64) {
    if let Some(mut grant) = grant.take() {
        grant.used(used.unwrap_or_else(|| prompt.saturating_add(seen)));
    }
}

impl<B> Body for RateLimitBody<B>
where
    B: Body,
    B::Data: Frame,
{
    type Data = B::Data;
    type Error = B::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<BodyFrame<Self::Data>, Self::Error>>> {
        let mut this = self.project();
        let frame = ready!(this.inner.as_mut().poll_frame(cx));
        if this.grant.is_some() {
            if let Some(data) = frame.as_ref().and_then(|frame| frame.as_ref().ok()?.data_ref()) {
                *this.used = data.used_tokens().or(*this.used);
                *this.seen = this.seen.saturating_add(u64::from(data.tokens()));
            }
            if !matches!(frame, Some(Ok(_))) || this.inner.is_end_stream() {
                settle(this.grant, *this.prompt, *this.used, *this.seen);
            }
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

#[pinned_drop]
impl<B> PinnedDrop for RateLimitBody<B> {
    fn drop(self: Pin<&mut Self>) {
        let this = self.project();
        settle(this.grant, *this.prompt, *this.used, *this.seen);
    }
}
