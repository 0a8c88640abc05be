//! An inner service that gives whole answers, such as a cache stores, and one that never answers.

use std::future::{Pending, Ready, pending, ready};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::Bytes;
use http::{HeaderValue, Request, Response};
use http_body::{Body, Frame};
use http_body_util::Full;
use tower::Service;
use tower_openrouter::layers::AttemptLog;
use tower_openrouter::{ApiRequest, ChatBody, ChatFrame, Error};

use crate::leaf::{self, Leaf};
use crate::{drive, ours};

/// Gives every caller the same frames at once. Shares them: a clone of the response copies none.
#[derive(Debug, Clone)]
pub struct Answers {
    frames: Arc<[ChatFrame]>,
    /// Every answer of a stack carries one.
    log: AttemptLog,
}

impl Answers {
    /// A plain answer with a text of this many bytes.
    ///
    /// # Panics
    ///
    /// Never: the answer is well-formed.
    #[must_use]
    pub fn plain(bytes: usize) -> Self {
        Self::saying(&"x".repeat(bytes))
    }

    /// A plain answer with this text.
    ///
    /// # Panics
    ///
    /// Never: the answer is well-formed.
    #[must_use]
    pub fn saying(text: &str) -> Self {
        let text = text.replace('\\', "\\\\").replace('"', "\\\"");
        let json = format!(
            r#"{{"id":"gen-1","object":"chat.completion","created":1,"model":"openai/gpt-5","provider":"OpenAI","choices":[{{"index":0,"message":{{"role":"assistant","content":"{text}"}},"finish_reason":"stop"}}],"usage":{{"prompt_tokens":15,"completion_tokens":9,"total_tokens":24,"cost":0.00001}}}}"#
        );
        Self::read(ChatBody::from_plain(Full::new(Bytes::from(json))))
    }

    /// A streamed answer: this many chunks of text, a finish, and usage.
    ///
    /// # Panics
    ///
    /// Never: the answer is well-formed.
    #[must_use]
    pub fn streamed(chunks: usize) -> Self {
        let end = concat!(
            r#"data: {"id":"gen-1","choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}"#,
            "\n\n",
            r#"data: {"id":"gen-1","choices":[],"usage":{"prompt_tokens":15,"completion_tokens":9,"total_tokens":24,"cost":0.00001}}"#,
            "\n\ndata: [DONE]\n\n"
        );
        let text = leaf::event().repeat(chunks) + end;
        Self::read(ChatBody::from_event_stream(Full::new(Bytes::from(text))))
    }

    fn read(mut body: ChatBody) -> Self {
        let mut context = Context::from_waker(std::task::Waker::noop());
        let mut frames = Vec::new();
        while let Poll::Ready(Some(Ok(frame))) = Pin::new(&mut body).poll_frame(&mut context) {
            frames.extend(frame.into_data().ok());
        }
        assert!(body.is_end_stream() && !frames.is_empty(), "the answer is whole");
        Self {
            frames: frames.into(),
            log: log(),
        }
    }

    /// How many bytes the frames have.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.frames.iter().map(|frame| frame.bytes().len()).sum()
    }

    /// How many frames there are.
    #[must_use]
    pub fn frames(&self) -> usize {
        self.frames.len()
    }
}

impl Service<Request<ApiRequest>> for Answers {
    type Response = Response<FramesBody>;
    type Error = Error;
    type Future = Ready<Result<Self::Response, Error>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Error>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, _: Request<ApiRequest>) -> Self::Future {
        let mut response = Response::new(FramesBody {
            frames: Arc::clone(&self.frames),
            next: 0,
        });
        // As many headers as an upstream sends, roughly.
        for name in ["date", "content-type", "x-generation-id", "server", "cf-ray", "vary"] {
            response.headers_mut().insert(name, HeaderValue::from_static("a value"));
        }
        response.extensions_mut().insert(self.log.clone());
        ready(Ok(response))
    }
}

/// The log of a call that is over.
fn log() -> AttemptLog {
    let mut stack = ours::attempt(Leaf::new(1));
    let response = drive::call(&mut stack, leaf::request());
    let log = response.and_then(|response| response.extensions().get().cloned());
    let Some(log) = log else {
        unreachable!("the inner service answers, and the layer records it")
    };
    log
}

/// Its body.
#[derive(Debug, Clone)]
pub struct FramesBody {
    frames: Arc<[ChatFrame]>,
    next: usize,
}

impl Body for FramesBody {
    type Data = ChatFrame;
    type Error = Error;

    fn poll_frame(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Result<Frame<ChatFrame>, Error>>> {
        let frame = self.frames.get(self.next).cloned();
        self.next += usize::from(frame.is_some());
        Poll::Ready(frame.map(|frame| Ok(Frame::data(frame))))
    }

    fn is_end_stream(&self) -> bool {
        self.next == self.frames.len()
    }
}

/// An inner service whose answers never come.
#[derive(Debug, Clone, Copy)]
pub struct Silent;

impl Service<Request<ApiRequest>> for Silent {
    type Response = Response<FramesBody>;
    type Error = Error;
    type Future = Pending<Result<Self::Response, Error>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Error>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, _: Request<ApiRequest>) -> Self::Future {
        pending()
    }
}
