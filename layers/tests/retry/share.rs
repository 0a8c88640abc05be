//! Retries are a share of the calls, whichever layer repeats an attempt.

use tower::Layer;
use tower_llm_layers::{
    FailureKind,
    attempt::AttemptLayer,
    circuit_breaker::{CircuitBreakerLayer, CircuitPolicy},
    fallback::FallbackLayer,
    retry::{RetryBudget, RetryLayer},
};

use super::Fixed;
use crate::support::{Leaf, Step, ask, candidate, chain, fails, millis, poll_once, secs, streamed};

/// One call with five candidates is one call: the share is of calls.
#[tokio::test(start_paused = true)]
async fn the_share_of_retries_is_of_calls_however_long_the_chain() {
    let leaf = Leaf::new([]);
    let leaf = ["a", "b", "c", "d", "e"].into_iter().fold(leaf, |leaf, model| {
        leaf.always(model, Step::fail(fails(FailureKind::Upstream)))
    });
    let probe = leaf.probe();
    let retry = RetryLayer::new().max_attempts(2).budget(RetryBudget::new(0.2, 0.0));
    let service =
        FallbackLayer::new(chain(["a", "b", "c", "d", "e"])).layer(retry.layer(AttemptLayer::new().layer(leaf)));
    for _ in 0..100 {
        ask(&service, streamed()).await.map(drop).unwrap_err();
    }
    let retries = probe.calls() - 500;
    assert!(retries <= 20, "{retries} retries of 100 calls, where a fifth may be");
}

/// A retry that is never made, since its caller leaves or its service fails first, leaves its share to others.
#[tokio::test(start_paused = true)]
async fn a_retry_that_is_not_made_takes_nothing_of_the_share() {
    let budget = RetryBudget::new(1.0, 0.0);
    let retry = RetryLayer::new().schedule(Fixed(vec![secs(1)])).budget(budget.clone());
    let failing = || Leaf::new([Step::fail(fails(FailureKind::Upstream)), Step::ok()]);
    let call = |leaf: Leaf| {
        let service = retry.layer(leaf);
        async move { ask(&service, streamed()).await.map(drop) }
    };
    let mut leaves = Box::pin(call(failing()));
    assert!(poll_once(leaves.as_mut()).is_pending());
    assert!(budget.left() < 0.5, "it waits for its retry");
    drop(leaves);
    assert!((budget.left() - 1.0).abs() < 1e-9, "{}", budget.left());
    let unready = call(failing().unready(fails(FailureKind::Internal)));
    unready.await.unwrap_err();
    assert!((budget.left() - 2.0).abs() < 1e-9, "{}", budget.left());
    call(failing()).await.unwrap();
    assert!((budget.left() - 2.0).abs() < 1e-9, "one call, and one retry");
}

/// A candidate that is tried last, and refused for lack of a retry, does not hide why the others failed.
#[tokio::test(start_paused = true)]
async fn a_last_resort_that_is_refused_does_not_hide_why_the_last_one_failed() {
    let leaf = Leaf::new([])
        .always("a", Step::fail(fails(FailureKind::Upstream)))
        .always(
            "b",
            Step::fail(fails(FailureKind::RateLimited).hint(secs(50)).says(429, "come back")),
        );
    let breaker = CircuitBreakerLayer::new(CircuitPolicy::new()).unwrap();
    let paced = breaker.layer(AttemptLayer::new().layer(leaf));
    let retry = RetryLayer::new()
        .max_attempts(2)
        .schedule(Fixed(vec![secs(1); 9]))
        .budget(RetryBudget::new(1.0, 0.0));
    let service = FallbackLayer::new(chain(["a", "b"])).layer(retry.layer(paced.clone()));
    let call = tokio::spawn(async move { ask(&service, streamed()).await.map(drop).unwrap_err() });
    tokio::time::sleep(millis(500)).await;
    // Meanwhile others open the circuit.
    for _ in 0..9 {
        let mut request = streamed();
        request.body_mut().call.set_candidate(candidate("a"));
        request.body_mut().model = Some("a".into());
        ask(&paced, request).await.map(drop).unwrap_err();
    }
    let error = call.await.unwrap();
    assert_eq!(
        (error.kind, error.hint),
        (FailureKind::RateLimited, Some(secs(50))),
        "{}\n{}",
        error.summary,
        error.log()
    );
}

/// A candidate that our own budget held back was never sent anything: to ask it when there is room is no retry.
#[tokio::test(start_paused = true)]
async fn who_was_held_back_by_a_budget_is_no_repeat() {
    use std::sync::Arc;

    use tower::{ServiceExt, service_fn};
    use tower_llm_layers::{
        Stage,
        budget::{Budget, Budgets},
        cost::CostLayer,
        deadline::DeadlineLayer,
    };

    use crate::support::{Beat, Prices, candidate, read, secs};

    let broken = Step::body([
        Beat::Frame(Stage::Content),
        Beat::Pause(secs(2)),
        Beat::Fail(fails(FailureKind::Truncated)),
    ]);
    let leaf = Leaf::new([])
        .on("costly", [Step::body([Beat::Frame(Stage::Content), Beat::Stall])])
        .on("b", [broken]);
    let probe = leaf.probe();
    let budgets = Budgets::new([Budget::usd("all", "0.15").unwrap()]).unwrap();
    let cost = CostLayer::new()
        .prices(Arc::new(Prices))
        .budgets(budgets)
        .min_output_tokens(1_000);
    let paced = AttemptLayer::new().layer(cost.layer(leaf));
    let retry = RetryLayer::new().max_attempts(1).budget(RetryBudget::new(0.0, 0.0));
    let service = FallbackLayer::new(chain(["costly", "b"])).layer(retry.layer(paced.clone()));
    // As `stream_upstream` does: once more after an interrupted stream.
    let twice = service_fn(move |request: http::Request<crate::support::TestRequest>| {
        let service = service.clone();
        async move {
            let first = service.clone().oneshot(request.clone()).await?;
            assert!(read(Box::pin(first.into_body())).await.error.is_some());
            service.oneshot(request).await
        }
    });
    let service = DeadlineLayer::new(secs(90)).layer(twice);
    // Another call reserves most of the budget, for a second.
    let other = {
        let mut request = streamed();
        request.body_mut().model = Some("costly".into());
        request.body_mut().call.set_candidate(candidate("costly"));
        let hang = paced.clone();
        tokio::spawn(async move {
            tokio::time::timeout(secs(1), async {
                let _held = hang_on(hang, request).await;
                std::future::pending::<()>().await;
            })
            .await
        })
    };
    tokio::task::yield_now().await;
    let response = service
        .oneshot(streamed())
        .await
        .map(drop)
        .map_err(|error| (error.kind, error.log().to_string()));
    drop(other);
    assert_eq!(
        (probe.models(), response),
        (vec!["costly".to_owned(), "b".to_owned(), "costly".to_owned()], Ok(()))
    );
}

async fn hang_on<S>(service: S, request: http::Request<crate::support::TestRequest>) -> Option<S::Response>
where
    S: tower::Service<http::Request<crate::support::TestRequest>>,
{
    tower::ServiceExt::oneshot(service, request).await.ok()
}
