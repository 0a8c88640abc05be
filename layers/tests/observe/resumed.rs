//! The span of an answer that another candidate continues.

use http::Response;
use http_body::Body;
use http_body_util::BodyExt;
use tower::{ServiceBuilder, ServiceExt};
use tower_llm_layers::{
    DegradedSource, Failure, FailureKind, Resumed,
    attempt::AttemptLayer,
    fallback::FallbackLayer,
    observe::{ObserveLayer, names as n},
    resume::ResumeLayer,
};

use super::{attempts, fields, operation, stream};
use crate::support::{
    TestError, candidate, chain, log,
    words::{Scripted, Word, word},
};

/// Is interrupted after one word, then does this, and then continues.
fn breaks<const N: usize>(then: [Vec<Word>; N]) -> Scripted {
    let begin = vec![word("Because "), Word::Cut];
    let end = vec![word("of Rayleigh."), Word::Finish];
    Scripted::new([begin].into_iter().chain(then).chain([end]))
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
        .layer(AttemptLayer::new())
        .service(breaks([]));
    read(stack.oneshot(stream("a")).await.unwrap()).await;
    let told = fields(&operation(), [n::OUTCOME, n::RESUMPTION_COUNT, n::ATTEMPTS]);
    assert_eq!(told, ["llm.outcome=answered", "llm.resumed=1", "llm.attempts=2"]);
    let told: Vec<_> = attempts()
        .iter()
        .map(|span| fields(span, [n::OUTCOME]).join(""))
        .collect();
    assert_eq!(told, ["llm.outcome=failed", "llm.outcome=answered"]);
}

/// A cheaper model may continue: the head of the answer could not show that yet.
#[tokio::test(start_paused = true)]
async fn a_cheaper_model_that_resumes_is_recorded() {
    log::listen();
    let stack = ServiceBuilder::new()
        .layer(ObserveLayer::new())
        .layer(ResumeLayer::new())
        .layer(FallbackLayer::new(chain(["good"]).cheaper([candidate("cheap")])))
        .layer(AttemptLayer::new())
        .service(breaks([vec![Word::Refused(FailureKind::Overloaded)]]));
    let response = stack.oneshot(stream("good")).await.unwrap();
    let resumed = response.extensions().get::<Resumed>().cloned().unwrap();
    read(response).await;
    let places = resumed.places();
    let mark = places[0].degraded.as_ref().unwrap();
    assert_eq!(
        (mark.source, mark.reason, mark.asked.as_deref()),
        (
            DegradedSource::CheaperModel,
            Some(FailureKind::Overloaded),
            Some("good")
        )
    );
    assert_eq!(
        places[0].to_string(),
        "truncated after 8 bytes, resumed by cheap at router (source=cheaper_model; reason=overloaded)"
    );
    let told = fields(&operation(), [n::OUTCOME, n::DEGRADED_SOURCE, n::DEGRADED_REASON]);
    assert_eq!(
        told,
        [
            "llm.outcome=degraded",
            "llm.degraded.source=cheaper_model",
            "llm.degraded.reason=overloaded"
        ]
    );
}
