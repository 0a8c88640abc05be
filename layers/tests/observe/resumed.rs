//! The span of an answer that somebody else goes on with.

use std::{
    borrow::Cow,
    collections::VecDeque,
    future::{Ready, ready},
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
    task::{Context, Poll},
};

use http::{Request, Response};
use http_body::{Body, Frame as BodyFrame};
use http_body_util::BodyExt;
use tower::{Service, ServiceBuilder, ServiceExt};
use tower_llm_layers::{
    Failure, FailureKind, Frame, Resumed, Rung, Shown, Stage,
    attempt::AttemptLayer,
    fallback::FallbackLayer,
    observe::{ObserveAttemptLayer, ObserveLayer, names as n},
    resume::ResumeLayer,
};

use super::{attempts, fields, operation, stream};
use crate::support::{TestError, TestRequest, candidate, chain, fails, log};

/// A word of an answer, or its end.
#[derive(Debug, Clone)]
struct Word(Option<Cow<'static, str>>);

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
        if self.0.is_some() {
            Stage::Content
        } else {
            Stage::Finish
        }
    }

    fn shown(&self) -> Shown<'_> {
        self.0
            .as_deref()
            .map_or(Shown::Nothing, |word| Shown::Text(word.into()))
    }

    fn with_text(self, text: &str) -> Self {
        Self(Some(text.to_owned().into()))
    }
}

struct Words(VecDeque<Result<Word, TestError>>);

impl Body for Words {
    type Data = Word;
    type Error = TestError;

    fn poll_frame(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Result<BodyFrame<Word>, TestError>>> {
        Poll::Ready(match self.0.pop_front() {
            Some(Ok(word)) => Some(Ok(BodyFrame::data(word))),
            Some(Err(error)) => Some(Err(error)),
            None => None,
        })
    }
}

/// Breaks off after one word at first, fails so often when it is asked to go on, and then goes on.
#[derive(Debug, Clone, Default)]
struct Breaks {
    asked: Arc<AtomicU32>,
    fails: u32,
}

impl Service<Request<TestRequest>> for Breaks {
    type Response = Response<Words>;
    type Error = TestError;
    type Future = Ready<Result<Response<Words>, TestError>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), TestError>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, _: Request<TestRequest>) -> Self::Future {
        let word = |word: &'static str| Word(Some(word.into()));
        let words = match self.asked.fetch_add(1, Ordering::Relaxed) {
            0 => vec![Ok(word("Because ")), Err(fails(FailureKind::Truncated))],
            asked if asked <= self.fails => return ready(Err(fails(FailureKind::Overloaded))),
            _ => vec![Ok(word("of Rayleigh.")), Ok(Word(None))],
        };
        ready(Ok(Response::new(Words(words.into()))))
    }
}

async fn read<B: Body<Data = Word, Error = TestError>>(response: Response<B>) {
    let mut body = Box::pin(response.into_body());
    while let Some(frame) = body.frame().await {
        frame.map_err(|error| error.summary()).unwrap();
    }
}

#[tokio::test(start_paused = true)]
async fn it_is_answered_by_two_attempts() {
    log::listen();
    let stack = ServiceBuilder::new()
        .layer(ObserveLayer::new())
        .layer(ResumeLayer::new())
        .layer(ObserveAttemptLayer::new())
        .layer(AttemptLayer::new())
        .service(Breaks::default());
    read(stack.oneshot(stream("a")).await.unwrap()).await;
    let told = fields(&operation(), [n::OUTCOME, n::RESUMPTION_COUNT, n::ATTEMPTS]);
    assert_eq!(
        told,
        ["llm.outcome=answered", "llm.resumed=1 u64", "llm.attempts=2 u64"]
    );
    let told: Vec<_> = attempts()
        .iter()
        .map(|span| fields(span, [n::OUTCOME]).join(""))
        .collect();
    assert_eq!(told, ["llm.outcome=failed", "llm.outcome=answered"]);
}

/// Whoever goes on may be a cheaper model: the head of the answer could not tell that yet.
#[tokio::test(start_paused = true)]
async fn a_cheaper_model_that_goes_on_is_told_of() {
    log::listen();
    let stack = ServiceBuilder::new()
        .layer(ObserveLayer::new())
        .layer(ResumeLayer::new())
        .layer(FallbackLayer::new(chain(["good"]).cheaper([candidate("cheap")])))
        .layer(AttemptLayer::new())
        .service(Breaks {
            fails: 1,
            ..Breaks::default()
        });
    let response = stack.oneshot(stream("good")).await.unwrap();
    let resumed = response.extensions().get::<Resumed>().cloned().unwrap();
    read(response).await;
    let places = resumed.places();
    let mark = places[0].degraded.as_ref().unwrap();
    assert_eq!(
        (mark.rung, mark.reason, mark.asked.as_deref()),
        (Rung::CheaperModel, Some(FailureKind::Overloaded), Some("good"))
    );
    assert_eq!(
        places[0].to_string(),
        "truncated after 8 bytes, went on with cheap at router (rung=cheaper_model; reason=overloaded)"
    );
    let told = fields(&operation(), [n::OUTCOME, n::RUNG, n::RUNG_REASON]);
    assert_eq!(
        told,
        [
            "llm.outcome=degraded",
            "llm.degraded.rung=cheaper_model",
            "llm.degraded.reason=overloaded"
        ]
    );
}
