//! The next candidate is tried in parallel if the first token is late.

use std::{sync::Arc, task::Poll};

use tokio::time::{Instant, advance};
use tower::{Layer, Service, ServiceExt, limit::ConcurrencyLimitLayer};
use tower_llm_layers::{
    FailureKind, Outcome, Route, Stage, WorstCasePrice,
    attempt::AttemptLayer,
    budget::{Budget, Budgets, InMemoryBudgetStore},
    cost::{CostLayer, UnknownPrice},
    fallback::{FallbackLayer, Hedge},
};

use crate::support::{
    Beat, Leaf, Probe, Step, TestError, ask, chain, fails, millis, plain, poll_once, read, secs, streamed, text, usd,
};

/// Answers after so long.
pub(super) fn late(wait: std::time::Duration) -> Step {
    Step::Answer(wait, vec![Beat::Frame(Stage::Content), Beat::Frame(Stage::Finish)])
}

/// As often hedged as one likes.
pub(super) fn always(hedge: Hedge) -> Hedge {
    hedge.ratio(1.0)
}

async fn run(hedge: Hedge, leaf: Leaf) -> (Result<String, TestError>, Probe, u128) {
    let probe = leaf.probe();
    let service = FallbackLayer::new(chain(["a", "b", "c"])).hedge(hedge);
    let service = service.layer(AttemptLayer::new().cap(6).layer(leaf));
    let begun = Instant::now();
    let result = match ask(&service, streamed()).await {
        Ok(response) => {
            let log = text(&response);
            assert!(read(response.into_body()).await.error.is_none());
            Ok(log)
        }
        Err(error) => Err(error),
    };
    probe.assert_quiet();
    (result, probe, begun.elapsed().as_millis())
}

