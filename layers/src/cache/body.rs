//! The bodies of the cache: a replayed answer, or one that passes.

use std::{
    fmt,
    marker::PhantomData,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
};

use http_body::{Body, Frame as BodyFrame, SizeHint};
use pin_project::pin_project;

use super::{
    entry::{Entry, Piece},
    flight::Reader,
};
use crate::{Failure, Frame, LayerError};

/// The frames of a cached response, all there, without a copy. It never fails; `E` is the error of the bodies that it replaces.
pub struct ReplayBody<D, E> {
    pub(super) entry: Arc<Entry<D>>,
    pub(super) next: usize,
    pub(super) error: PhantomData<fn() -> E>,
}

impl<D: bytes::Buf + Clone, E> Body for ReplayBody<D, E> {
    type Data = D;
    type Error = E;

    fn poll_frame(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Result<BodyFrame<D>, E>>> {
        let piece = self.entry.piece(self.next);
        self.next += usize::from(piece.is_some());
        Poll::Ready(piece.map(|piece| Ok(piece.into_frame())))
    }

    fn is_end_stream(&self) -> bool {
        self.next == self.entry.frames.len() + usize::from(self.entry.trailers.is_some())
    }
}

impl<D, E> fmt::Debug for ReplayBody<D, E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ReplayBody")
            .field("frames", &self.entry.frames.len())
            .field("next", &self.next)
            .finish_non_exhaustive()
    }
}

/// The body of [`CacheService`](super::CacheService): an answer that was kept, one that is shared, or one that went past.
#[pin_project]
pub struct CacheBody<B: Body> {
    #[pin]
    kind: Kind<B>,
}

#[pin_project(project = KindProjection)]
enum Kind<B: Body> {
    Passed(#[pin] B),
    Kept(ReplayBody<B::Data, B::Error>),
    Read(Reader<B::Data, B::Error>),
    Ended,
}

impl<B: Body> CacheBody<B> {
    pub(super) const fn passed(body: B) -> Self {
        Self {
            kind: Kind::Passed(body),
        }
    }

    pub(super) const fn kept(body: ReplayBody<B::Data, B::Error>) -> Self {
        Self { kind: Kind::Kept(body) }
    }

    pub(super) const fn read(reader: Reader<B::Data, B::Error>) -> Self {
        Self {
            kind: Kind::Read(reader),
        }
    }
}

impl<B> Body for CacheBody<B>
where
    B: Body,
    B::Data: Frame + Clone + Send + Sync + 'static,
    B::Error: Failure + From<LayerError> + Send + 'static,
{
    type Data = B::Data;
    type Error = B::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<BodyFrame<Self::Data>, Self::Error>>> {
        let mut kind = self.project().kind;
        let piece = match kind.as_mut().project() {
            KindProjection::Passed(body) => return body.poll_frame(cx),
            KindProjection::Kept(body) => return Pin::new(body).poll_frame(cx),
            KindProjection::Read(reader) => ready!(reader.poll_piece(cx)),
            KindProjection::Ended => None,
        };
        if !matches!(piece, Some(Ok(_))) {
            kind.set(Kind::Ended);
        }
        Poll::Ready(piece.map(|piece| piece.map(Piece::into_frame)))
    }

    fn is_end_stream(&self) -> bool {
        match &self.kind {
            Kind::Passed(body) => body.is_end_stream(),
            Kind::Kept(body) => body.is_end_stream(),
            Kind::Read(reader) => reader.is_read(),
            Kind::Ended => true,
        }
    }

    fn size_hint(&self) -> SizeHint {
        match &self.kind {
            Kind::Passed(body) => body.size_hint(),
            Kind::Kept(_) | Kind::Read(_) | Kind::Ended => SizeHint::default(),
        }
    }
}

impl<B: Body> fmt::Debug for CacheBody<B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match &self.kind {
            Kind::Passed(_) => "CacheBody(passed)",
            Kind::Kept(_) => "CacheBody(kept)",
            Kind::Read(_) => "CacheBody(read)",
            Kind::Ended => "CacheBody(ended)",
        })
    }
}
