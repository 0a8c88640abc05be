use std::{
    collections::VecDeque,
    fmt,
    pin::Pin,
    task::{Context, Poll},
};

use http_body::{Body, Frame, SizeHint};
use pin_project::pin_project;

/// The body of [`Degrade`](super::Degrade): the answer from below, or what stands in for it.
#[pin_project]
pub struct DegradeBody<B: Body> {
    #[pin]
    kind: Kind<B>,
}

#[pin_project(project = KindProjection)]
enum Kind<B: Body> {
    Answer(#[pin] B),
    StandIn(VecDeque<B::Data>),
}

impl<B: Body> DegradeBody<B> {
    pub(super) const fn answer(body: B) -> Self {
        Self {
            kind: Kind::Answer(body),
        }
    }

    pub(super) fn stand_in(frames: Vec<B::Data>) -> Self {
        Self {
            kind: Kind::StandIn(frames.into()),
        }
    }
}

impl<B: Body> fmt::Debug for DegradeBody<B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let stands_in = matches!(self.kind, Kind::StandIn(_));
        f.debug_struct("DegradeBody")
            .field("stands_in", &stands_in)
            .finish_non_exhaustive()
    }
}

impl<B: Body> Body for DegradeBody<B> {
    type Data = B::Data;
    type Error = B::Error;

    fn poll_frame(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Self::Data>, Self::Error>>> {
        match self.project().kind.project() {
            KindProjection::Answer(body) => body.poll_frame(cx),
            KindProjection::StandIn(frames) => Poll::Ready(frames.pop_front().map(|frame| Ok(Frame::data(frame)))),
        }
    }

    fn is_end_stream(&self) -> bool {
        match &self.kind {
            Kind::Answer(body) => body.is_end_stream(),
            Kind::StandIn(frames) => frames.is_empty(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match &self.kind {
            Kind::Answer(body) => body.size_hint(),
            Kind::StandIn(_) => SizeHint::default(),
        }
    }
}
