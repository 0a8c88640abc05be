//! A call with a hedge, when one of the two attempts fails.

use tower::{Layer, ServiceExt};
use tower_llm_layers::{
    AttemptLog, FailureKind, FailureScope,
    attempt::AttemptLayer,
    fallback::{FallbackLayer, Hedge},
    retry::RetryLayer,
};

use super::hedge::{always, late};
use crate::support::{Leaf, Step, TestRequest, ask, chain, fails, millis, read, secs, streamed};

/// `fallback_on_refusal` is off: what one candidate has refused no other may answer, hedge or not.
#[tokio::test(start_paused = true)]
async fn a_refusal_ends_the_call_though_a_hedge_is_under_way() {
    let leaf = Leaf::new([])
        .on("a", [Step::Fail(secs(2), fails(FailureKind::ContentFiltered))])
        .on("b", [late(secs(3))]);
    let service = FallbackLayer::new(chain(["a", "b"])).hedge(always(Hedge::after(secs(1))));
    let result = ask(&service.layer(AttemptLayer::new().layer(leaf)), streamed()).await;
    assert_eq!(
        result.map(drop).map_err(|error| error.kind),
        Err(FailureKind::ContentFiltered)
    );
}

/// The caller gets the error of its request, not that of the hedge.
#[tokio::test(start_paused = true)]
async fn a_bad_request_is_reported_whatever_the_hedge_fails_by() {
    let leaf = Leaf::new([])
        .on("a", [Step::Fail(secs(2), fails(FailureKind::BadRequest))])
        .on("b", [Step::Fail(secs(3), fails(FailureKind::Overloaded))]);
    let service = FallbackLayer::new(chain(["a", "b"])).hedge(always(Hedge::after(secs(1))));
    let result = ask(&service.layer(AttemptLayer::new().layer(leaf)), streamed()).await;
    assert_eq!(
        result.map(drop).map_err(|error| error.kind),
        Err(FailureKind::BadRequest)
    );
}

/// The same if the hedge gets that error first.
#[tokio::test(start_paused = true)]
async fn a_failure_of_the_request_by_the_hedge_holds_if_the_first_fails_too() {
    for (first, expected) in [
        (late(secs(4)), Ok(())),
        (
            Step::Fail(secs(4), fails(FailureKind::Overloaded)),
            Err(FailureKind::ContentFiltered),
        ),
    ] {
        let leaf = Leaf::new([])
            .on("a", [first])
            .on("b", [Step::Fail(secs(1), fails(FailureKind::ContentFiltered))]);
        let probe = leaf.probe();
        let service = FallbackLayer::new(chain(["a", "b", "c"])).hedge(always(Hedge::after(secs(1))));
        let result = ask(&service.layer(AttemptLayer::new().layer(leaf)), streamed()).await;
        assert_eq!(result.map(drop).map_err(|error| error.kind), expected);
        assert_eq!(probe.models(), ["a", "b"], "no other is tried");
    }
}

/// The same, counted: half of the calls may be hedged, none was.
#[tokio::test(start_paused = true)]
async fn hedges_not_sent_leave_the_share_for_those_that_are() {
    let leaf = Leaf::new([])
        .on(
            "a",
            (0..20)
                .map(|_| late(millis(1_200)))
                .chain((0..5).map(|_| late(secs(9)))),
        )
        .ready_after(millis(700));
    let probe = leaf.probe();
    let service = FallbackLayer::new(chain(["a", "b"]))
        .hedge(Hedge::after(secs(1)).ratio(0.5))
        .layer(leaf);
    for _ in 0..20 {
        read(ask(&service, streamed()).await.unwrap().into_body()).await;
    }
    assert_eq!(probe.calls(), 20, "none was sent");
    for _ in 0..5 {
        read(ask(&service, streamed()).await.unwrap().into_body()).await;
    }
    assert_eq!(probe.calls(), 30, "all five are hedged out of what was saved");
}

/// The hedge is ruled out by how the first failed: it is not tried.
#[tokio::test(start_paused = true)]
async fn a_candidate_that_is_ruled_out_is_not_tried_in_its_place() {
    let leaf = Leaf::new([])
        .on(
            "a",
            [Step::Fail(
                millis(1_200),
                fails(FailureKind::QuotaExhausted).scope(FailureScope::Upstream),
            )],
        )
        .ready_after(millis(700));
    let probe = leaf.probe();
    let service = FallbackLayer::new(chain(["x/a", "x/b", "y/c"]))
        .hedge(always(Hedge::after(secs(1))))
        .layer(AttemptLayer::new().layer(leaf));
    ask(&service, streamed()).await.map(drop).ok();
    assert_eq!(probe.models(), ["a", "c"]);
}

/// What is noted after a failure stands on its own line.
#[tokio::test(start_paused = true)]
async fn the_wait_before_a_retry_stands_on_the_line_of_who_failed() {
    let leaf = Leaf::new([])
        .on(
            "a",
            [Step::Fail(secs(2), fails(FailureKind::Overloaded)), late(secs(9))],
        )
        .on("b", [late(secs(5))]);
    let service = FallbackLayer::new(chain(["a", "b"])).hedge(always(Hedge::after(secs(1))));
    let service = service.layer(RetryLayer::new().layer(AttemptLayer::new().layer(leaf)));
    let response = ask(&service, streamed()).await.unwrap();
    let log = response.extensions().get::<AttemptLog>().unwrap().clone();
    read(response.into_body()).await;
    let waited: Vec<_> = log.attempts().iter().map(|line| line.waited.is_some()).collect();
    assert_eq!(waited, [true, false, false], "\n{log}");
}

/// A hedge that waits for something of ours, and is not sent before the answer comes, takes nothing of the share.
#[tokio::test(start_paused = true)]
async fn a_hedge_that_was_not_sent_takes_no_share() {
    let hedge = Hedge::after(secs(1)).ratio(0.001);
    let leaf = Leaf::new([]).always("a", late(secs(3)));
    let probe = leaf.probe();
    let attempts = AttemptLayer::new().layer(leaf);
    let inner = attempts.clone();
    let held = tower::service_fn(move |request: http::Request<TestRequest>| {
        let inner = inner.clone();
        async move {
            if request.body().model.as_deref() == Some("b") {
                tokio::time::sleep(secs(5)).await;
            }
            inner.oneshot(request).await
        }
    });
    let service = FallbackLayer::new(chain(["a", "b"])).hedge(hedge.clone()).layer(held);
    for _ in 0..3 {
        read(ask(&service, streamed()).await.unwrap().into_body()).await;
    }
    assert_eq!(probe.models(), ["a", "a", "a"]);
    let service = FallbackLayer::new(chain(["a", "b"])).hedge(hedge).layer(attempts);
    for _ in 0..2 {
        read(ask(&service, streamed()).await.unwrap().into_body()).await;
    }
    assert_eq!(
        probe.models()[3..],
        ["a", "b", "a"],
        "the one that was there at the start"
    );
}
