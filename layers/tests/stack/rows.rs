//! The table of failures, row by row: what follows from each kind, and in which virtual time.

use tower_llm_layers::{Advice, FailureKind as K, FallbackAdvice as F, Health as H, Phase, RetryAdvice as R};

use super::Stack;
use crate::support::{Beat, Leaf, Step, TestError, ask, chain, fails, read, secs, streamed};

/// `a` fails so, again and again; which candidate does the stack try, and when?
async fn asked(names: [&str; 2], step: Step) -> (Vec<(String, u128)>, Result<(), TestError>) {
    let leaf = Leaf::new([]).always("a", step);
    let probe = leaf.probe();
    let result = ask(&Stack::of(chain(names)).over(leaf), streamed()).await;
    let result = result.map(drop);
    probe.assert_quiet();
    let times = probe.times();
    (probe.models().into_iter().zip(times).collect(), result)
}

fn expected(asked: &[(&str, u128)]) -> Vec<(String, u128)> {
    let asked = asked.iter();
    asked.map(|(model, at)| ((*model).to_owned(), *at)).collect()
}

const AGAIN_THEN_NEXT: &[(&str, u128)] = &[("a", 0), ("a", 1000), ("b", 1000)];
const NEXT_AT_ONCE: &[(&str, u128)] = &[("a", 0), ("b", 0)];
const NOBODY: &[(&str, u128)] = &[("a", 0)];

