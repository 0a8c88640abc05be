//! The body: an answer that was put together, or one that passed as it is.

use std::{
    pin::Pin,
    task::{Context, Poll},
};

use http_body::{Body, Frame, SizeHint};
use pin_project::pin_project;

use crate::{ChatFrame, Error};

/// The body of [`StreamUpstream`](super::StreamUpstream): an answer that was put together, or one that passed as it is.
#[pin_project]
#[derive(Debug)]
pub struct StreamUpstreamBody<B> {
    #[pin]
    kind: Kind<B>,
}

#[pin_project(project = KindProjection)]
#[derive(Debug)]
enum Kind<B> {
    Passed(#[pin] B),
    Whole(Option<ChatFrame>),
}

impl<B> StreamUpstreamBody<B> {
    pub(super) const fn passed(body: B) -> Self {
        Self {
            kind: Kind::Passed(body),
        }
    }

    pub(super) const fn whole(frame: ChatFrame) -> Self {
        Self {
            kind: Kind::Whole(Some(frame)),
        }
    }
}

impl<B> Body for StreamUpstreamBody<B>
where
    B: Body<Data = ChatFrame, Error = Error>,
{
    type Data = ChatFrame;
    type Error = Error;

    fn poll_frame(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<ChatFrame>, Error>>> {
        match self.project().kind.project() {
            KindProjection::Passed(body) => body.poll_frame(cx),
            KindProjection::Whole(frame) => Poll::Ready(frame.take().map(|frame| Ok(Frame::data(frame)))),
        }
    }

    fn is_end_stream(&self) -> bool {
        match &self.kind {
            Kind::Passed(body) => body.is_end_stream(),
            Kind::Whole(frame) => frame.is_none(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match &self.kind {
            Kind::Passed(body) => body.size_hint(),
            Kind::Whole(_) => SizeHint::default(),
        }
    }
}
