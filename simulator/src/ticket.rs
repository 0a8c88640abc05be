//! The ticket of one request: carried from handler to body, it closes the record when it is dropped.

use std::sync::Arc;

use crate::answer::Tally;
use crate::generation::{Generation, Record};
use crate::money::Cost;
use crate::report::{Attempt, Outcome};
use crate::state::Shared;

/// A request that has been recorded and not yet ended.
pub(crate) struct Ticket {
    shared: Arc<Shared>,
    index: u64,
    key: String,
    outcome: Option<Outcome>,
    pieces: u64,
    /// What a stream costs, by what was sent of it.
    meter: Option<Tally>,
    record: Option<Record>,
}

impl Ticket {
    /// Records a request.
    pub(crate) fn open(shared: Arc<Shared>, key: String, attempt: impl FnOnce(u64) -> Attempt) -> Self {
        let index = {
            let mut state = shared.lock();
            let index = state.next_index;
            state.record(attempt(index));
            index
        };
        shared.changed.notify_waiters();
        Self {
            shared,
            index,
            key,
            outcome: None,
            pieces: 0,
            meter: None,
            record: None,
        }
    }

    /// Changes the record.
    pub(crate) fn note(&self, change: impl FnOnce(&mut Attempt)) {
        if let Some(attempt) = self.shared.lock().attempt(self.index) {
            change(attempt);
        }
        self.shared.changed.notify_waiters();
    }

    /// Bills this at once, whatever becomes of the answer.
    pub(crate) fn charge(&mut self, tally: &Tally) {
        self.shared.lock().charge(self.index, &self.key, tally.cost());
        if let Some(record) = &mut self.record {
            record.native_tokens_completion = tally.completion;
            record.native_tokens_reasoning = tally.reasoning;
            record.total_cost = tally.cost();
        }
        self.shared.changed.notify_waiters();
    }

    /// Bills what will have been sent.
    pub(crate) fn meter(&mut self, tally: Tally) {
        self.meter = Some(tally);
    }

    /// Bills nothing: the answer turned out an error.
    pub(crate) fn void(&mut self) {
        self.meter = None;
        if let Some(record) = &mut self.record {
            record.finish_reason = Some("error".to_owned());
            record.total_cost = Cost::ZERO;
        }
    }

    /// What `/generation` will say of it once it has ended.
    pub(crate) fn remember(&mut self, record: Record) {
        self.record = Some(record);
    }

    /// Counts what was handed to the connection.
    pub(crate) fn sent(&mut self, pieces: u64, bytes: u64) {
        self.pieces += pieces;
        let pieces = self.pieces;
        self.note(|attempt| {
            attempt.pieces = pieces;
            attempt.bytes += bytes;
        });
    }

    /// The end, other than by the client's leaving. The first one counts.
    pub(crate) fn end(&mut self, outcome: Outcome) {
        if self.outcome.is_none() {
            self.outcome = Some(outcome);
            self.settle(outcome);
        }
    }

    fn settle(&mut self, outcome: Outcome) {
        let now = self.shared.now();
        {
            let mut state = self.shared.lock();
            let whole = outcome == Outcome::Answered;
            if let Some(meter) = self.meter.take() {
                // Nothing generated and no finish: nothing to pay.
                let sent = meter.first(self.pieces);
                let cost = if self.pieces == 0 && !whole {
                    Cost::ZERO
                } else {
                    sent.cost()
                };
                state.charge(self.index, &self.key, cost);
                if let Some(record) = &mut self.record {
                    record.native_tokens_completion = self.pieces;
                    record.native_tokens_reasoning = sent.reasoning;
                    record.total_cost = cost;
                }
            }
            if let Some(mut record) = self.record.take() {
                record.cancelled = outcome == Outcome::ClosedByClient;
                if !whole && record.streamed {
                    record.finish_reason = None;
                    record.native_finish_reason = None;
                }
                record.usage = record.total_cost;
                record.tokens_prompt = record.native_tokens_prompt;
                record.tokens_completion = record.native_tokens_completion;
                let lag = state.config.generation_lag;
                let misses_left = state.config.generation_misses;
                let ready_at = tokio::time::Instant::now() + lag;
                state.generations.insert(
                    record.id.clone(),
                    Generation {
                        ready_at,
                        misses_left,
                        record,
                    },
                );
            }
            if outcome == Outcome::ClosedByClient {
                state.closed_by_client += 1;
            }
            if let Some(attempt) = state.attempt(self.index) {
                attempt.outcome = outcome;
                attempt.ended_at = Some(now);
            }
        }
        self.shared.changed.notify_waiters();
    }
}

impl Drop for Ticket {
    /// Dropped before its end: the client has left.
    fn drop(&mut self) {
        self.end(Outcome::ClosedByClient);
    }
}

/// Without the keys.
impl std::fmt::Debug for Ticket {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Ticket")
            .field("index", &self.index)
            .field("pieces", &self.pieces)
            .finish_non_exhaustive()
    }
}
