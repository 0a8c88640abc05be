//! A response that was changed for the leader's own reasons is not shared.

use tower::ServiceBuilder;
use tower_llm_layers::{
    Candidate, FailureKind, NoStore, Tags,
    attempt::AttemptLayer,
    budget::{Budget, Budgets, InMemoryBudgetStore},
    cost::CostLayer,
    retry::RetryLayer,
};

use super::*;
use crate::support::{Prices, ask, fails};

#[tokio::test(start_paused = true)]
async fn no_call_gets_what_anothers_budget_cut_short() {
    let budget = Budget::usd("user", "0.004").unwrap().each("user");
    let budgets = Budgets::in_store([budget], Arc::new(InMemoryBudgetStore::new())).unwrap();
    let cost = CostLayer::new().prices(Arc::new(Prices)).budgets(budgets);
    let answer = Step::Answer(
        millis(100),
        vec![Beat::Frame(Stage::Content), Beat::Frame(Stage::Finish)],
    );
    let leaf = Leaf::new([]).always("a", answer);
    let probe = leaf.probe();
    let service = ServiceBuilder::new()
        .layer(layer())
        .layer(AttemptLayer::new())
        .layer(cost)
        .service(leaf);
    let of = |user: &str| {
        let mut request = streamed();
        let body = request.body_mut();
        body.model = Some("a".into());
        body.needs.prompt_tokens = 100;
        body.needs.most_prompt_tokens = 100;
        body.max_tokens = Some(500);
        body.call.set_candidate(Candidate::new("router", "a").unwrap());
        body.call.set_tags(Tags::new([("user", user)]).unwrap());
        request
    };
    let (led, joined) = tokio::join!(ask(&service, of("one")), ask(&service, of("another")));
    assert!(led.unwrap().extensions().get::<NoStore>().is_some(), "it was cut short");
    assert!(joined.unwrap().extensions().get::<Coalesced>().is_none());
    assert_eq!(probe.calls(), 2, "called again");
}

#[tokio::test(start_paused = true)]
async fn an_answer_that_a_balance_cut_short_is_neither_kept_nor_shared() {
    let broke = fails(FailureKind::InsufficientFunds).affordable(300);
    let short = Step::Answer(
        millis(100),
        vec![Beat::Frame(Stage::Content), Beat::Frame(Stage::Finish)],
    );
    let leaf = Leaf::new([Step::Fail(millis(10), broke), short]);
    let probe = leaf.probe();
    let service = ServiceBuilder::new()
        .layer(layer())
        .layer(RetryLayer::new())
        .service(leaf);
    let long = || {
        let mut request = streamed();
        request.body_mut().max_tokens = Some(1_000);
        request
    };
    let (led, joined) = tokio::join!(ask(&service, long()), ask(&service, long()));
    frames(led.unwrap().into_body()).await;
    let joined = joined.unwrap();
    assert!(!is_shared(&joined));
    let seen: Vec<_> = probe.seen().iter().map(|seen| seen.max_tokens).collect();
    assert_eq!(
        seen,
        [Some(1_000), Some(300), Some(1_000)],
        "called again, for the whole"
    );
    frames(joined.into_body()).await;
    assert!(is_hit(&ask(&service, long()).await.unwrap()), "the whole is kept");
    assert_eq!(probe.calls(), 3);
}

#[tokio::test(start_paused = true)]
async fn no_call_fails_by_anothers_cap_on_attempts() {
    let leaf = Leaf::new([
        Step::Fail(millis(10), fails(FailureKind::Reset)),
        Step::ok(),
        Step::ok(),
    ]);
    let service = ServiceBuilder::new()
        .layer(layer())
        .layer(RetryLayer::new())
        .layer(AttemptLayer::new())
        .service(leaf);
    let mut capped = streamed();
    capped.body_mut().call.limit_attempts(1);
    let (led, other) = tokio::join!(ask(&service, capped), ask(&service, streamed()));
    assert_eq!(led.unwrap_err().kind, FailureKind::Reset);
    assert!(other.is_ok());
}
