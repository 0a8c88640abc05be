//! Answers that no model made are recorded as such.

use http::Request;
use tower::ServiceBuilder;
use tower_llm_layers::{
    FailureKind, Stage,
    attempt::AttemptLayer,
    degrade::{Degradation, DegradeLayer},
    fallback::FallbackLayer,
    observe::{ObserveLayer, names as n},
};

use crate::support::{Leaf, Step, TestFrame, TestRequest, ask, chain, fails, log, read, streamed};

#[derive(Clone)]
struct Sorry;

impl Degradation<TestRequest, TestFrame> for Sorry {
    fn canned(&self, _: &Request<TestRequest>, _: FailureKind) -> Option<Vec<TestFrame>> {
        Some(vec![TestFrame::of(Stage::Content), TestFrame::of(Stage::Finish)])
    }
}

/// A canned reply is not an answer of a model.
#[tokio::test(start_paused = true)]
async fn a_canned_reply_is_not_recorded_as_the_answer_of_the_failed_candidate() {
    log::listen();
    let leaf = Leaf::new([]).always("a", Step::fail(fails(FailureKind::Overloaded)));
    let service = ServiceBuilder::new()
        .layer(ObserveLayer::new())
        .layer(DegradeLayer::new(Sorry))
        .layer(FallbackLayer::new(chain(["a"])))
        .layer(AttemptLayer::new())
        .service(leaf);
    read(ask(&service, streamed()).await.unwrap().into_body()).await;
    let span = log::spans()
        .into_iter()
        .find(|span| span.name == n::OPERATION_SPAN)
        .unwrap();
    assert_eq!(span.fields.get(n::RESPONSE_MODEL), None, "{:?}", span.fields);
}
