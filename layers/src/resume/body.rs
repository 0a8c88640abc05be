//! The body that resumes an interrupted stream.

use std::{
    collections::VecDeque,
    fmt,
    future::Future,
    pin::Pin,
    task::{Context, Poll, ready},
};

use http::{Request, Response};
use http_body::{Body, Frame as BodyFrame, SizeHint};
use pin_project::pin_project;
use tower_service::Service;

use super::resumable::{Emit, ResumableAnswer};
use crate::{Continuable, Failure, Frame, LlmRequest, attempt::Continued};

/// How many steps one turn may take without anything to show.
const A_TURN: usize = 64;

/// The body of [`Resume`](super::Resume): one answer, whichever candidates continued it.
#[pin_project]
pub struct ResumeBody<S, R, B>
where
    S: Service<Request<R>>,
    B: Body,
{
    /// The stream that is being read; `None` during a call for a continuation, and after the end.
    #[pin]
    inner: Option<B>,
    /// What is to be shown next.
    next: VecDeque<B::Data>,
    /// Seldom there, hence not in the body itself.
    asking: Option<Box<Asked<S, R, B>>>,
    /// Why the answer was interrupted last: its error, if the continuation turns out to be none.
    cause: Option<Box<B::Error>>,
    resumable: Option<Box<ResumableAnswer<S, R, B::Data>>>,
}

type Asked<S, R, B> = Asking<Request<R>, <S as Service<Request<R>>>::Future, <B as Body>::Error>;

/// The call for a continuation, and the error that made it necessary.
enum Asking<R, F, E> {
    /// The next, once the service is ready.
    Readying(R, E),
    /// This one.
    Calling(Pin<Box<F>>, E),
    /// No candidate: the answer ends with the error.
    Ended(E),
}

impl<S, R, B> ResumeBody<S, R, B>
where
    S: Service<Request<R>>,
    B: Body,
{
    pub(super) const fn new(inner: B, resumable: Option<Box<ResumableAnswer<S, R, B::Data>>>) -> Self {
        Self {
            inner: Some(inner),
            next: VecDeque::new(),
            asking: None,
            cause: None,
            resumable,
        }
    }
}

impl<S, R, B> Body for ResumeBody<S, R, B>
where
    S: Service<Request<R>, Response = Response<B>, Error = B::Error>,
    R: LlmRequest + Continuable,
    B: Body,
    B::Data: Frame,
    B::Error: Failure,
{
    type Data = B::Data;
    type Error = B::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<BodyFrame<Self::Data>, Self::Error>>> {
        for _ in 0..A_TURN {
            let mut this = self.as_mut().project();
            if let Some(frame) = this.next.pop_front() {
                return Poll::Ready(Some(Ok(BodyFrame::data(frame))));
            }
            let Some(inner) = this.inner.as_mut().as_pin_mut() else {
                if this.asking.is_none() {
                    return Poll::Ready(None);
                }
                match ready!(self.as_mut().poll_ask(cx)) {
                    Ok(()) => continue,
                    Err(error) => return Poll::Ready(Some(Err(error))),
                }
            };
            let read = ready!(inner.poll_frame(cx));
            let Some(resumable) = this.resumable.as_mut() else {
                return Poll::Ready(read);
            };
            match read {
                Some(Ok(frame)) => match frame.into_data() {
                    Ok(data) => match resumable.read(data) {
                        Emit::One(frame) => return Poll::Ready(Some(Ok(BodyFrame::data(frame)))),
                        Emit::Several(frames) => *this.next = frames,
                        Emit::Nothing => {}
                        Emit::Restart => self.as_mut().not_resumed(),
                    },
                    Err(trailers) => return Poll::Ready(Some(Ok(trailers))),
                },
                Some(Err(error)) => {
                    // Whatever it held ends before another candidate is called.
                    this.inner.set(None);
                    match resumable.resume_request(&error) {
                        Some(request) => *this.asking = Some(Box::new(Asking::Readying(request, error))),
                        None => {
                            *this.resumable = None;
                            *this.asking = Some(Box::new(Asking::Ended(error)));
                        }
                    }
                }
                None => {
                    let shown = resumable.close();
                    if matches!(shown, Emit::Restart) {
                        self.as_mut().not_resumed();
                        continue;
                    }
                    *this.resumable = None;
                    this.inner.set(None);
                    match shown {
                        Emit::One(held) => this.next.push_back(held),
                        Emit::Several(held) => *this.next = held,
                        Emit::Nothing | Emit::Restart => {}
                    }
                }
            }
        }
        // If a stream of which nothing is shown is always ready, the timers outside still get a turn.
        cx.waker().wake_by_ref();
        Poll::Pending
    }

    fn is_end_stream(&self) -> bool {
        let read = self.inner.as_ref().is_none_or(Body::is_end_stream);
        let nothing_held = self.resumable.as_ref().is_none_or(|resumable| !resumable.holds());
        read && nothing_held && self.next.is_empty() && self.asking.is_none()
    }

    fn size_hint(&self) -> SizeHint {
        match (&self.inner, &self.resumable) {
            (Some(inner), None) => inner.size_hint(),
            _ => SizeHint::default(),
        }
    }
}

