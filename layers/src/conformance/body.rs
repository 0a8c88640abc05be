use std::{
    collections::VecDeque,
    fmt,
    pin::Pin,
    task::{Context, Poll},
};

use http_body::{Body, Frame as BodyFrame, SizeHint};
use pin_project::pin_project;

/// The body of [`Conformance`](super::Conformance): an answer that was checked, or one that passes as it comes.
#[pin_project]
pub struct ConformanceBody<B: Body> {
    #[pin]
    kind: Kind<B>,
}

#[pin_project(project = KindProjection)]
enum Kind<B: Body> {
    Passed(#[pin] B),
    /// What was read, and what is left of an answer that is too large to be checked.
    Read(VecDeque<B::Data>, Option<Pin<Box<B>>>),
}

impl<B: Body> ConformanceBody<B> {
    pub(super) const fn passed(body: B) -> Self {
        Self {
            kind: Kind::Passed(body),
        }
    }

    pub(super) const fn read(frames: VecDeque<B::Data>, rest: Option<Pin<Box<B>>>) -> Self {
        Self {
            kind: Kind::Read(frames, rest),
        }
    }
}

impl<B: Body> Body for ConformanceBody<B> {
    type Data = B::Data;
    type Error = B::Error;

    fn poll_frame(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<BodyFrame<B::Data>, B::Error>>> {
        match self.project().kind.project() {
            KindProjection::Passed(body) => body.poll_frame(cx),
            KindProjection::Read(frames, rest) => match (frames.pop_front(), rest) {
                (Some(frame), _) => Poll::Ready(Some(Ok(BodyFrame::data(frame)))),
                (None, Some(rest)) => rest.as_mut().poll_frame(cx),
                (None, None) => Poll::Ready(None),
            },
        }
    }

    fn is_end_stream(&self) -> bool {
        match &self.kind {
            Kind::Passed(body) => body.is_end_stream(),
            Kind::Read(frames, rest) => frames.is_empty() && rest.as_ref().is_none_or(Body::is_end_stream),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match &self.kind {
            Kind::Passed(body) => body.size_hint(),
            Kind::Read(..) => SizeHint::default(),
        }
    }
}

impl<B: Body> fmt::Debug for ConformanceBody<B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let is_read = matches!(self.kind, Kind::Read(..));
        f.debug_struct("ConformanceBody")
            .field("is_read", &is_read)
            .finish_non_exhaustive()
    }
}
