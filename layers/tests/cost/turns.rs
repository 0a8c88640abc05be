//! Attempts that wait for reserved money, within a whole stack.

use std::time::Duration;

use tower::{Layer, ServiceBuilder};
use tower_llm_layers::{
    FailureKind, Phase, Stage, attempt::AttemptLayer, first_token::FirstTokenLayer, timeout::AttemptTimeoutLayer,
};

use super::{budgeted, up_to};
use crate::support::{Beat, Leaf, Step, ask, charged, read, secs, usd, within};

/// An answer that takes so long, and costs nothing much.
fn takes(time: Duration) -> Step {
    Step::body([
        Beat::Frame(Stage::Content),
        Beat::Pause(time),
        charged(100, 5, "0.00015"),
    ])
}

#[tokio::test(start_paused = true)]
async fn they_are_answered_one_after_another_in_the_order_in_which_they_came() {
    // Each may cost 0.0101.
    let (layer, book, kept) = budgeted("0.012");
    let service = layer
        .max_reservation_wait(secs(60))
        .layer(Leaf::new((0..5).map(|_| takes(secs(1)))));
    let calls: Vec<_> = (0..5)
        .map(|number| {
            let service = service.clone();
            tokio::spawn(async move {
                tokio::time::sleep(Duration::from_millis(number)).await;
                let (response, waited) = within(ask(&service, up_to("a", 1_000))).await;
                read(response.unwrap().into_body()).await;
                waited.as_secs()
            })
        })
        .collect();
    let mut waited = Vec::new();
    for call in calls {
        waited.push(call.await.unwrap());
    }
    assert_eq!(waited, [0, 0, 1, 2, 3], "each as long as those before it took");
    assert_eq!((kept.entries().len(), book.accounts()[0].reserved), (5, usd("0")));
}

/// The wait for its turn is ours, and no silence of the upstream.
#[tokio::test(start_paused = true)]
async fn no_timeout_of_an_attempt_counts_the_wait() {
    let (layer, ..) = budgeted("0.012");
    let leaf = Leaf::new([takes(secs(8)), takes(secs(1)), Step::Hang]);
    let probe = leaf.probe();
    let service = ServiceBuilder::new()
        .layer(AttemptLayer::new())
        .layer(AttemptTimeoutLayer::new(secs(2)).last_candidate_grace(Duration::ZERO))
        .layer(FirstTokenLayer::new())
        .layer(layer.max_reservation_wait(secs(60)))
        .service(leaf);
    let first = ask(&service, up_to("a", 1_000)).await.unwrap();
    let first = tokio::spawn(read(first.into_body()));
    let (second, took) = within(ask(&service, up_to("a", 1_000))).await;
    assert_eq!(took, secs(8), "{:?}", second.as_ref().err());
    read(second.unwrap().into_body()).await;
    first.await.unwrap();
    // After the wait the limit is what it always is.
    let (third, took) = within(ask(&service, up_to("a", 1_000))).await;
    let kind = third.err().unwrap().kind;
    assert_eq!((kind, took), (FailureKind::Timeout(Phase::FirstToken), secs(2)));
    assert_eq!(probe.calls(), 3);
}

/// The whole is refused at once, as too much is spent for it; the wait is that for a shorter answer.
#[tokio::test(start_paused = true)]
async fn no_timeout_of_an_attempt_counts_the_wait_for_a_shorter_answer() {
    let (layer, ..) = budgeted("0.012");
    let spends = Step::body([Beat::Frame(Stage::Content), charged(100, 590, "0.006")]);
    let service = ServiceBuilder::new()
        .layer(AttemptLayer::new())
        .layer(AttemptTimeoutLayer::new(secs(2)).last_candidate_grace(Duration::ZERO))
        .layer(FirstTokenLayer::new())
        .layer(layer.max_reservation_wait(secs(60)).min_output_tokens(200))
        .service(Leaf::new([spends, takes(secs(8)), takes(secs(1))]));
    read(ask(&service, up_to("a", 1_000)).await.unwrap().into_body()).await;
    // It reserves 0.0051 of the other 0.006.
    let second = ask(&service, up_to("a", 500)).await.unwrap();
    let second = tokio::spawn(read(second.into_body()));
    let (third, took) = within(ask(&service, up_to("a", 1_000))).await;
    assert_eq!(took, secs(8), "{:?}", third.as_ref().err());
    read(third.unwrap().into_body()).await;
    second.await.unwrap();
}
