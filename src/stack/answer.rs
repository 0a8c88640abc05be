//! What a caller does with a streamed answer.

use std::{
    future::poll_fn,
    pin::Pin,
    task::{Context, Poll, ready},
};

use futures_core::{FusedStream, Stream};
use http::{Response, response::Parts};
use http_body::Body;
use tower_llm_layers::{AttemptLog, Degraded, FailureKind, Resumed, Resumption};

use super::StackBody;
use crate::{
    ChatFrame, Error,
    assemble::Gathered,
    body::put_together,
    frame::{FrameKind, unreadable},
    held::HeldBody,
};
use openrouter_wire::{ApiAnswer, chat::ChatResponse, usage::Usage};

/// A streamed answer that has begun.
///
/// It ends with `None` only when it is whole; a stream that breaks ends with an error. Dropping it closes the connection. At the call's
/// deadline the connection is closed and everything that the call holds is released, also if the answer is not read; what is read then is
/// the error of the deadline. (A bare `Service` is driven by polls: its body holds all that until it is polled or dropped.)
#[derive(Debug)]
#[must_use = "an answer that is dropped cancels its call"]
pub struct Answer<B = StackBody> {
    parts: Parts,
    body: HeldBody<B>,
    /// The frame that carries the usage: parsed only on request.
    usage: Option<ChatFrame>,
}

impl<B: Body<Data = ChatFrame, Error = Error> + Send + 'static> Answer<B> {
    /// From a response of a stack.
    pub fn new(response: Response<B>) -> Self {
        let (parts, body) = response.into_parts();
        let body = HeldBody::new(body, &parts.extensions);
        Self {
            parts,
            body,
            usage: None,
        }
    }
}

impl<B: Body<Data = ChatFrame, Error = Error>> Answer<B> {
    /// From a response that is read to its end at once.
    pub(crate) fn read_at_once(response: Response<B>) -> Self {
        let (parts, body) = response.into_parts();
        Self {
            parts,
            body: HeldBody::read_at_once(body),
            usage: None,
        }
    }

    /// The next frame, signs of life included.
    ///
    /// # Errors
    ///
    /// If the stream was interrupted, with what was tried: what was shown so far is not the whole answer.
    ///
    /// # Cancellation
    ///
    /// Safe to drop and ask again: no frame is lost.
    pub async fn next_frame(&mut self) -> Option<Result<ChatFrame, Error>> {
        poll_fn(|cx| self.poll_next_frame(cx)).await
    }

