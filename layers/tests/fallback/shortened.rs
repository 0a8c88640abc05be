//! Money is short: an affordable candidate comes before a shorter answer, and a shorter answer is the last turn.

use std::sync::Arc;

use tower::ServiceBuilder;
use tower_llm_layers::{
    DEFAULT_MIN_OUTPUT_TOKENS, Degraded, DegradedSource, FailureKind, NoStore,
    attempt::AttemptLayer,
    budget::{Budget, Budgets},
    cost::CostLayer,
    fallback::FallbackLayer,
    retry::RetryLayer,
};

use crate::support::{Beat, Leaf, Prices, Step, TestError, TestRequest, ask, chain, fails, secs, streamed};

/// The result of a call: which models it called for how much, and the mark of its answer.
type Story = (Vec<(String, Option<u64>)>, Result<Option<Degraded>, TestError>);

fn wants(tokens: u64) -> http::Request<TestRequest> {
    let mut request = streamed();
    request.body_mut().max_tokens = Some(tokens);
    request.body_mut().needs.prompt_tokens = 100;
    request.body_mut().needs.most_prompt_tokens = 100;
    request
}

async fn story<const N: usize>(models: [&str; N], cap: &str, leaf: Leaf, tokens: u64) -> Story {
    let probe = leaf.probe();
    let budgets = Budgets::new([Budget::usd("all", cap).unwrap()]).unwrap();
    let service = ServiceBuilder::new()
        .layer(FallbackLayer::new(chain(models)))
        .layer(RetryLayer::new())
        .layer(AttemptLayer::new())
        .layer(CostLayer::new().prices(Arc::new(Prices)).budgets(budgets))
        .service(leaf);
    let result = ask(&service, wants(tokens)).await.map(|response| {
        let mark = response.extensions().get::<Degraded>().cloned();
        assert_eq!(mark.is_some(), response.extensions().get::<NoStore>().is_some());
        mark
    });
    let seen = probe.seen();
    let seen = seen.into_iter().map(|seen| (seen.model.unwrap(), seen.max_tokens));
    (seen.collect(), result)
}

fn shortened(reason: FailureKind, tokens: u64) -> impl Fn(&Degraded) -> bool {
    move |mark| {
        mark.source == DegradedSource::ShortenedAnswer && mark.reason == Some(reason) && mark.max_tokens == Some(tokens)
    }
}

#[tokio::test(start_paused = true)]
async fn the_next_candidate_that_fits_gives_the_whole() {
    // `costly` costs $0.101 for the whole, and 0.05 allows 490 tokens of it; `a` is worth a tenth.
    let (seen, result) = story(["costly", "a"], "0.05", Leaf::new([]), 1_000).await;
    assert_eq!(seen, [("a".to_owned(), Some(1_000))]);
    assert_eq!(result.unwrap(), None, "a whole answer is not marked");
}

#[tokio::test(start_paused = true)]
async fn after_the_last_the_largest_answer_is_shortened_and_marked() {
    // Of `costly` 30 tokens fit, of `a` 390.
    let (seen, result) = story(["costly", "a"], "0.004", Leaf::new([]), 1_000).await;
    assert_eq!(seen, [("a".to_owned(), Some(390))]);
    let mark = result.unwrap().unwrap();
    assert!(shortened(FailureKind::BudgetExceeded, 390)(&mark), "{mark:?}");
    assert_eq!(
        mark.to_string(),
        "source=shortened_answer; reason=budget_exceeded; max_tokens=390"
    );
}

#[tokio::test(start_paused = true)]
async fn a_single_candidate_is_shortened_in_its_turn() {
    let (seen, result) = story(["a"], "0.004", Leaf::new([]), 1_000).await;
    assert_eq!(seen, [("a".to_owned(), Some(390))]);
    assert!(shortened(FailureKind::BudgetExceeded, 390)(&result.unwrap().unwrap()));
}

