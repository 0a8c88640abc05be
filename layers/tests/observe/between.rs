//! What the layers between operation and attempt tell the `metrics` facade: queues, limits, circuits, holds.

use std::sync::Arc;

use http_body_util::BodyExt;
use tower::Layer;
use tower_llm_layers::{
    FailureKind, GlobalKey, Stage,
    adaptive_concurrency::{AdaptiveConcurrencyLayer, ConcurrencyPolicy},
    budget::{Budget, Budgets},
    circuit_breaker::{CircuitBreakerLayer, CircuitPolicy},
    cost::CostLayer,
    rate_limit::{Limits, Rate, RateLimitLayer},
};

use super::{recorder::record, stream};
use crate::support::{Beat, Leaf, Prices, Step, ask, candidate, charged, fails, read, secs};

#[tokio::test(start_paused = true)]
async fn a_circuit_that_opens_is_probed_and_closes() {
    let recorded = record();
    let policy = CircuitPolicy::new()
        .min_calls(2)
        .open_for(secs(5), secs(5))
        .probes(1, 1)
        .return_over(secs(10));
    let down = || Step::fail(fails(FailureKind::Overloaded));
    let leaf = Leaf::new([down(), down()]);
    let service = CircuitBreakerLayer::new(policy).unwrap().layer(leaf);
    let state = || recorded.lines("llm.circuit");
    let candidate = "gen_ai.provider.name=upstream,gen_ai.request.model=m";
    let told = |level: &str, states: &[&str]| {
        let counted = states
            .iter()
            .map(|to| format!("llm.circuit.transitions{{{candidate},llm.circuit.to={to}}} [1.0]"));
        let state = format!("llm.circuit.state{{{candidate}}} [{level}]");
        std::iter::once(state).chain(counted).collect::<Vec<_>>()
    };

    assert!(ask(&service, stream("m")).await.is_err());
    assert_eq!(state(), [""; 0], "closed, and nothing to say");
    assert!(ask(&service, stream("m")).await.is_err());
    assert_eq!(state(), told("2.0", &["open"]));
    tokio::time::advance(secs(5)).await;
    read(ask(&service, stream("m")).await.unwrap().into_body()).await;
    assert_eq!(state(), told("0.0", &["half_open", "returning"]));
    tokio::time::advance(secs(10)).await;
    read(ask(&service, stream("m")).await.unwrap().into_body()).await;
    assert_eq!(state(), told("0.0", &["closed"]));
}

#[tokio::test(start_paused = true)]
async fn a_rate_limit_that_lets_wait_and_refuses() {
    let recorded = record();
    let rate = Rate::new(60, secs(60)).unwrap().burst(1).unwrap();
    let layer = RateLimitLayer::new(Limits::new().requests(rate), GlobalKey).unwrap();
    let service = layer.clone().max_wait(secs(5)).layer(Leaf::new([]));
    for _ in 0..2 {
        read(ask(&service, stream("m")).await.unwrap().into_body()).await;
    }
    let told = recorded.take();
    let waits = &told["llm.queue.wait{llm.queue=rate_limit}"].values;
    assert!(waits.len() == 1 && waits[0] >= 1.0 && waits[0] < 1.2, "{waits:?}");

    // The same limit, with an empty queue.
    let service = layer.layer(Leaf::new([]));
    assert!(ask(&service, stream("m")).await.is_err());
    assert_eq!(
        recorded.lines("llm.limit"),
        ["llm.limit.refusals{llm.limit=requests,llm.queue=rate_limit} [1.0]"]
    );
}

#[tokio::test(start_paused = true)]
async fn the_concurrency_limit_of_a_candidate_and_its_queue() {
    let recorded = record();
    let policy = ConcurrencyPolicy::new().initial(1).ceiling(1).queue(1);
    let slow = || {
        Step::body([
            Beat::Frame(Stage::Content),
            Beat::Pause(secs(3)),
            Beat::Frame(Stage::Finish),
        ])
    };
    let leaf = Leaf::new([slow(), slow()]);
    let service = AdaptiveConcurrencyLayer::new(policy).unwrap().layer(leaf);
    let call = || async {
        read(ask(&service, stream("m")).await?.into_body())
            .await
            .error
            .map_or(Ok(()), Err)
    };
    let (one, two, three) = tokio::join!(call(), call(), call());
    assert!(one.is_ok() && two.is_ok() && three.is_err());
    assert_eq!(
        recorded.lines("llm."),
        [
            "llm.concurrency.limit{gen_ai.provider.name=upstream,gen_ai.request.model=m} [1.0]",
            "llm.limit.refusals{llm.limit=concurrency,llm.queue=adaptive_concurrency} [1.0]",
            "llm.queue.wait{llm.queue=adaptive_concurrency} [3.0]",
        ]
    );

    let policy = ConcurrencyPolicy::new().initial(8).decrease(0.5);
    let leaf = Leaf::new([Step::fail(fails(FailureKind::RateLimited).says(429, "rate_limited"))]);
    let service = AdaptiveConcurrencyLayer::new(policy).unwrap().layer(leaf);
    assert!(ask(&service, stream("m")).await.is_err());
    assert_eq!(
        recorded.lines("llm.concurrency"),
        ["llm.concurrency.limit{gen_ai.provider.name=upstream,gen_ai.request.model=m} [4.0]"]
    );
}

#[tokio::test(start_paused = true)]
async fn money_is_shown_as_reserved_until_it_is_settled() {
    let recorded = record();
    let budgets = Budgets::new([Budget::usd("all", "1").unwrap()]).unwrap();
    let answer = [Beat::Frame(Stage::Content), charged(100, 2, "0.0001")];
    let layer = CostLayer::new().prices(Arc::new(Prices)).budgets(budgets);
    let service = layer.layer(Leaf::new([Step::body(answer), Step::Hang]));
    let mut request = stream("m");
    request.body_mut().call.set_candidate(candidate("m"));
    let mut body = ask(&service, request).await.unwrap().into_body();
    body.frame().await.unwrap().unwrap();
    let held = || {
        let told = recorded.take().into_iter();
        let held: Vec<_> = told.filter(|(name, _)| name == "llm.cost.reserved{}").collect();
        let values = held.into_iter().flat_map(|(_, series)| series.values);
        // It is counted in parts of a dollar that have no rest in binary.
        values.map(|value| format!("{value:.8}")).collect::<Vec<_>>()
    };
    // A hundred tokens of prompt, and five hundred of answer.
    assert_eq!(held(), ["0.00510000"]);
    body.frame().await.unwrap().unwrap();
    drop(body);
    assert_eq!(held(), ["-0.00510000"]);
}