#[tokio::test(start_paused = true)]
async fn each_kind_is_retried_or_falls_back_or_neither() {
    let rows: [(K, &[(&str, u128)]); 23] = [
        (K::Connect, AGAIN_THEN_NEXT),
        (K::Reset, AGAIN_THEN_NEXT),
        (K::Timeout(Phase::FirstToken), NEXT_AT_ONCE),
        (K::Timeout(Phase::Response), NEXT_AT_ONCE),
        (K::Timeout(Phase::Idle), NOBODY),
        (K::Timeout(Phase::Throughput), NOBODY),
        (K::Truncated, NOBODY),
        (K::Timeout(Phase::Deadline), NOBODY),
        (K::RateLimited, AGAIN_THEN_NEXT),
        (K::QuotaExhausted, NOBODY),
        (K::Overloaded, AGAIN_THEN_NEXT),
        (K::Upstream, AGAIN_THEN_NEXT),
        (K::EmptyResponse, AGAIN_THEN_NEXT),
        (K::Malformed, AGAIN_THEN_NEXT),
        (K::Nonconformant, AGAIN_THEN_NEXT),
        (K::NoEndpoint, NEXT_AT_ONCE),
        (K::ContextLengthExceeded, NEXT_AT_ONCE),
        (K::ContentFiltered, NOBODY),
        (K::InsufficientFunds, NEXT_AT_ONCE),
        (K::Auth, NOBODY),
        (K::BadRequest, NOBODY),
        (K::Cancelled, NOBODY),
        (K::Internal, NOBODY),
    ];
    for (kind, row) in rows {
        let (asked, result) = asked(["a", "b"], Step::fail(fails(kind))).await;
        assert_eq!(asked, expected(row), "{kind}");
        assert_eq!(result.is_ok(), row.iter().any(|(model, _)| *model == "b"));
        if let Err(error) = result {
            assert_eq!((error.kind, error.marks.is_exhausted()), (kind, true));
            assert!(error.marks.attempts().is_some(), "{kind}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn another_upstream_serves_where_the_pool_or_the_key_is_gone() {
    for kind in [K::QuotaExhausted, K::Auth] {
        let (asked, result) = asked(["a", "direct/b"], Step::fail(fails(kind))).await;
        assert_eq!(asked, expected(NEXT_AT_ONCE), "{kind}");
        result.unwrap();
    }
}

#[tokio::test(start_paused = true)]
async fn a_hint_is_waited_for_where_it_fits() {
    let rows: [(u64, &[(&str, u128)]); 3] = [
        (5, &[("a", 0), ("a", 5_500), ("b", 5_500)]),
        (60, &[("a", 0), ("a", 60_000), ("b", 60_000)]),
        (120, NEXT_AT_ONCE),
    ];
    for (hint, row) in rows {
        let throttled = fails(K::RateLimited).hint(secs(hint));
        let (asked, _) = asked(["a", "b"], Step::fail(throttled)).await;
        assert_eq!(asked, expected(row), "{hint}");
    }
}

#[tokio::test(start_paused = true)]
async fn another_candidate_is_tried_before_fewer_tokens() {
    let broke = fails(K::InsufficientFunds).affordable(500);
    let (asked, result) = asked(["a", "b"], Step::fail(broke)).await;
    assert_eq!(asked, expected(NEXT_AT_ONCE));
    result.unwrap();
}

#[tokio::test(start_paused = true)]
async fn silence_moves_on_after_its_clock() {
    for step in [Step::Hang, Step::silent_for(secs(60))] {
        let (asked, result) = asked(["a", "b"], step).await;
        assert_eq!(asked, expected(&[("a", 0), ("b", 10_000)]));
        result.unwrap();
    }
}

#[tokio::test(start_paused = true)]
async fn the_last_and_the_lonely_have_more_patience() {
    let leaf = Leaf::new([Step::Hang, Step::silent_for(secs(19))]);
    let probe = leaf.probe();
    let stack = Stack::of(chain(["a", "b"])).over(leaf);
    assert!(ask(&stack, streamed()).await.is_ok(), "the last has a grace");
    assert_eq!(probe.models(), ["a", "b"]);
    for (silent, times) in [(false, vec![0]), (true, vec![0, 21_000])] {
        let leaf = Leaf::new([Step::Hang]);
        let probe = leaf.probe();
        let stack = Stack {
            silent,
            ..Stack::of(chain(["a"]))
        };
        assert_eq!(ask(&stack.over(leaf), streamed()).await.is_ok(), silent);
        assert_eq!(probe.times(), times);
    }
}

#[tokio::test(start_paused = true)]
async fn an_empty_answer_is_a_failure_and_a_cut_one_is_never_whole() {
    let (asked, result) = asked(["a", "b"], Step::body([])).await;
    assert_eq!(asked, expected(AGAIN_THEN_NEXT));
    result.unwrap();
    use tower_llm_layers::Stage::Content;
    let endings = [
        (Beat::Stall, K::Timeout(Phase::Idle)),
        (Beat::Fail(fails(K::Truncated)), K::Truncated),
        (Beat::Fail(fails(K::Overloaded)), K::Overloaded),
    ];
    for (ending, kind) in endings {
        let leaf = Leaf::new([Step::body([Beat::Frame(Content), ending])]);
        let probe = leaf.probe();
        let stack = Stack::of(chain(["a", "b"])).over(leaf);
        let reading = read(ask(&stack, streamed()).await.unwrap().into_body()).await;
        assert_eq!(reading.stages, [Content]);
        assert_eq!(reading.error.unwrap().kind, kind);
        assert_eq!(probe.calls(), 1, "nothing is tried again once shown");
        probe.assert_quiet();
    }
}

#[test]
fn the_advice_is_the_table() {
    let row = Advice::new;
    let again = row(R::Backoff, F::Any, true, H::Unhealthy);
    let silent = row(R::IfAlone, F::Any, true, H::Unhealthy);
    let shown = row(R::Never, F::Never, false, H::Unhealthy);
    let final_ = row(R::Never, F::Never, false, H::Neutral);
    let rows = [
        (K::Connect, again),
        (K::Reset, again),
        (K::Timeout(Phase::FirstToken), silent),
        (K::Timeout(Phase::Response), silent),
        (K::Timeout(Phase::Idle), shown),
        (K::Timeout(Phase::Throughput), shown),
        (K::Truncated, shown),
        (K::Timeout(Phase::Deadline), row(R::Never, F::Never, true, H::Neutral)),
        (K::RateLimited, row(R::Backoff, F::Any, true, H::Paused)),
        (K::QuotaExhausted, row(R::Never, F::OtherPool, true, H::Neutral)),
        (K::Overloaded, again),
        (K::Upstream, again),
        (K::EmptyResponse, again),
        (K::Malformed, again),
        (K::NoEndpoint, row(R::Never, F::Any, true, H::Neutral)),
        (
            K::ContextLengthExceeded,
            row(R::Never, F::LargerContext, true, H::Neutral),
        ),
        (K::ContentFiltered, row(R::Never, F::IfRouteAllows, false, H::Neutral)),
        (K::InsufficientFunds, row(R::FewerTokens, F::Cheaper, true, H::Neutral)),
        (K::Auth, row(R::OtherKey, F::OtherUpstream, false, H::KeyUnhealthy)),
        (K::BadRequest, final_),
        (K::Cancelled, final_),
        (K::Internal, final_),
    ];
    for (kind, advice) in rows {
        assert_eq!(kind.advice(), advice, "{kind}");
    }
}