#[tokio::test(start_paused = true)]
async fn no_answer_is_shortened_to_a_stump() {
    // 255 tokens and the prompt: one token short of the least.
    for models in [["a", "costly"], ["costly", "a"]] {
        let (seen, result) = story(models, "0.00265", Leaf::new([]), 1_000).await;
        assert_eq!(seen, []);
        let error = result.unwrap_err();
        assert_eq!(error.kind, FailureKind::BudgetExceeded);
        assert!(error.summary.contains("at least"), "{}", error.summary);
    }
    let (seen, _) = story(["a"], "0.00266", Leaf::new([]), 1_000).await;
    assert_eq!(seen, [("a".to_owned(), Some(DEFAULT_MIN_OUTPUT_TOKENS))]);
}

#[tokio::test(start_paused = true)]
async fn a_short_balance_is_met_by_the_next_candidate_first() {
    let broke = Step::fail(fails(FailureKind::InsufficientFunds).affordable(500));
    let (seen, result) = story(["a", "b"], "1", Leaf::new([]).always("a", broke), 1_000).await;
    assert_eq!(seen, [("a".to_owned(), Some(1_000)), ("b".to_owned(), Some(1_000))]);
    assert_eq!(result.unwrap(), None);
}

#[tokio::test(start_paused = true)]
async fn a_short_balance_shortens_the_largest_answer_last() {
    let carries = |tokens| Step::fail(fails(FailureKind::InsufficientFunds).affordable(tokens));
    let leaf = Leaf::new([])
        .on("a", [carries(300)])
        .on("b", [carries(700)])
        .on("c", [carries(20)]);
    let (seen, result) = story(["a", "b", "c"], "1", leaf, 1_000).await;
    let expected = [("a", 1_000), ("b", 1_000), ("c", 1_000), ("b", 700)];
    assert_eq!(seen, expected.map(|(model, tokens)| (model.to_owned(), Some(tokens))));
    let mark = result.unwrap().unwrap();
    assert!(shortened(FailureKind::InsufficientFunds, 700)(&mark), "{mark:?}");
}

#[tokio::test(start_paused = true)]
async fn the_last_turn_comes_once() {
    let carries = |tokens| Step::fail(fails(FailureKind::InsufficientFunds).affordable(tokens));
    let leaf = Leaf::new([]).always("a", carries(300)).always("b", carries(700));
    let (seen, result) = story(["a", "b"], "1", leaf, 1_000).await;
    // The retry of the last turn may shorten once more.
    assert_eq!(seen.len(), 3, "{seen:?}");
    assert_eq!(result.unwrap_err().kind, FailureKind::InsufficientFunds);
}

#[tokio::test(start_paused = true)]
async fn a_candidate_that_fails_otherwise_is_not_shortened_for() {
    let leaf = Leaf::new([]).always("a", Step::fail(fails(FailureKind::BadRequest)));
    let (seen, result) = story(["costly", "a"], "0.05", leaf, 1_000).await;
    assert_eq!(seen, [("a".to_owned(), Some(1_000))]);
    assert_eq!(
        result.unwrap_err().kind,
        FailureKind::BadRequest,
        "it is the request's fault"
    );
}

/// What is only reserved is waited for in the last turn, by the first candidate, and not while others could answer.
#[tokio::test(start_paused = true)]
async fn reserved_money_is_waited_for_when_no_other_candidate_is_left() {
    use tower_llm_layers::Stage::Content;

    let leaf = Leaf::new([]).on("a", [Step::body([Beat::Frame(Content), Beat::Pause(secs(1))])]);
    let probe = leaf.probe();
    let budgets = Budgets::new([Budget::usd("all", "0.0125").unwrap()]).unwrap();
    let service = ServiceBuilder::new()
        .layer(FallbackLayer::new(chain(["a", "b"])))
        .layer(AttemptLayer::new())
        .layer(
            CostLayer::new()
                .prices(Arc::new(Prices))
                .budgets(budgets)
                .max_reservation_wait(secs(5)),
        )
        .service(leaf);
    let first = ask(&service, wants(1_000)).await.unwrap();
    let reading = tokio::spawn(async move { crate::support::read(first.into_body()).await });
    let second = ask(&service, wants(1_000)).await.unwrap();
    assert_eq!(second.extensions().get::<Degraded>(), None);
    let seen: Vec<_> = probe
        .seen()
        .iter()
        .map(|seen| (seen.model.clone(), seen.max_tokens))
        .collect();
    assert_eq!(seen, vec![(Some("a".to_owned()), Some(1_000)); 2]);
    reading.await.unwrap();
}
