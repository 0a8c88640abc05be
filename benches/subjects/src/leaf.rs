//! The inner service: its answer is ready when it is called.

use std::future::{Ready, ready};
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use http::{Request, Response};
use http_body::{Body, Frame};
use http_body_util::Full;
use tower::Service;
use tower_openrouter::{ApiRequest, ChatBody, ChatFrame, ChatRequest, Error};

/// A chunk of a stream as OpenRouter sends it.
const EVENT: &str = concat!(
    r#"data: {"id":"gen-1762300000-x","provider":"OpenAI","model":"openai/gpt-5","object":"chat.completion.chunk","#,
    r#""created":1762300000,"choices":[{"index":0,"delta":{"role":"assistant","content":" word"},"#,
    r#""finish_reason":null,"native_finish_reason":null,"logprobs":null}]}"#,
    "\n\n"
);

/// That chunk, as bytes of a stream.
#[must_use]
pub const fn event() -> &'static str {
    EVENT
}

/// That chunk, read.
///
/// # Panics
///
/// Never: the chunk is a constant.
#[must_use]
pub fn frame() -> ChatFrame {
    let mut body = ChatBody::from_event_stream(Full::new(Bytes::from(EVENT.as_bytes().to_vec())));
    let mut context = Context::from_waker(std::task::Waker::noop());
    let Poll::Ready(Some(Ok(frame))) = Pin::new(&mut body).poll_frame(&mut context) else {
        unreachable!("the chunk is whole, and ready");
    };
    let Ok(frame) = frame.into_data() else {
        unreachable!("a chunk is data")
    };
    frame
}

/// A short streamed request.
#[must_use]
pub fn request() -> Request<ApiRequest> {
    ChatRequest::user("Why is the sky blue?")
        .model("openai/gpt-5")
        .stream(true)
        .into_http()
}

/// Answers every call at once, with a set number of frames.
#[derive(Debug, Clone)]
pub struct Leaf {
    frame: ChatFrame,
    frames: usize,
}

impl Leaf {
    /// With answers of this many frames.
    #[must_use]
    pub fn new(frames: usize) -> Self {
        Self { frame: frame(), frames }
    }

    pub(crate) fn answer(&self) -> Response<ReadyBody> {
        Response::new(ReadyBody {
            frame: self.frame.clone(),
            left: self.frames,
        })
    }
}

impl Service<Request<ApiRequest>> for Leaf {
    type Response = Response<ReadyBody>;
    type Error = Error;
    type Future = Ready<Result<Self::Response, Error>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Error>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, _: Request<ApiRequest>) -> Self::Future {
        ready(Ok(self.answer()))
    }
}

/// A body whose frames are ready. Allocates nothing.
#[derive(Debug)]
pub struct ReadyBody {
    frame: ChatFrame,
    left: usize,
}

impl Body for ReadyBody {
    type Data = ChatFrame;
    type Error = Error;

    fn poll_frame(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Result<Frame<ChatFrame>, Error>>> {
        let Some(left) = self.left.checked_sub(1) else {
            return Poll::Ready(None);
        };
        self.left = left;
        Poll::Ready(Some(Ok(Frame::data(self.frame.clone()))))
    }

    fn is_end_stream(&self) -> bool {
        self.left == 0
    }
}