#[tokio::test(start_paused = true)]
async fn the_first_to_begin_wins_and_the_other_is_dropped_and_written_down() {
    for (slow, models, took) in [
        (9_000, vec!["a", "b"], 3_000),
        (2_500, vec!["a", "b"], 2_500),
        (1_500, vec!["a"], 1_500),
    ] {
        let leaf = Leaf::new([]).on("a", [late(millis(slow))]).on("b", [late(secs(1))]);
        let (log, probe, elapsed) = run(always(Hedge::after(secs(2))), leaf).await;
        assert_eq!(
            (probe.models(), elapsed),
            (models.iter().map(ToString::to_string).collect(), took)
        );
        assert_eq!(probe.counts().futures_dropped, models.len() - 1, "the loser");
        let log = log.unwrap();
        assert_eq!(
            log.matches("another candidate was faster").count(),
            models.len() - 1,
            "{log}"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn without_one_no_hedge_is_sent() {
    let leaf = Leaf::new([]).on("a", [late(secs(60))]);
    let probe = leaf.probe();
    let service = FallbackLayer::new(chain(["a", "b"])).hedge(None).layer(leaf);
    ask(&service, streamed()).await.unwrap();
    assert_eq!(probe.models(), ["a"]);
}

#[tokio::test(start_paused = true)]
async fn when_one_of_them_fails_the_other_continues() {
    let down = || fails(FailureKind::Overloaded);
    // The late one fails after the hedge was sent; the hedge fails before the late one answers; both do.
    for (a, b, models) in [
        (Step::Fail(secs(3), down()), late(secs(5)), ["a", "b"].as_slice()),
        (late(secs(9)), Step::Fail(secs(1), down()), &["a", "b"]),
        (
            Step::Fail(secs(4), down()),
            Step::Fail(secs(5), down()),
            &["a", "b", "c"],
        ),
        (
            Step::Fail(secs(9), down()),
            Step::Fail(secs(1), down()),
            &["a", "b", "c"],
        ),
    ] {
        let leaf = Leaf::new([]).on("a", [a]).on("b", [b]);
        let (result, probe, _) = run(always(Hedge::after(secs(2))), leaf).await;
        assert_eq!(probe.models(), models);
        result.unwrap();
    }
}

#[tokio::test(start_paused = true)]
async fn a_request_that_is_wrong_for_all_ends_with_both() {
    let wrong = || fails(FailureKind::BadRequest);
    let down = fails(FailureKind::Overloaded);
    let leaf = Leaf::new([])
        .on("a", [Step::Fail(secs(3), wrong())])
        .on("b", [Step::Fail(secs(5), down)]);
    let (result, probe, _) = run(always(Hedge::after(secs(2))), leaf).await;
    assert_eq!(
        (result.is_err(), probe.calls()),
        (true, 2),
        "no candidate is tried after it"
    );
}

#[tokio::test(start_paused = true)]
async fn the_share_of_calls_bounds_it() {
    let hedge = Hedge::after(secs(1)).ratio(0.2);
    let leaf = Leaf::new([]).always("a", late(secs(3)));
    let probe = leaf.probe();
    let service = FallbackLayer::new(chain(["a", "b"])).hedge(hedge).layer(leaf);
    for _ in 0..50 {
        ask(&service, streamed()).await.unwrap();
    }
    assert_eq!(probe.calls(), 61, "one was there at the start");
}

#[tokio::test(start_paused = true)]
async fn the_cap_of_the_call_bounds_it() {
    let leaf = Leaf::new([]).always("a", late(secs(9)));
    let probe = leaf.probe();
    let service = FallbackLayer::new(chain(["a", "b"])).hedge(always(Hedge::after(secs(1))));
    ask(&service.layer(AttemptLayer::new().cap(1).layer(leaf)), streamed())
        .await
        .unwrap();
    assert_eq!(probe.models(), ["a"]);
}

#[tokio::test(start_paused = true)]
async fn the_live_percentile_needs_times_and_follows_them() {
    let hedge = always(Hedge::p95());
    let leaf = Leaf::new([]).on("a", (0..20).map(|_| late(secs(1))).chain([late(secs(60))]));
    let probe = leaf.probe();
    let service = FallbackLayer::new(chain(["a", "b"])).hedge(hedge).layer(leaf);
    for _ in 0..20 {
        ask(&service, streamed()).await.unwrap();
    }
    assert_eq!(probe.calls(), 20);
    // Plain calls are measured apart.
    let begun = Instant::now();
    ask(&service, streamed()).await.unwrap();
    assert_eq!((probe.calls(), begun.elapsed()), (22, secs(1)));
    let leaf = Leaf::new([]).always("a", late(secs(9)));
    let probe = leaf.probe();
    ask(
        &FallbackLayer::new(chain(["a", "b"])).hedge(Hedge::p95()).layer(leaf),
        plain(),
    )
    .await
    .unwrap();
    assert_eq!(probe.calls(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_candidate_that_mostly_fails_gets_no_hedge() {
    for (failures, models) in [(3, 2), (9, 1)] {
        let down = || fails(FailureKind::Overloaded);
        let hedge = always(Hedge::after(secs(1)));
        let leaf = Leaf::new([])
            .on("a", (0..failures).map(|_| Step::fail(down())).chain([late(secs(9))]))
            .on("b", (0..failures).map(|_| Step::fail(down())));
        let probe = leaf.probe();
        let service = FallbackLayer::new(chain(["a", "b"])).hedge(hedge).layer(leaf);
        for _ in 0..failures {
            ask(&service, streamed()).await.unwrap_err();
        }
        let before = probe.calls();
        ask(&service, streamed()).await.unwrap();
        assert_eq!(probe.calls() - before, models, "after {failures} failures");
    }
}

/// Invariant 15: a candidate that is called by hedges alone is probed by one, and comes back.
#[tokio::test(start_paused = true)]
async fn a_candidate_that_has_recovered_is_hedged_again() {
    let down = || Step::fail(fails(FailureKind::Overloaded));
    let leaf = Leaf::new([]).always("a", late(secs(9))).on("b", (0..8).map(|_| down()));
    let probe = leaf.probe();
    let service = FallbackLayer::new(chain(["a", "b"])).hedge(always(Hedge::after(secs(1))));
    let service = service.layer(leaf);
    let mut hedges = Vec::new();
    for _ in 0..20 {
        let before = probe.calls();
        ask(&service, streamed()).await.unwrap();
        hedges.push(probe.calls() - before == 2);
    }
    // Each call takes nine seconds. Seven failed hedges, then a probe that fails, and later one that succeeds.
    let none = [false; 3];
    let expected = [&[true; 7][..], &none, &[true], &none, &[true, true]].concat();
    assert_eq!(hedges[..expected.len()], expected);
}

/// Each account has tracks of its own: of more accounts than there is room for, each is hedged all the same.
#[tokio::test(start_paused = true)]
async fn each_of_many_accounts_is_hedged() {
    let of_one = || (0..20).map(|_| late(secs(1))).chain([late(secs(60))]);
    let leaf = Leaf::new([]).on("a", (0..150).flat_map(|_| of_one()));
    let probe = leaf.probe();
    let service = FallbackLayer::new(chain(["a", "b"])).hedge(always(Hedge::p95()));
    let service = service.layer(leaf);
    for account in 0..150_u32 {
        let before = probe.calls();
        for _ in 0..21 {
            let mut request = streamed();
            let account = Route::of([account.to_string().as_bytes()]);
            request.body_mut().call.set_account(account);
            ask(&service, request).await.unwrap();
        }
        assert_eq!(probe.calls() - before, 22, "account {account}");
    }
}

#[tokio::test(start_paused = true)]
async fn both_are_on_the_bill_and_a_hedge_is_sent_whole_or_not_at_all() {
    let answers = 1_000;
    let price = WorstCasePrice::new().answer_token(usd("0.001"));
    // A whole answer is a dollar.
    for (cap, models) in [("2.5", vec!["a", "b"]), ("1.5", vec!["a"])] {
        let book = InMemoryBudgetStore::new();
        let budgets = Budgets::in_store([Budget::usd("all", cap).unwrap()], Arc::new(book.clone())).unwrap();
        let leaf = Leaf::new([]).on("a", [late(secs(9))]).on("b", [late(secs(3))]);
        let probe = leaf.probe();
        let cost = CostLayer::new()
            .budgets(budgets)
            .unknown_price(UnknownPrice::Assume(price));
        let service = AttemptLayer::new().layer(cost.layer(leaf));
        let service = FallbackLayer::new(chain(["a", "b"]))
            .hedge(always(Hedge::after(secs(1))))
            .layer(service);
        let mut request = streamed();
        request.body_mut().max_tokens = Some(answers);
        let response = ask(&service, request).await.unwrap();
        let log = response
            .extensions()
            .get::<tower_llm_layers::AttemptLog>()
            .unwrap()
            .clone();
        read(response.into_body()).await;
        assert_eq!(probe.models(), models);
        assert!(
            probe.seen().iter().all(|seen| seen.max_tokens == Some(answers)),
            "none is cut short"
        );
        let lines = log.attempts();
        if let [a, b] = lines.as_slice() {
            let outcomes = if models.len() == 2 {
                (Outcome::Dropped, Outcome::Answered)
            } else {
                (Outcome::Answered, Outcome::Failed(FailureKind::BudgetExceeded))
            };
            assert_eq!((a.outcome, b.outcome), outcomes, "{log}");
            assert!(a.cost.is_some(), "{log}");
        } else {
            panic!("{log}");
        }
        for spent in book.accounts() {
            assert_eq!(spent.reserved, usd("0"), "nothing is held any more");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn dropped_at_any_time_it_leaves_nothing() {
    for wait in [0, 500, 1_000, 1_500, 2_500] {
        let leaf = Leaf::new([])
            .on("a", [Step::Hang])
            .on("b", [Step::Hang])
            .ready_after(millis(700));
        let probe = leaf.probe();
        let service = FallbackLayer::new(chain(["a", "b"])).hedge(always(Hedge::after(secs(1))));
        let mut service = service.layer(ConcurrencyLimitLayer::new(2).layer(leaf));
        let mut future = Box::pin(service.ready().await.unwrap().call(streamed()));
        assert!(poll_once(future.as_mut()).is_pending());
        let mut left = wait;
        while left > 0 {
            advance(millis(100)).await;
            assert!(matches!(poll_once(future.as_mut()), Poll::Pending));
            left -= 100;
        }
        drop(future);
        assert_eq!(probe.calls(), if wait >= 2_000 { 2 } else { 1 }, "after {wait} ms");
        probe.assert_quiet();
        // Both permits are back.
        let (one, two) = tokio::join!(service.clone().ready_oneshot(), service.clone().ready_oneshot());
        assert!(one.is_ok() && two.is_ok());
    }
}
