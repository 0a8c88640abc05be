//! What stands in when all below has failed.

use std::time::Duration;

use http::Request;
use tower::Layer;
use tower_llm_layers::{
    Degraded, DegradedSource, FailureKind, Phase, Stage,
    degrade::{Degradation, DegradeLayer},
};

use crate::support::{Leaf, Step, TestFrame, TestRequest, ask, fails, read, secs, streamed};

/// The degraded sources: a stale answer so old, a canned reply.
#[derive(Debug, Clone, Copy)]
struct Has {
    stale: Option<u64>,
    canned: bool,
}

fn frame() -> Vec<TestFrame> {
    vec![TestFrame::of(Stage::Content)]
}

impl Degradation<TestRequest, TestFrame> for Has {
    fn stale(&self, _: &Request<TestRequest>) -> Option<(Vec<TestFrame>, Duration)> {
        Some((frame(), secs(self.stale?)))
    }

    fn canned(&self, _: &Request<TestRequest>, _: FailureKind) -> Option<Vec<TestFrame>> {
        self.canned.then(frame)
    }
}

const ALL: Has = Has {
    stale: Some(90),
    canned: true,
};

/// The mark of the answer to one request, after a failure of this kind.
async fn mark(layer: DegradeLayer<Has>, kind: FailureKind) -> Option<Degraded> {
    let leaf = Leaf::new([Step::fail(fails(kind))]);
    let response = ask(&layer.layer(leaf), streamed()).await.ok()?;
    let mark = response.extensions().get::<Degraded>().cloned();
    assert_eq!(read(response.into_body()).await.stages, [Stage::Content]);
    mark
}

#[tokio::test(start_paused = true)]
async fn the_first_degraded_source_stands_in_and_says_so() {
    let kind = FailureKind::Overloaded;
    for (has, rung, age) in [
        (ALL, DegradedSource::StaleAnswer, Some(secs(90))),
        (Has { stale: None, ..ALL }, DegradedSource::CannedReply, None),
    ] {
        let found = mark(DegradeLayer::new(has), kind).await.unwrap();
        assert_eq!((found.source, found.reason, found.age), (rung, Some(kind), age));
    }
    let none = Has {
        stale: None,
        canned: false,
    };
    assert_eq!(mark(DegradeLayer::new(none), kind).await, None);
    let told = mark(DegradeLayer::new(ALL), kind).await.unwrap().to_string();
    assert_eq!(told, "source=stale_answer; reason=overloaded; age=90");
}

#[tokio::test(start_paused = true)]
async fn the_table_decides_which_failure_reaches_which_degraded_source() {
    for (kind, degrades) in [
        (FailureKind::Timeout(Phase::Deadline), true),
        (FailureKind::InsufficientFunds, true),
        (FailureKind::ContentFiltered, false),
        (FailureKind::BadRequest, false),
        (FailureKind::Auth, false),
    ] {
        assert_eq!(mark(DegradeLayer::new(ALL), kind).await.is_some(), degrades, "{kind}");
        let turned = DegradeLayer::new(ALL).table(move |_, rung| !degrades && rung == DegradedSource::CannedReply);
        let found = mark(turned, kind).await.map(|mark| mark.source);
        assert_eq!(found, (!degrades).then_some(DegradedSource::CannedReply), "{kind}");
    }
}

#[tokio::test(start_paused = true)]
async fn the_attempts_are_reported_with_the_reply_and_with_the_failure() {
    let inner = tower_llm_layers::attempt::AttemptLayer::new().layer(Leaf::new([
        Step::fail(fails(FailureKind::Overloaded)),
        Step::fail(fails(FailureKind::BadRequest)),
    ]));
    let service = DegradeLayer::new(ALL).layer(inner);
    let response = ask(&service, streamed()).await.unwrap();
    assert!(crate::support::text(&response).contains("overloaded"));
    let error = ask(&service, streamed()).await.err().unwrap();
    assert_eq!(error.log().sent(), 1);
}

/// Has nothing to show from either source.
#[derive(Clone, Copy)]
struct Blank;

impl Degradation<TestRequest, TestFrame> for Blank {
    fn stale(&self, _: &Request<TestRequest>) -> Option<(Vec<TestFrame>, Duration)> {
        Some((Vec::new(), secs(1)))
    }

    fn canned(&self, _: &Request<TestRequest>, _: FailureKind) -> Option<Vec<TestFrame>> {
        Some(Vec::new())
    }
}

#[tokio::test(start_paused = true)]
async fn nothing_is_no_answer() {
    let leaf = Leaf::new([Step::fail(fails(FailureKind::Overloaded))]);
    let error = ask(&DegradeLayer::new(Blank).layer(leaf), streamed())
        .await
        .unwrap_err();
    assert_eq!(error.kind, FailureKind::Overloaded);
}
