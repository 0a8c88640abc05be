//! An answer word by word, for layers that look at what is shown.

use std::{
    borrow::Cow,
    collections::VecDeque,
    future::{Ready, ready},
    pin::Pin,
    sync::{Arc, Mutex},
    task::{Context, Poll},
};

use http::{Request, Response};
use http_body::{Body, Frame as BodyFrame};
use tower::Service;
use tower_llm_layers::{FailureKind, Frame, Shown, Stage};

use super::{TestError, TestRequest, fails};

/// A frame of an answer, or its interruption.
#[derive(Debug, Clone)]
pub(crate) enum Word {
    Text(Cow<'static, str>),
    /// A thought, and why the answer ended.
    LastThought,
    /// A bare `stop`: nothing to show, but the answer ends well with it.
    Stop,
    Finish,
    Cut,
    /// The stream fails so.
    Failed(FailureKind),
    /// White space without end.
    Blanks,
    /// Alone in a script: the call fails before anything comes.
    Refused(FailureKind),
}

impl bytes::Buf for Word {
    fn remaining(&self) -> usize {
        0
    }

    fn chunk(&self) -> &[u8] {
        &[]
    }

    fn advance(&mut self, _: usize) {}
}

impl Frame for Word {
    fn stage(&self) -> Stage {
        match self {
            Self::Text(_) | Self::LastThought | Self::Blanks => Stage::Content,
            Self::Stop => Stage::Preamble,
            Self::Finish | Self::Cut | Self::Failed(_) | Self::Refused(_) => Stage::Finish,
        }
    }

    fn finishes_answer(&self) -> bool {
        matches!(self, Self::LastThought | Self::Stop | Self::Finish)
    }

    fn shown(&self) -> Shown<'_> {
        match self {
            Self::Text(text) => Shown::Text((&**text).into()),
            Self::LastThought => Shown::Reasoning,
            Self::Blanks => Shown::Text(" ".into()),
            Self::Stop | Self::Finish | Self::Cut | Self::Failed(_) | Self::Refused(_) => Shown::Nothing,
        }
    }

    fn with_text(self, text: &str) -> Self {
        Self::Text(text.to_owned().into())
    }
}

pub(crate) struct Words(VecDeque<Word>);

impl Body for Words {
    type Data = Word;
    type Error = TestError;

    fn poll_frame(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Result<BodyFrame<Word>, TestError>>> {
        Poll::Ready(match self.0.pop_front() {
            Some(Word::Cut) => Some(Err(fails(FailureKind::Truncated))),
            Some(Word::Failed(kind)) => Some(Err(fails(kind))),
            Some(Word::Blanks) => {
                self.0.push_front(Word::Blanks);
                Some(Ok(BodyFrame::data(Word::Blanks)))
            }
            Some(word) => Some(Ok(BodyFrame::data(word))),
            None => None,
        })
    }
}

/// Answers by the first script, then by the next; all others by the last.
#[derive(Clone)]
pub(crate) struct Scripted(Arc<Mutex<(Scripts, Vec<Option<String>>)>>);

type Scripts = VecDeque<Vec<Word>>;

impl Scripted {
    pub(crate) fn new(scripts: impl IntoIterator<Item = Vec<Word>>) -> Self {
        Self(Arc::new(Mutex::new((scripts.into_iter().collect(), Vec::new()))))
    }

    pub(crate) fn calls(&self) -> usize {
        self.0.lock().unwrap().1.len()
    }

    /// What each call was instructed to continue after.
    pub(crate) fn asked(&self) -> Vec<Option<String>> {
        self.0.lock().unwrap().1.clone()
    }
}

impl Service<Request<TestRequest>> for Scripted {
    type Response = Response<Words>;
    type Error = TestError;
    type Future = Ready<Result<Response<Words>, TestError>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), TestError>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<TestRequest>) -> Self::Future {
        let (scripts, calls) = &mut *self.0.lock().unwrap();
        calls.push(request.into_body().asked_to_continue);
        let script = if scripts.len() > 1 {
            scripts.pop_front()
        } else {
            scripts.front().cloned()
        };
        let script = script.unwrap();
        ready(match script[..] {
            [Word::Refused(kind)] => Err(fails(kind)),
            _ => Ok(Response::new(Words(script.into()))),
        })
    }
}

pub(crate) fn word(text: &'static str) -> Word {
    Word::Text(text.into())
}