    fn poll_next_frame(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<ChatFrame, Error>>> {
        loop {
            let Some(frame) = ready!(self.body.poll_frame(cx)) else {
                return Poll::Ready(None);
            };
            match frame.map(http_body::Frame::into_data) {
                Ok(Ok(frame)) => {
                    if frame.has_usage() {
                        let before = self.usage.take();
                        self.usage = Some(frame.clone().after_usage_of(before.as_ref()));
                    }
                    return Poll::Ready(Some(Ok(frame)));
                }
                // Trailers have no meaning here.
                Ok(Err(_)) => {}
                Err(error) => return Poll::Ready(Some(Err(self.with_attempts(error)))),
            }
        }
    }

    /// The log of this answer, on an error that has none.
    fn with_attempts(&self, error: Error) -> Error {
        error.after_attempts(self.parts.extensions.get())
    }

    /// The next piece of text to show.
    ///
    /// # Errors
    ///
    /// If the stream was interrupted, with what was tried: what was shown so far is not the whole answer.
    ///
    /// # Cancellation
    ///
    /// Safe to drop and ask again: no text is lost.
    pub async fn next_text(&mut self) -> Option<Result<String, Error>> {
        loop {
            match self.next_frame().await? {
                Ok(frame) => {
                    let text = frame.text().filter(|text| !text.is_empty());
                    if let Some(text) = text {
                        return Some(Ok(text.into_owned()));
                    }
                }
                Err(error) => return Some(Err(error)),
            }
        }
    }

    /// All of the text.
    ///
    /// # Errors
    ///
    /// If the stream was interrupted, with what was tried, and with the text that was received: [`Error::partial_text`].
    pub async fn text(mut self) -> Result<String, Error> {
        let mut whole = String::new();
        while let Some(text) = self.next_text().await {
            match text {
                Ok(text) => whole.push_str(&text),
                Err(error) => return Err(error.after_text(whole)),
            }
        }
        Ok(whole)
    }

    /// The whole answer, put together from its pieces as a plain call would have brought it: text, reasoning and its details, tool calls whose
    /// arguments came in fragments, refusal, usage. Read it before any other frame: what was read before is not part of it.
    ///
    /// ```
    /// use tower_openrouter::{ChatRequest, ChatServiceExt, Error, Stack};
    ///
    /// # async fn run(stack: Stack) -> Result<(), Error> {
    /// let answer = stack.stream(ChatRequest::user("Why is the sky blue?")).await?;
    /// let completion = answer.into_completion().await?;
    /// if let Some(choice) = completion.response.choices.first() {
    ///     let message = choice.message.to_message();
    ///     println!("{} calls of tools", message.tool_calls.map_or(0, |calls| calls.len()));
    /// }
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// If the stream was interrupted, with what was tried, and with the text that was received: [`Error::partial_text`].
    /// [`Malformed`](FailureKind::Malformed) if it is an answer of another API than chat.
    ///
    /// # Cancellation
    ///
    /// Dropping the future closes the connection.
    pub async fn into_completion(self) -> Result<Completion, Error> {
        self.assembled(|_| {}).await
    }

    /// The same, which shows each piece of text as it comes.
    pub(crate) async fn assembled<T: ApiAnswer>(mut self, mut show: impl FnMut(&str)) -> Result<Completion<T>, Error> {
        let mut gathered = Gathered::default();
        while let Some(frame) = self.next_frame().await {
            let taken = frame.and_then(|frame| {
                gathered.take(&frame)?;
                Ok(frame)
            });
            match taken {
                Ok(frame) => {
                    if let Some(text) = frame.text().filter(|text| !text.is_empty()) {
                        show(&text);
                    }
                }
                Err(error) => return Err(self.with_attempts(error).after_text(gathered.text())),
            }
        }
        if gathered.api() != T::API {
            let message = format!(
                "this is an answer of the {} API, and no chat's: read its frames",
                gathered.api()
            );
            return Err(self.with_attempts(Error::new(FailureKind::Malformed, message)));
        }
        let plain = put_together(gathered, &self.parts.headers).map_err(|error| self.with_attempts(error))?;
        self.read(&plain)
    }

    /// The one frame of a plain answer, read to the body's end.
    pub(crate) async fn plain(&mut self) -> Result<ChatFrame, Error> {
        let mut plain: Option<ChatFrame> = None;
        while let Some(frame) = self.next_frame().await {
            let frame = match frame {
                Ok(frame) => frame,
                Err(error) => {
                    let text = plain.as_ref().and_then(ChatFrame::text);
                    return Err(error.after_text(text.unwrap_or_default()));
                }
            };
            match frame.kind() {
                FrameKind::Answer => plain = Some(frame),
                FrameKind::KeepAlive => {}
                FrameKind::Chunk => {
                    let message = "the upstream streamed an answer to a plain request";
                    return Err(self.with_attempts(Error::new(FailureKind::Malformed, message)));
                }
            }
        }
        plain.ok_or_else(|| self.with_attempts(Error::new(FailureKind::EmptyResponse, "the answer is empty")))
    }

    pub(crate) async fn whole<T: ApiAnswer>(mut self) -> Result<Completion<T>, Error> {
        let plain = self.plain().await?;
        self.read(&plain)
    }

    fn read<T: ApiAnswer>(self, plain: &ChatFrame) -> Result<Completion<T>, Error> {
        let response = T::from_json(plain.bytes()).map_err(|cause| {
            let error = unreadable("this frame is not a plain answer", &cause);
            let text = plain.text().unwrap_or_default();
            self.with_attempts(error).after_text(text)
        })?;
        let attempts = self.attempts();
        Ok(Completion {
            response,
            attempts,
            parts: self.parts,
        })
    }

    /// The usage, and so the cost: there after the last frame. If the answer was resumed, it is that of the last part alone; the
    /// [attempts](Self::attempts) have all, as far as it is known.
    #[must_use]
    pub fn usage(&self) -> Option<Usage> {
        self.usage.as_ref()?.usage()
    }

    /// What was tried; its last line changes until the stream has ended.
    ///
    /// `None` if no layer of this crate is in the stack.
    #[must_use]
    pub fn attempts(&self) -> Option<AttemptLog> {
        self.parts.extensions.get::<AttemptLog>().cloned()
    }

    /// The generation's id, by which its bill can be looked up.
    #[must_use]
    pub fn generation_id(&self) -> Option<&str> {
        crate::classify::generation_id(&self.parts.headers)
    }

    /// The places at which the answer was interrupted so far, and the candidates that continued it. Empty without [`resume`](super::StackBuilder::resume).
    #[must_use]
    pub fn resumed(&self) -> Vec<Resumption> {
        let resumed = self.parts.extensions.get::<Resumed>();
        resumed.map(Resumed::places).unwrap_or_default()
    }

    /// The mark of a degraded answer: a cheaper model's, a stale one, a canned one. Of a stream it is known when it begins, and
    /// again if a cheaper model continues it.
    #[must_use]
    pub fn degraded(&self) -> Option<Degraded> {
        degraded(&self.parts)
    }

    /// The response's head: status, headers, extensions.
    #[must_use]
    pub const fn parts(&self) -> &Parts {
        &self.parts
    }
}

/// Its frames, signs of life included, as [`next_frame`](Answer::next_frame) gives them. It stays at its end, also after an error.
impl<B: Body<Data = ChatFrame, Error = Error>> Stream for Answer<B> {
    type Item = Result<ChatFrame, Error>;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.get_mut().poll_next_frame(cx)
    }
}

impl<B: Body<Data = ChatFrame, Error = Error>> FusedStream for Answer<B> {
    fn is_terminated(&self) -> bool {
        self.body.is_ended()
    }
}

/// A whole answer, with what was tried.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Completion<T = ChatResponse> {
    /// The answer: of the type that goes with the request.
    pub response: T,
    /// What was tried; `None` if no layer of this crate is in the stack.
    pub attempts: Option<AttemptLog>,
    /// The response's head: status, headers, extensions.
    pub parts: Parts,
}

impl<T> Completion<T> {
    /// The mark of a degraded answer: a cheaper model's, a stale one, a canned one.
    #[must_use]
    pub fn degraded(&self) -> Option<Degraded> {
        degraded(&self.parts)
    }
}

fn degraded(parts: &Parts) -> Option<Degraded> {
    let begun = parts.extensions.get::<Degraded>().cloned();
    begun.or_else(|| parts.extensions.get::<Resumed>()?.degraded())
}
