//! An entry of a ledger that a gateway finds at its start.

use std::time::Duration;

use tower_openrouter::{
    Tags, UsdAmount,
    layers::{
        TokenUsage, UtcTime,
        ledger::{CallId, Entry, EntryId, EntryOutcome, EntryState},
    },
};

/// What it has recorded.
pub(crate) const ESTIMATE: UsdAmount = UsdAmount::from_pico(5_000_000);

/// One that ended so long ago, with an estimate of what the answer of this id cost.
pub(crate) fn estimated(ago: Duration, tags: Tags, generation: Option<&str>) -> Entry {
    let at = UtcTime::now().before(ago);
    Entry {
        id: EntryId::new(at),
        call: CallId::new(at),
        attempt: 1,
        began: at,
        ended: at,
        upstream: "openrouter".into(),
        provider: None,
        model: "openai/gpt-4o-mini".into(),
        served_model: None,
        tags,
        state: EntryState::Estimated,
        outcome: EntryOutcome::Answered,
        streamed: true,
        reserved: ESTIMATE,
        estimate: Some(ESTIMATE),
        bill: None,
        recorded: ESTIMATE,
        usage: TokenUsage::default(),
        generation_id: generation.map(Into::into),
        first_token: None,
        clamped_to: None,
        affordable_tokens: None,
    }
}
