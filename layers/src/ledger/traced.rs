//! A ledger of tracing events.

use super::{Correction, Entry, EntryOutcome, Ledger};

/// A ledger of events: one for each entry and each correction, under the target `llm::ledger`.
///
/// Tags and amounts are in the fields; nothing of a prompt or an answer is.
#[derive(Debug, Clone, Copy, Default)]
pub struct TracingLedger;

impl Ledger for TracingLedger {
    fn record(&self, entry: &Entry) {
        tracing::info!(
            target: "llm::ledger",
            entry = %entry.id,
            call = %entry.call,
            attempt = entry.attempt,
            upstream = &*entry.upstream,
            provider = entry.provider.as_deref(),
            model = &*entry.model,
            served_model = entry.served_model.as_deref(),
            tags = %entry.tags,
            state = entry.state.as_str(),
            outcome = EntryOutcome::as_str(entry.outcome),
            cost = %entry.cost(),
            estimate = entry.estimate.map(tracing::field::display),
            prompt_tokens = entry.usage.prompt,
            answer_tokens = entry.usage.answer,
            generation = entry.generation_id.as_deref(),
            "entry"
        );
    }

    fn correct(&self, correction: &Correction) {
        tracing::info!(
            target: "llm::ledger",
            entry = %correction.id,
            state = correction.state().as_str(),
            recorded = %correction.recorded,
            "correction"
        );
    }
}
