//! Who joins a call under way.

use tower::ServiceBuilder;
use tower_llm_layers::{
    GlobalKey, Stage,
    attempt::{AttemptLayer, AttemptService},
    cache::{Cache, CacheLayer, CacheService},
    observe::{Observe, ObserveLayer, names as n},
};

use super::{answer, fields, recorder::record, stream};
use crate::support::{Leaf, Step, TestError, TestFrame, ask, log, read};

type Observed = Observe<CacheService<AttemptService<Leaf>, TestFrame, TestError, GlobalKey>>;

/// Spans around a cache over one answer.
fn observed() -> Observed {
    ServiceBuilder::new()
        .layer(ObserveLayer::new())
        .layer(CacheLayer::new(Cache::new(1 << 20), GlobalKey))
        .layer(AttemptLayer::new())
        .service(Leaf::new([Step::body(answer())]))
}

/// They are billed once.
#[tokio::test(start_paused = true)]
async fn tokens_of_a_shared_answer_are_counted_once() {
    let recorded = record();
    let service = observed();
    let call = async || read(ask(&service, stream("gpt-5")).await.unwrap().into_body()).await;
    let (one, two) = tokio::join!(call(), call());
    assert!(one.stages.contains(&Stage::Finish) && two.stages.contains(&Stage::Finish));
    let told = recorded.take();
    let input = told
        .iter()
        .filter(|(name, _)| name.starts_with("gen_ai.client.inference.usage.input_tokens"));
    let tokens: f64 = input.flat_map(|(_, told)| &told.values).sum();
    assert!((tokens - 100.0).abs() < f64::EPSILON, "{tokens}");
}

#[tokio::test(start_paused = true)]
async fn the_cache_status_is_recorded() {
    log::listen();
    let recorded = record();
    let service = observed();
    let call = async || read(ask(&service, stream("gpt-5")).await.unwrap().into_body()).await;
    tokio::join!(call(), call());
    call().await;
    let spans = log::spans();
    let spans = spans.iter().filter(|span| span.name == n::OPERATION_SPAN);
    let mut told: Vec<_> = spans.flat_map(|span| fields(span, [n::CACHE])).collect();
    told.sort_unstable();
    assert_eq!(told, ["llm.cache=hit", "llm.cache=miss", "llm.cache=shared"]);
    let told = recorded.take();
    let counted = told.iter().filter(|(name, _)| name.starts_with(n::CACHE_LOOKUPS));
    let by = |what: &str| {
        let label = format!("llm.cache={what}");
        let counted = counted.clone().filter(|(name, _)| name.contains(&label));
        counted
            .flat_map(|(_, series)| series.values.clone())
            .collect::<Vec<_>>()
    };
    assert_eq!([by("hit"), by("miss"), by("shared")], [[1.0], [1.0], [1.0]]);
}
