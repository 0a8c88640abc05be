//! Reserved money is not spent money: hints, waits, and the default length.

use std::time::Duration;

use tokio::time::{Instant, sleep};
use tower::{Layer, ServiceBuilder};
use tower_llm_layers::{
    AttemptLog, Degraded, DegradedSource, FailureKind, LayerError, NoStore, OutputLimit, Stage, attempt::AttemptLayer,
    budget::RefusalReason, cost::DEFAULT_OUTPUT_TOKENS, deadline::DeadlineLayer, timeout::AttemptTimeoutLayer,
};

use super::{budgeted, to, up_to};
use crate::support::{Beat, Leaf, Step, TestError, ask, charged, millis, read, secs, usd};

/// An answer that begins at once, ends after this long, and costs next to nothing.
fn lasting(time: Duration) -> Step {
    Step::body([
        Beat::Frame(Stage::Content),
        Beat::Pause(time),
        charged(100, 5, "0.00015"),
    ])
}

fn reason(error: &TestError) -> &RefusalReason {
    let Some(LayerError::BudgetExceeded(refusal)) = &error.layer else {
        unreachable!("{error:?}");
    };
    &refusal.reason
}

/// Asks, and reads in a task of its own, so that the reservation ends with the answer.
macro_rules! in_flight {
    ($service:expr, $request:expr) => {{
        let response = ask(&$service, $request).await.unwrap();
        tokio::spawn(async move { read(response.into_body()).await })
    }};
}

#[tokio::test(start_paused = true)]
async fn reserved_money_is_worth_a_retry_in_a_second_and_spent_money_is_not() {
    // The whole answer of a thousand tokens is worth a cent.
    let (layer, _, _) = budgeted("0.0101");
    let service = layer.layer(Leaf::new([lasting(secs(5))]));
    let _first = ask(&service, up_to("a", 1_000)).await.unwrap();
    let error = ask(&service, up_to("a", 1_000)).await.err().unwrap();
    assert!(
        matches!(reason(&error), RefusalReason::Reserved { .. }),
        "{}",
        error.summary
    );
    assert_eq!(error.hint, Some(secs(1)));
    // The call has tags, and the budget is for all: the sums are not its caller's alone.
    for part in [
        "what is left is reserved for attempts in flight",
        "retry when an attempt in flight has ended",
    ] {
        assert!(error.summary.contains(part), "{}", error.summary);
    }

    // Money that is spent is never reported as free "in a second".
    let (layer, _, _) = budgeted("0.0101");
    let service = layer.layer(Leaf::new([Step::body([charged(100, 1_000, "0.0101")])]));
    read(ask(&service, up_to("a", 1_000)).await.unwrap().into_body()).await;
    let error = ask(&service, up_to("a", 1_000)).await.err().unwrap();
    assert!(
        matches!(reason(&error), RefusalReason::Spent { .. }),
        "{}",
        error.summary
    );
    assert_eq!(error.hint, None, "the budget has no window: {}", error.summary);
    assert!(error.summary.contains("less than that is left"), "{}", error.summary);
}

#[tokio::test(start_paused = true)]
async fn an_attempt_that_no_window_carries_has_no_hint() {
    let (layer, _, _) = budgeted("0.00001");
    let error = ask(&layer.layer(Leaf::new([])), up_to("a", 1_000)).await.err().unwrap();
    assert_eq!((error.kind, error.hint), (FailureKind::BudgetExceeded, None));
    assert!(
        error.summary.contains("it is more than the whole budget"),
        "{}",
        error.summary
    );
}

#[tokio::test(start_paused = true)]
async fn an_attempt_waits_for_a_reservation_to_end_and_gets_the_whole() {
    let (layer, book, kept) = budgeted("0.0105");
    let leaf = Leaf::new([lasting(millis(700))]);
    let probe = leaf.probe();
    let service = layer.max_reservation_wait(secs(2)).layer(leaf);
    let first = in_flight!(service, up_to("a", 1_000));
    let begun = Instant::now();
    let response = ask(&service, up_to("a", 1_000)).await.unwrap();
    let waited = begun.elapsed();
    assert!(waited >= millis(700) && waited < millis(1_000), "{waited:?}");
    assert!(response.extensions().get::<Degraded>().is_none());
    assert_eq!(probe.seen()[1].max_tokens, Some(1_000));
    drop(response);
    first.await.unwrap();
    assert_eq!(book.accounts()[0].reserved, usd("0"));
    assert_eq!(kept.entries().len(), 2);
}

#[tokio::test(start_paused = true)]
async fn the_wait_has_a_limit_and_then_the_answer_is_shortened() {
    // Beside one whole answer, the prompt and 300 tokens fit.
    for (cap, expected) in [("0.0132", Some(300)), ("0.0105", None)] {
        let (layer, _, _) = budgeted(cap);
        let leaf = Leaf::new([lasting(secs(60))]);
        let probe = leaf.probe();
        let service = layer.max_reservation_wait(secs(2)).layer(leaf);
        let _first = ask(&service, up_to("a", 1_000)).await.unwrap();
        let begun = Instant::now();
        let result = ask(&service, up_to("a", 1_000)).await;
        assert_eq!(begun.elapsed(), secs(2));
        match (result, expected) {
            (Ok(response), Some(tokens)) => {
                let mark = response.extensions().get::<Degraded>().unwrap();
                assert_eq!(mark.source, DegradedSource::ShortenedAnswer);
                assert_eq!(mark.reason, Some(FailureKind::BudgetExceeded));
                assert_eq!(
                    (mark.max_tokens, probe.seen()[1].max_tokens),
                    (Some(tokens), Some(tokens))
                );
                assert!(response.extensions().get::<NoStore>().is_some());
            }
            (Err(error), None) => assert!(matches!(reason(&error), RefusalReason::Reserved { .. })),
            (result, _) => unreachable!("{cap}: {:?}", result.map(drop)),
        }
    }
}

