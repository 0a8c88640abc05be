//! The metrics that layers record where they happen, through the `metrics` facade. Without the feature of that name: nothing.

#[cfg(feature = "metrics")]
pub(crate) use bounded::Bounded;
#[cfg(feature = "metrics")]
use facade::set;
#[cfg(feature = "metrics")]
pub(crate) use facade::{Labels, change, count, histogram, label, sample, shared};
#[cfg(feature = "metrics")]
pub use handle_cache::keep_handles;
#[cfg(feature = "cost")]
pub(crate) use reserved_gauge::ReservedGauge;
#[cfg(feature = "metrics")]
pub use standing::record_ledger;
#[cfg(all(feature = "cost", feature = "metrics"))]
pub use standing::{BudgetGauges, record_budgets};

pub mod names;

#[cfg(feature = "metrics")]
mod bounded;
#[cfg(feature = "metrics")]
mod facade;
#[cfg(feature = "metrics")]
mod handle_cache;
#[cfg(feature = "cost")]
mod reserved_gauge;
#[cfg(feature = "metrics")]
mod standing;

/// The candidates that have a gauge of their own.
#[cfg(feature = "metrics")]
fn of_candidate(candidate: &crate::Candidate) -> Option<Labels> {
    static MODELS: Bounded = Bounded::of_names();
    let model = MODELS.known_or_new(candidate.model())?;
    Some(vec![
        shared(names::PROVIDER, candidate.upstream()),
        label(names::REQUEST_MODEL, model),
    ])
}

/// A circuit has entered this state.
pub(crate) fn circuit_entered(candidate: &crate::Candidate, state: &'static str, level: f64) {
    #[cfg(feature = "metrics")]
    if let Some(mut labels) = of_candidate(candidate) {
        set(names::CIRCUIT_STATE, &labels, level);
        labels.push(label(names::STATE, state));
        count(names::CIRCUIT_TRANSITIONS, &labels, 1);
    }
    #[cfg(not(feature = "metrics"))]
    let _ = (candidate, state, level);
}

/// A circuit shows this state, without having entered it now.
pub(crate) fn circuit_shown(candidate: &crate::Candidate, level: f64) {
    #[cfg(feature = "metrics")]
    if let Some(labels) = of_candidate(candidate) {
        set(names::CIRCUIT_STATE, &labels, level);
    }
    #[cfg(not(feature = "metrics"))]
    let _ = (candidate, level);
}

/// An upstream has asked for a pause of this candidate, its pool or all of it.
#[cfg(feature = "pause")]
pub(crate) fn paused(candidate: &crate::Candidate, kind: &'static str) {
    #[cfg(feature = "metrics")]
    if let Some(mut labels) = of_candidate(candidate) {
        labels.push(label(names::LIMIT, kind));
        count(names::PAUSES, &labels, 1);
    }
    #[cfg(not(feature = "metrics"))]
    let _ = (candidate, kind);
}

/// A provider behind a router has entered this state.
pub(crate) fn provider_entered(candidate: &crate::Candidate, provider: &str, state: &'static str) {
    #[cfg(feature = "metrics")]
    {
        static PROVIDERS: Bounded = Bounded::of_names();
        if let (Some(mut labels), Some(provider)) = (of_candidate(candidate), PROVIDERS.known_or_new(provider)) {
            labels.push(label(names::SERVED_BY, provider));
            labels.push(label(names::PROVIDER_STATE, state));
            count(names::PROVIDER_TRANSITIONS, &labels, 1);
        }
    }
    #[cfg(not(feature = "metrics"))]
    let _ = (candidate, provider, state);
}

/// A candidate's concurrency limit is this.
pub(crate) fn concurrency_limit(candidate: &crate::Candidate, limit: u32) {
    #[cfg(feature = "metrics")]
    if let Some(labels) = of_candidate(candidate) {
        set(names::CONCURRENCY_LIMIT, &labels, f64::from(limit));
    }
    #[cfg(not(feature = "metrics"))]
    let _ = (candidate, limit);
}

/// Something waited so long for its turn.
pub(crate) fn waited(queue: &'static str, wait: std::time::Duration) {
    #[cfg(feature = "metrics")]
    sample(names::QUEUE_WAIT, &vec![label(names::QUEUE, queue)], wait.as_secs_f64());
    #[cfg(not(feature = "metrics"))]
    let _ = (queue, wait);
}

/// Something was refused, because this was full.
pub(crate) fn refused(queue: &'static str, limit: &'static str) {
    #[cfg(feature = "metrics")]
    count(
        names::LIMIT_REFUSALS,
        &vec![label(names::QUEUE, queue), label(names::LIMIT, limit)],
        1,
    );
    #[cfg(not(feature = "metrics"))]
    let _ = (queue, limit);
}

/// A budget refused an attempt. Budgets come and go with the settings, so their names are bounded.
#[cfg(feature = "cost")]
pub(crate) fn budget_refused(budget: &str, reason: &'static str) {
    #[cfg(feature = "metrics")]
    {
        static BUDGETS: Bounded = Bounded::of_names();
        let budget = label(names::BUDGET, BUDGETS.label(budget));
        count(
            names::BUDGET_REFUSALS,
            &vec![budget, label(names::BUDGET_REASON, reason)],
            1,
        );
    }
    #[cfg(not(feature = "metrics"))]
    let _ = (budget, reason);
}
