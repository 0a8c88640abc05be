//! A body that passes, or frames that were read already.

use std::{
    collections::VecDeque,
    fmt,
    pin::Pin,
    task::{Context, Poll},
};

use http_body::{Body, Frame, SizeHint};
use pin_project::pin_project;

/// A body that passes as it comes, or frames that are there already, and the rest of the body that follows them.
#[pin_project]
pub struct HeldBody<B: Body> {
    #[pin]
    kind: Kind<B>,
}

#[pin_project(project = KindProjection)]
enum Kind<B: Body> {
    Passed(#[pin] B),
    Held(VecDeque<B::Data>, Option<Pin<Box<B>>>),
}

impl<B: Body> HeldBody<B> {
    pub(crate) const fn passed(body: B) -> Self {
        Self {
            kind: Kind::Passed(body),
        }
    }

    pub(crate) const fn held(frames: VecDeque<B::Data>, rest: Option<Pin<Box<B>>>) -> Self {
        Self {
            kind: Kind::Held(frames, rest),
        }
    }
}

impl<B: Body> Body for HeldBody<B> {
    type Data = B::Data;
    type Error = B::Error;

    fn poll_frame(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<B::Data>, B::Error>>> {
        match self.project().kind.project() {
            KindProjection::Passed(body) => body.poll_frame(cx),
            KindProjection::Held(frames, rest) => match (frames.pop_front(), rest) {
                (Some(frame), _) => Poll::Ready(Some(Ok(Frame::data(frame)))),
                (None, Some(rest)) => rest.as_mut().poll_frame(cx),
                (None, None) => Poll::Ready(None),
            },
        }
    }

    fn is_end_stream(&self) -> bool {
        match &self.kind {
            Kind::Passed(body) => body.is_end_stream(),
            Kind::Held(frames, rest) => frames.is_empty() && rest.as_ref().is_none_or(Body::is_end_stream),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match &self.kind {
            Kind::Passed(body) => body.size_hint(),
            Kind::Held(..) => SizeHint::default(),
        }
    }
}

impl<B: Body> fmt::Debug for HeldBody<B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let is_held = matches!(self.kind, Kind::Held(..));
        f.debug_struct("HeldBody")
            .field("is_held", &is_held)
            .finish_non_exhaustive()
    }
}