#[tokio::test(start_paused = true)]
async fn the_wait_ends_with_the_deadline() {
    let (layer, _, _) = budgeted("0.0105");
    let layer = layer.max_reservation_wait(secs(60));
    let service = DeadlineLayer::new(secs(3)).layer(layer.layer(Leaf::new([lasting(secs(50))])));
    let _first = ask(&service, up_to("a", 1_000)).await.unwrap();
    let begun = Instant::now();
    let error = ask(&service, up_to("a", 1_000)).await.err().unwrap();
    assert_eq!(begun.elapsed(), secs(3));
    assert_eq!(error.kind, FailureKind::BudgetExceeded, "it says what it waited for");
}

#[tokio::test(start_paused = true)]
async fn no_time_limit_of_the_upstream_counts_the_wait() {
    let (layer, _, _) = budgeted("0.0105");
    let leaf = Leaf::new([lasting(secs(3)), Step::silent_for(millis(900))]);
    let service = ServiceBuilder::new()
        .layer(AttemptLayer::new())
        .layer(AttemptTimeoutLayer::new(secs(1)).last_candidate_grace(Duration::ZERO))
        .layer(tower_llm_layers::first_token::FirstTokenLayer::new())
        .layer(layer.max_reservation_wait(secs(10)))
        .service(leaf);
    let first = in_flight!(service, up_to("a", 1_000));
    let response = ask(&service, up_to("a", 1_000)).await.unwrap();
    let log = response.extensions().get::<AttemptLog>().unwrap().attempts();
    assert_eq!(log[0].first_token, Some(millis(900)), "the upstream's own time");
    first.await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn an_attempt_that_leaves_while_it_waits_leaves_nothing() {
    let (layer, book, kept) = budgeted("0.0105");
    let service = layer
        .max_reservation_wait(secs(60))
        .layer(Leaf::new([lasting(secs(5))]));
    let first = in_flight!(service, up_to("a", 1_000));
    let waiting = tokio::time::timeout(secs(1), ask(&service, up_to("a", 1_000)));
    assert!(waiting.await.is_err());
    first.await.unwrap();
    sleep(secs(1)).await;
    assert_eq!(book.accounts()[0].reserved, usd("0"));
    assert_eq!(kept.entries().len(), 1, "what was never sent has no entry");
}

#[tokio::test(start_paused = true)]
async fn a_request_without_a_length_gets_one_and_says_so() {
    let (layer, _, kept) = budgeted("1.00");
    let leaf = Leaf::new([Step::body([
        Beat::Frame(Stage::Content),
        charged(100, DEFAULT_OUTPUT_TOKENS, "0.08"),
    ])]);
    let probe = leaf.probe();
    let service = AttemptLayer::new().layer(layer.layer(leaf));
    let response = ask(&service, to("endless")).await.unwrap();
    assert_eq!(probe.seen()[0].max_tokens, Some(DEFAULT_OUTPUT_TOKENS));
    let limit = response.extensions().get::<OutputLimit>().unwrap();
    assert_eq!(limit.max_tokens, DEFAULT_OUTPUT_TOKENS);
    let log = response.extensions().get::<AttemptLog>().unwrap().clone();
    read(response.into_body()).await;
    assert_eq!(kept.only().reserved, usd("0.08202"));
    assert!(
        log.to_string()
            .contains("cut at 8192 tokens, the default under a budget"),
        "{log}"
    );

    // A request that names its length is not marked, and without a budget nothing is written.
    let (layer, _, _) = budgeted("1.00");
    let response = ask(&layer.layer(Leaf::new([])), up_to("a", 10)).await.unwrap();
    assert!(response.extensions().get::<OutputLimit>().is_none());
    let leaf = Leaf::new([]);
    let probe = leaf.probe();
    let unbudgeted = tower_llm_layers::cost::CostLayer::new().layer(leaf);
    ask(&unbudgeted, to("a")).await.unwrap();
    assert_eq!(probe.seen()[0].max_tokens, None);
}

#[tokio::test(start_paused = true)]
async fn a_short_answer_is_not_said_to_be_cut() {
    let (layer, _, _) = budgeted("1.00");
    let leaf = Leaf::new([lasting(Duration::ZERO)]);
    let response = ask(&AttemptLayer::new().layer(layer.layer(leaf)), to("a"))
        .await
        .unwrap();
    let log = response.extensions().get::<AttemptLog>().unwrap().clone();
    read(response.into_body()).await;
    assert!(!log.to_string().contains("cut at"), "{log}");
}
