//! Entries, and places to keep them.

pub(crate) mod hard;
pub(crate) mod log;
#[cfg(feature = "postgres")]
pub(crate) mod postgres;
pub(crate) mod promises;
pub(crate) mod restored;
#[cfg(feature = "sqlite")]
pub(crate) mod sqlite;

#[cfg(feature = "sqlite")]
pub(crate) use sqlite::Folder;

use std::time::Duration;

use fastrand::Rng;
use tower_llm_layers::{
    FailureKind, Tags, TokenUsage, UsdAmount, UtcTime,
    ledger::{CallId, Entry, EntryId, EntryOutcome, EntryState},
};

/// 2026-11-25, a quarter past six.
pub(crate) const NOW: UtcTime = UtcTime::from_millis(1_795_587_300_000);

/// Waits until something holds.
pub(crate) async fn until(holds: impl Fn() -> bool) {
    let holding = async {
        while !holds() {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(60), holding).await.unwrap();
}

/// A whole answer of this model that cost so many pico-dollars.
pub(crate) fn entry(model: &str, pico: i128) -> Entry {
    let mut usage = TokenUsage::default();
    (usage.prompt, usage.answer) = (10, 20);
    let bill = UsdAmount::from_pico(pico);
    usage.charged = Some(bill);
    Entry {
        id: EntryId::new(NOW),
        call: CallId::new(NOW),
        attempt: 1,
        began: NOW.before(Duration::from_secs(2)),
        ended: NOW,
        upstream: "openrouter".into(),
        model: model.into(),
        tags: Tags::default(),
        state: EntryState::Settled,
        outcome: EntryOutcome::Answered,
        streamed: true,
        reserved: bill,
        estimate: Some(bill),
        bill: Some(bill),
        recorded: bill,
        usage,
        generation_id: Some("gen-1".into()),
        first_token: Some(Duration::from_millis(320)),
        clamped_to: None,
        affordable_tokens: None,
        provider: None,
        served_model: None,
    }
}

/// Any entry there can be.
pub(crate) fn any_entry(rng: &mut Rng) -> Entry {
    let mut entry = entry(["a/b", "c/d", "=cmd()", "e,\"f\""][rng.usize(..4)], 0);
    let amount = |rng: &mut Rng| UsdAmount::from_pico(i128::from(rng.u64(..3_000_000_000_000)));
    entry.ended = NOW.after(Duration::from_millis(rng.u64(..200_000_000)));
    entry.attempt = rng.u32(..9);
    entry.upstream = ["openrouter", "openai"][rng.usize(..2)].into();
    let tags = [
        ("team", ["search", "support"][rng.usize(..2)]),
        ("user", "Zoë 'the' \"first\""),
    ];
    entry.tags = Tags::new(tags.into_iter().take(rng.usize(..3))).unwrap();
    entry.streamed = rng.bool();
    entry.reserved = amount(rng);
    entry.estimate = rng.bool().then(|| amount(rng));
    entry.bill = rng.bool().then(|| amount(rng));
    entry.recorded = amount(rng);
    entry.state = [
        EntryState::Settled,
        EntryState::Estimated,
        EntryState::Reconciled,
        EntryState::Unbilled,
    ][rng.usize(..4)];
    let failed = EntryOutcome::Failed(FailureKind::Truncated);
    entry.outcome = [EntryOutcome::Answered, EntryOutcome::Dropped, failed][rng.usize(..3)];
    entry.usage.prompt = rng.u64(..1_000_000);
    entry.usage.cached = rng.u64(..1_000);
    entry.usage.cache_written = rng.u64(..1_000);
    entry.usage.audio = rng.u64(..1_000);
    entry.usage.answer = rng.u64(..100_000);
    entry.usage.answer_audio = rng.u64(..1_000);
    entry.usage.reasoning = rng.u64(..1_000);
    entry.usage.searches = rng.u64(..3);
    entry.usage.charged = entry.bill;
    entry.usage.charged_upstream = rng.bool().then(|| amount(rng));
    entry.generation_id = rng.bool().then(|| format!("gen-{}", rng.u64(..)).into());
    entry.provider = rng.bool().then(|| ["Azure", "Zoë's", "=1+1"][rng.usize(..3)].into());
    entry.served_model = rng.bool().then(|| ["a/b-2025", "Zoë's", "=1+1"][rng.usize(..3)].into());
    entry.usage.cache_written_1h = rng.u64(..1_000);
    entry.first_token = rng.bool().then(|| Duration::from_millis(rng.u64(..60_000)));
    entry.clamped_to = rng.bool().then(|| rng.u64(..100_000));
    entry
}
