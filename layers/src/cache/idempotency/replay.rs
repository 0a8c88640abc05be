//! The marks of an answer that another call with the same key pays for: on the response, in the log, in the ledger.

use std::time::Duration;

use http::Response;

use crate::{Coalesced, LlmRequest, Replayed};

/// What a replay is recorded under; nothing without a ledger.
pub(super) struct Account {
    entry: Option<Box<Sketch>>,
}

/// Without the ledger's feature there is no entry.
#[cfg(not(feature = "cost"))]
enum Sketch {}

#[cfg(feature = "cost")]
struct Sketch {
    ledger: std::sync::Arc<dyn crate::ledger::Ledger>,
    tags: crate::Tags,
    model: Box<str>,
    streamed: bool,
    began: crate::UtcTime,
}

impl Account {
    #[cfg(feature = "cost")]
    pub(super) fn of<R: LlmRequest>(request: &R, ledger: Option<&std::sync::Arc<dyn crate::ledger::Ledger>>) -> Self {
        let entry = ledger.map(|ledger| {
            Box::new(Sketch {
                ledger: std::sync::Arc::clone(ledger),
                tags: request.call().tags().clone(),
                model: request.model().unwrap_or_default().into(),
                streamed: request.is_streaming(),
                began: crate::UtcTime::now(),
            })
        });
        Self { entry }
    }

    #[cfg(not(feature = "cost"))]
    pub(super) const fn of<R: LlmRequest>(_: &R) -> Self {
        Self { entry: None }
    }

    /// Marks a response if another call pays for it. `joined_after`: how long that call had been under way when this one joined it.
    pub(super) fn mark<B>(self, response: &mut Response<B>, joined_after: Option<Duration>) {
        let extensions = response.extensions_mut();
        if let Some(joined_after) = joined_after {
            extensions.insert(Coalesced { joined_after });
            extensions.get_or_insert_with(|| Replayed { age: Duration::ZERO });
        }
        let Some(replayed) = extensions.get::<Replayed>() else {
            return;
        };
        tracing::info!(age = ?replayed.age, in_flight = joined_after.is_some(), "replayed by its idempotency key");
        if let Some(sketch) = self.entry {
            sketch.record();
        }
    }
}

#[cfg(not(feature = "cost"))]
impl Sketch {
    const fn record(self) {
        match self {}
    }
}

/// The tag of a replay's entry.
#[cfg(feature = "cost")]
const TAG: &str = "idempotent_replay";

#[cfg(feature = "cost")]
impl Sketch {
    /// An entry that costs nothing, of no attempt.
    fn record(self) {
        use crate::{
            TokenUsage, UsdAmount, UtcTime,
            ledger::{CallId, Entry, EntryId, EntryOutcome, EntryState},
        };
        let tags = self.tags.with(TAG, "true").unwrap_or(self.tags);
        let ended = UtcTime::now();
        self.ledger.record(&Entry {
            id: EntryId::new(ended),
            call: CallId::new(self.began),
            attempt: 0,
            began: self.began,
            ended,
            upstream: "none".into(),
            provider: None,
            model: self.model,
            served_model: None,
            tags,
            state: EntryState::Settled,
            outcome: EntryOutcome::Answered,
            streamed: self.streamed,
            reserved: UsdAmount::ZERO,
            estimate: None,
            bill: Some(UsdAmount::ZERO),
            recorded: UsdAmount::ZERO,
            usage: TokenUsage::default(),
            generation_id: None,
            first_token: None,
            clamped_to: None,
            affordable_tokens: None,
        });
    }
}
