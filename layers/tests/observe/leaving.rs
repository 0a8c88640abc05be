//! The spans of calls whose caller leaves: recorded once, whenever that is.

use http_body_util::BodyExt;
use tower::{Service, ServiceExt};
use tower_llm_layers::{Stage, observe::names as n};

use super::{Stack, answer, attempts, fields, operation, stream};
use crate::support::{Beat, Leaf, Step, ask, chain, log, poll_once, secs};

const TOLD: [&str; 3] = [n::OUTCOME, n::ERROR_TYPE, n::STATUS_CODE];
const LEFT: [&str; 3] = ["llm.outcome=cancelled", "error.type=cancelled", "otel.status_code=-"];

fn told_once(outcome: [&str; 3], attempts_made: usize) {
    let (operation, attempts) = (operation(), attempts());
    assert_eq!(fields(&operation, TOLD), outcome);
    assert_eq!(attempts.len(), attempts_made);
    for span in attempts.iter().chain([&operation]) {
        assert_eq!(fields(span, TOLD), outcome);
        assert_eq!((span.writes[n::OUTCOME], span.handles), (1, 0), "{span:#?}");
    }
}

/// What was logged below as it was dropped belongs to the attempt.
fn ended_within_its_span() {
    let (_, span) = log::placed()
        .into_iter()
        .find(|(fields, _)| fields["message"] == "attempt dropped")
        .unwrap();
    assert_eq!(span, Some(1));
}

#[tokio::test(start_paused = true)]
async fn before_it_was_polled() {
    log::listen();
    let mut stack = Stack::of(chain(["a"])).over(Leaf::new([]));
    drop(stack.ready().await.unwrap().call(stream("a")));
    // Its first attempt had been begun, and was never sent.
    assert_eq!(fields(&operation(), TOLD), LEFT);
    let attempts = attempts();
    assert_eq!(attempts.len(), 1);
    assert_eq!(fields(&attempts[0], [n::OUTCOME]), ["llm.outcome=not_sent"]);
}

#[tokio::test(start_paused = true)]
async fn before_the_answer_began() {
    log::listen();
    let mut stack = Stack::of(chain(["a"])).over(Leaf::new([Step::Hang]));
    let mut future = Box::pin(stack.ready().await.unwrap().call(stream("a")));
    assert!(poll_once(future.as_mut()).is_pending());
    tokio::time::advance(secs(1)).await;
    drop(future);
    told_once(LEFT, 1);
    ended_within_its_span();
}

#[tokio::test(start_paused = true)]
async fn in_the_midst_of_the_answer_and_what_it_cost_is_lost() {
    log::listen();
    let stack = Stack::of(chain(["a"])).over(Leaf::new([Step::body([
        Beat::Frame(Stage::Content),
        Beat::Frame(Stage::Content),
        Beat::Stall,
    ])]));
    let mut body = ask(&stack, stream("a")).await.unwrap().into_body();
    body.frame().await.unwrap().unwrap();
    drop(body);
    told_once(LEFT, 1);
    ended_within_its_span();
    // A hundred tokens of prompt and one of answer, by the price list.
    let names = [n::COST, n::COST_WASTED];
    let told = fields(&operation(), names);
    assert_eq!(told, ["llm.cost.usd=0.00011", "llm.cost.wasted_usd=0.00011"]);
}

#[tokio::test(start_paused = true)]
async fn after_the_end_of_the_answer_and_before_the_last_frame() {
    log::listen();
    let stack = Stack::of(chain(["a"])).over(Leaf::new([Step::body(answer())]));
    let mut body = ask(&stack, stream("a")).await.unwrap().into_body();
    while body.frame().await.unwrap().unwrap().data_ref().unwrap().stage != Stage::Finish {}
    drop(body);
    told_once(["llm.outcome=answered", "error.type=-", "otel.status_code=OK"], 1);
    let told = fields(&operation(), [n::COST_WASTED]);
    assert_eq!(told, ["llm.cost.wasted_usd=0.0"], "the caller has it whole");
}
