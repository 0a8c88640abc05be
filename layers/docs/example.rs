// A service that is not ours, small enough to read: the examples in the documentation run over it.
use std::{
    collections::VecDeque,
    pin::Pin,
    sync::{Arc, Mutex},
    task::{Context, Poll},
};

use http::{Request, Response};
use tower_llm_layers::{
    Budgeted, Call, Continuable, Failure, FailureKind, FailureMarks, Frame, LayerError, LlmRequest, Needs, Stage,
};

/// The request.
#[derive(Clone, Default)]
pub struct ExampleRequest {
    pub model: String,
    pub max_tokens: Option<u64>,
    /// What the model is to continue after.
    pub shown: String,
    pub call: Call,
}

impl ExampleRequest {
    pub fn of(model: &str) -> Request<Self> {
        Request::new(Self {
            model: model.to_owned(),
            ..Self::default()
        })
    }
}

impl LlmRequest for ExampleRequest {
    fn call(&self) -> &Call {
        &self.call
    }
    fn call_mut(&mut self) -> &mut Call {
        &mut self.call
    }
    fn is_streaming(&self) -> bool {
        true
    }
    fn max_tokens(&self) -> Option<u64> {
        self.max_tokens
    }
    fn model(&self) -> Option<&str> {
        Some(&self.model).filter(|model| !model.is_empty()).map(String::as_str)
    }
    fn set_model(&mut self, model: &str) {
        self.model = model.to_owned();
    }
    fn needs(&self) -> Needs {
        Needs::of_prompt(10, 40)
    }
}

impl Budgeted for ExampleRequest {
    fn set_max_tokens(&mut self, tokens: u64) -> bool {
        self.max_tokens = Some(tokens);
        true
    }
}

impl Continuable for ExampleRequest {
    fn continue_after(&self, shown: &str) -> Option<Self> {
        Some(Self {
            shown: shown.to_owned(),
            ..self.clone()
        })
    }
}

/// One piece of an answer; a blank one is nothing to show, and a full stop ends it.
#[derive(Clone)]
pub struct ExampleFrame(pub bytes::Bytes);

impl bytes::Buf for ExampleFrame {
    fn remaining(&self) -> usize {
        self.0.len()
    }
    fn chunk(&self) -> &[u8] {
        &self.0
    }
    fn advance(&mut self, count: usize) {
        self.0.advance(count);
    }
}

impl Frame for ExampleFrame {
    fn stage(&self) -> Stage {
        if self.0.is_empty() {
            Stage::Preamble
        } else {
            Stage::Content
        }
    }
    fn finishes_answer(&self) -> bool {
        self.0.ends_with(b".")
    }
}

/// What goes wrong.
#[derive(Debug)]
pub struct ExampleError {
    pub kind: FailureKind,
    pub message: String,
    pub marks: FailureMarks,
}

impl From<LayerError> for ExampleError {
    fn from(error: LayerError) -> Self {
        Self {
            message: error.to_string(),
            ..error.kind().into()
        }
    }
}

impl From<FailureKind> for ExampleError {
    fn from(kind: FailureKind) -> Self {
        Self {
            kind,
            message: kind.to_string(),
            marks: FailureMarks::default(),
        }
    }
}

impl Failure for ExampleError {
    fn kind(&self) -> FailureKind {
        self.kind
    }
    fn summary(&self) -> String {
        self.message.clone()
    }
    fn marks(&self) -> &FailureMarks {
        &self.marks
    }
    fn marks_mut(&mut self) -> &mut FailureMarks {
        &mut self.marks
    }
}

/// A body of pieces.
pub struct ExampleBody(VecDeque<&'static str>);

impl http_body::Body for ExampleBody {
    type Data = ExampleFrame;
    type Error = ExampleError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<http_body::Frame<ExampleFrame>, ExampleError>>> {
        let piece = self.0.pop_front();
        Poll::Ready(piece.map(|text| Ok(http_body::Frame::data(ExampleFrame(text.into())))))
    }
}

/// `busy` is overloaded, `shaky` only at its first call, `silent` never answers, `blank` says nothing, and every other model is well.
/// The key `sk-old` is rejected.
#[derive(Clone, Default)]
pub struct ExampleService {
    asked: Arc<Mutex<Vec<String>>>,
}

impl ExampleService {
    /// The models that were called, in order.
    pub fn asked(&self) -> Vec<String> {
        self.asked.lock().unwrap().clone()
    }
}

impl tower_service::Service<Request<ExampleRequest>> for ExampleService {
    type Response = Response<ExampleBody>;
    type Error = ExampleError;
    type Future = Pin<Box<dyn Future<Output = Result<Response<ExampleBody>, ExampleError>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), ExampleError>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<ExampleRequest>) -> Self::Future {
        let mut asked = self.asked.lock().unwrap();
        let first = asked.is_empty();
        asked.push(request.body().model.clone());
        drop(asked);
        Box::pin(async move {
            let key = request.headers().get("authorization");
            if key.is_some_and(|key| key == "Bearer sk-old") {
                return Err(FailureKind::Auth.into());
            }
            let pieces = match &*request.body().model {
                "busy" => return Err(FailureKind::Overloaded.into()),
                "shaky" if first => return Err(FailureKind::Reset.into()),
                "silent" => std::future::pending().await,
                "blank" => vec!["", ""],
                _ => vec!["", "Because ", "of Rayleigh."],
            };
            Ok(Response::new(ExampleBody(pieces.into())))
        })
    }
}
