//! Who joins a call under way.

use tower::ServiceBuilder;
use tower_llm_layers::{
    Everyone, Stage,
    attempt::AttemptLayer,
    cache::{Cache, CacheLayer},
    observe::ObserveLayer,
};

use super::{answer, recorder::record, stream};
use crate::support::{Leaf, Step, TestError, TestFrame, ask, read};

/// They are billed once.
#[tokio::test(start_paused = true)]
async fn tokens_of_a_shared_answer_are_counted_once() {
    let recorded = record();
    let service = ServiceBuilder::new()
        .layer(ObserveLayer::new())
        .layer(CacheLayer::<TestFrame, TestError, _>::new(
            Cache::new(1 << 20),
            Everyone,
        ))
        .layer(AttemptLayer::new())
        .service(Leaf::new([Step::body(answer())]));
    let call = async || read(ask(&service, stream("gpt-5")).await.unwrap().into_body()).await;
    let (one, two) = tokio::join!(call(), call());
    assert!(one.stages.contains(&Stage::Finish) && two.stages.contains(&Stage::Finish));
    let told = recorded.take();
    let input = told
        .iter()
        .filter(|(name, _)| name.starts_with("gen_ai.client.token.usage") && name.contains("type=input"));
    let tokens: f64 = input.flat_map(|(_, told)| &told.values).sum();
    assert!((tokens - 100.0).abs() < f64::EPSILON, "{tokens}");
}
