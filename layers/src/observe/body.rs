use std::{
    pin::Pin,
    task::{Context, Poll, ready},
};

use http_body::{Body, Frame as BodyFrame, SizeHint};
use pin_project::pin_project;

use super::record::{End, Record, Recorder};
use crate::{Failure, Frame, Stage};

/// The body of [`Observe`](super::Observe) and [`ObserveAttempt`](super::ObserveAttempt).
#[pin_project]
#[derive(Debug)]
pub struct ObserveBody<B, T: Record> {
    #[pin]
    inner: B,
    recorder: Recorder<T>,
}

impl<B: Body, T: Record> ObserveBody<B, T> {
    pub(super) fn new(inner: B, mut recorder: Recorder<T>) -> Self {
        if inner.is_end_stream() {
            recorder.end(&End::Whole);
        }
        Self { inner, recorder }
    }
}

impl<B, T> Body for ObserveBody<B, T>
where
    B: Body,
    B::Data: Frame,
    B::Error: Failure,
    T: Record,
{
    type Data = B::Data;
    type Error = B::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<BodyFrame<Self::Data>, Self::Error>>> {
        let mut this = self.project();
        let Some(record) = this.recorder.get() else {
            return this.inner.poll_frame(cx);
        };
        let _inside = record.span().clone().entered();
        let frame = ready!(this.inner.as_mut().poll_frame(cx));
        match &frame {
            Some(Ok(frame)) => {
                if let Some(data) = frame.data_ref().filter(|data| data.stage() != Stage::KeepAlive) {
                    record.chunk(data.token_usage());
                }
                // A reader may stop at the last frame, and never ask for the end.
                if this.inner.is_end_stream() {
                    this.recorder.end(&End::Whole);
                }
            }
            Some(Err(error)) => this.recorder.end(&End::Failed(error.kind(), &error.summary())),
            None => this.recorder.end(&End::Whole),
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
