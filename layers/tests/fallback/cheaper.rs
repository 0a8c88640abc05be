//! Models of a cheaper class: last in the chain, and marked.

use http::Request;
use tower::Layer;
use tower_llm_layers::{
    Degraded, DegradedSource, FailureKind, NoStore,
    attempt::AttemptLayer,
    fallback::{FallbackLayer, Hedge},
};

use crate::support::{Beat, Leaf, Step, TestRequest, ask, candidate, chain, fails, secs, streamed};

/// The mark of an answer, whether it may be cached, and which candidates were tried.
async fn mark(
    leaf: Leaf,
    hedge: Option<Hedge>,
    request: Request<TestRequest>,
) -> (Option<Degraded>, bool, Vec<String>) {
    let probe = leaf.probe();
    let chain = chain(["good", "better"]).cheaper([candidate("cheap")]);
    let layer = FallbackLayer::new(chain).hedge(hedge);
    let response = ask(&layer.layer(AttemptLayer::new().layer(leaf)), request)
        .await
        .unwrap();
    let extensions = response.extensions();
    let kept = extensions.get::<NoStore>().is_none();
    (extensions.get().cloned(), kept, probe.models())
}

fn failing() -> Leaf {
    let reset = || Step::fail(fails(FailureKind::Reset));
    Leaf::new([]).always("good", reset()).always("better", reset())
}

#[tokio::test(start_paused = true)]
async fn it_is_tried_last_and_its_answer_is_marked_and_not_cached() {
    let (found, kept, models) = mark(failing(), None, streamed()).await;
    let found = found.unwrap();
    assert_eq!(
        (found.source, found.reason),
        (DegradedSource::CheaperModel, Some(FailureKind::Reset))
    );
    assert!(!kept);
    assert_eq!(models, ["good", "better", "cheap"]);
}

#[tokio::test(start_paused = true)]
async fn another_ones_answer_is_not_marked() {
    let (found, kept, _) = mark(Leaf::new([]), None, streamed()).await;
    assert_eq!((found, kept), (None, true));
}

#[tokio::test(start_paused = true)]
async fn a_cheaper_model_requested_by_name_is_not_degraded() {
    let mut request = streamed();
    request.body_mut().model = Some("cheap".to_owned());
    let (found, kept, models) = mark(failing(), None, request).await;
    assert_eq!((found, kept), (None, true));
    assert_eq!(models, ["cheap"]);
}

#[tokio::test(start_paused = true)]
async fn it_is_not_tried_because_another_one_is_late() {
    let late = || Step::Answer(secs(9), vec![Beat::Frame(tower_llm_layers::Stage::Content)]);
    let leaf = Leaf::new([])
        .always("good", Step::fail(fails(FailureKind::Reset)))
        .always("better", late());
    let (found, _, models) = mark(leaf, Some(Hedge::after(secs(1)).ratio(1.0)), streamed()).await;
    assert_eq!(found, None);
    assert_eq!(models, ["good", "better"]);
}

#[tokio::test(start_paused = true)]
async fn a_model_that_is_also_in_the_chain_is_not_marked() {
    let layer = FallbackLayer::new(chain(["a", "b"]).cheaper([candidate("b"), candidate("c")]));
    let leaf = Leaf::new([]).always("a", Step::fail(fails(FailureKind::Reset)));
    let response = ask(&layer.layer(AttemptLayer::new().layer(leaf)), streamed())
        .await
        .unwrap();
    assert!(response.extensions().get::<Degraded>().is_none());
}