impl<S, R, B> ResumeBody<S, R, B>
where
    S: Service<Request<R>, Response = Response<B>, Error = B::Error>,
    R: LlmRequest + Continuable,
    B: Body,
    B::Data: Frame,
    B::Error: Failure,
{
    /// The continuation is an answer from the start: the answer ends with the error that interrupted it.
    fn not_resumed(self: Pin<&mut Self>) {
        let mut this = self.project();
        this.inner.set(None);
        *this.resumable = None;
        *this.asking = this.cause.take().map(|error| Box::new(Asking::Ended(*error)));
    }

    /// Calls for a continuation. If no candidate continues, the interrupted stream ends with its own error.
    fn poll_ask(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<(), B::Error>> {
        let mut this = self.project();
        let (Some(resumable), Some(asking)) = (this.resumable.as_mut(), this.asking.as_mut()) else {
            return Poll::Ready(match this.asking.take().map(|asking| *asking) {
                Some(Asking::Ended(error)) => Err(error),
                _ => Ok(()),
            });
        };
        let result = match &mut **asking {
            Asking::Readying(..) => ready!(resumable.service.poll_ready(cx)).map(|()| None),
            Asking::Calling(future, _) => ready!(future.as_mut().poll(cx)).map(Some),
            Asking::Ended(_) => Ok(None),
        };
        let Some(asked) = this.asking.take() else {
            return Poll::Ready(Ok(()));
        };
        match (result, *asked) {
            (Ok(None), Asking::Readying(request, error)) => {
                let future = Box::pin(resumable.service.call(request));
                *this.asking = Some(Box::new(Asking::Calling(future, error)));
                Poll::Ready(Ok(()))
            }
            (_, Asking::Ended(error)) => Poll::Ready(Err(error)),
            (Ok(response), Asking::Readying(_, error) | Asking::Calling(_, error)) => {
                let extensions = response.as_ref().map(Response::extensions);
                let mark = extensions.and_then(|extensions| extensions.get().cloned());
                let way = extensions.and_then(|extensions| extensions.get::<Continued>());
                resumable.begin_resume(&error, way.map(|way| way.0).unwrap_or_default(), mark);
                *this.cause = Some(Box::new(error));
                this.inner.set(response.map(Response::into_body));
                Poll::Ready(Ok(()))
            }
            (Err(failed), Asking::Readying(_, error) | Asking::Calling(_, error)) => {
                tracing::warn!(target: "llm::resume", kind = failed.kind().as_str(), why = failed.summary(), "not resumed");
                *this.resumable = None;
                *this.asking = Some(Box::new(Asking::Ended(error)));
                Poll::Ready(Ok(()))
            }
        }
    }
}

impl<S, R, B> fmt::Debug for ResumeBody<S, R, B>
where
    S: Service<Request<R>>,
    B: Body,
{
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let asking = self.asking.is_some();
        f.debug_struct("ResumeBody")
            .field("resumable", &self.resumable)
            .field("asking", &asking)
            .finish_non_exhaustive()
    }
}
