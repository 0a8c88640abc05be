//! Numbers that layers tell, where the feature `metrics` is on: nothing otherwise.

#[cfg(feature = "metrics")]
use std::{
    collections::HashSet,
    sync::{Arc, LazyLock, PoisonError, RwLock},
};

/// Names of models told apart: a request may name any, and each is a series for ever.
#[cfg(feature = "metrics")]
const MOST_MODELS: usize = 1000;

/// The name of a model, or `other` where there are too many.
#[cfg(feature = "metrics")]
pub(crate) fn bounded(model: &str) -> Arc<str> {
    static KNOWN: LazyLock<RwLock<HashSet<Arc<str>>>> = LazyLock::new(RwLock::default);
    let known = KNOWN.read().unwrap_or_else(PoisonError::into_inner);
    if let Some(name) = known.get(model) {
        return Arc::clone(name);
    }
    drop(known);
    let mut known = KNOWN.write().unwrap_or_else(PoisonError::into_inner);
    if known.len() >= MOST_MODELS {
        return Arc::from("other");
    }
    let name: Arc<str> = Arc::from(model);
    known.insert(Arc::clone(&name));
    name
}

#[cfg(all(
    feature = "metrics",
    any(feature = "circuit-breaker", feature = "adaptive-concurrency")
))]
fn labels(candidate: &crate::Candidate) -> [metrics::Label; 2] {
    use crate::observe::names;

    [
        metrics::Label::new(names::PROVIDER, candidate.upstream().to_owned()),
        metrics::Label::new(names::REQUEST_MODEL, bounded(candidate.model())),
    ]
}

/// How a circuit stands: 0 closed, 1 half-open, 2 open.
#[cfg(feature = "circuit-breaker")]
pub(crate) fn circuit_state(candidate: &crate::Candidate, state: f64) {
    #[cfg(feature = "metrics")]
    metrics::gauge!(crate::observe::names::CIRCUIT_STATE, labels(candidate).iter()).set(state);
    #[cfg(not(feature = "metrics"))]
    let _ = (candidate, state);
}

/// How many attempts at once a candidate bears.
#[cfg(feature = "adaptive-concurrency")]
pub(crate) fn concurrency_limit(candidate: &crate::Candidate, limit: u32) {
    #[cfg(feature = "metrics")]
    metrics::gauge!(crate::observe::names::CONCURRENCY_LIMIT, labels(candidate).iter()).set(f64::from(limit));
    #[cfg(not(feature = "metrics"))]
    let _ = (candidate, limit);
}

/// How long somebody waited for a turn in this layer.
#[cfg(any(feature = "rate-limit", feature = "adaptive-concurrency"))]
pub(crate) fn queue_wait(layer: &'static str, wait: std::time::Duration) {
    #[cfg(feature = "metrics")]
    metrics::histogram!(crate::observe::names::QUEUE_WAIT, "layer" => layer).record(wait.as_secs_f64());
    #[cfg(not(feature = "metrics"))]
    let _ = (layer, wait);
}
