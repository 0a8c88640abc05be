//! What is kept: the calls in progress, the last ones that ended, and the entries of the ledger until their call ends.

use std::{
    collections::{BTreeMap, HashMap, VecDeque},
    sync::Arc,
    time::Duration,
};

use tower_openrouter::{
    UsdAmount,
    layers::{
        UtcTime,
        ledger::{CallId, Entry},
    },
};

use super::{CallRecord, Tokens, Totals, open::Facts, totals::Minutes};

/// Calls in progress that are listed. More are counted when they end.
const MOST_OPEN: usize = 20_000;
/// Sums of entries whose call has not ended.
const MOST_SUMS: usize = 20_000;

pub(super) struct Store {
    most_calls: usize,
    most_bytes: usize,
    bytes: usize,
    open: BTreeMap<u64, Arc<Facts>>,
    ended: VecDeque<Arc<CallRecord>>,
    /// Of the ended ones, by their ids in the ledger.
    by_id: HashMap<CallId, u64>,
    sums: HashMap<CallId, Sum>,
    order: VecDeque<CallId>,
    minutes: Minutes,
}

/// What the ledger's entries of one call say together.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Sum {
    tokens: Tokens,
    estimate: Option<UsdAmount>,
    cost: UsdAmount,
    is_estimate: bool,
}

impl Sum {
    fn add(&mut self, entry: &Entry) {
        self.tokens.prompt = self.tokens.prompt.saturating_add(entry.usage.prompt);
        self.tokens.cached = self.tokens.cached.saturating_add(entry.usage.cached);
        self.tokens.answer = self.tokens.answer.saturating_add(entry.usage.answer);
        let estimates = [self.estimate, entry.estimate];
        self.estimate = estimates.into_iter().flatten().reduce(UsdAmount::saturating_add);
        self.cost = self.cost.saturating_add(entry.cost());
        self.is_estimate |= entry.state.is_estimate();
    }

    /// Adds it to the record of its call.
    fn apply(&self, call: &mut CallRecord) {
        let had = call.tokens.is_some();
        let tokens = call.tokens.get_or_insert_default();
        tokens.prompt = tokens.prompt.saturating_add(self.tokens.prompt);
        tokens.cached = tokens.cached.saturating_add(self.tokens.cached);
        tokens.answer = tokens.answer.saturating_add(self.tokens.answer);
        let estimates = [call.estimate, self.estimate];
        call.estimate = estimates.into_iter().flatten().reduce(UsdAmount::saturating_add);
        // What the log says of the same attempts gives way to the entries.
        let before = call.cost.filter(|_| had).unwrap_or(UsdAmount::ZERO);
        call.cost = Some(before.saturating_add(self.cost));
        call.cost_is_estimate = (had && call.cost_is_estimate) || self.is_estimate;
    }
}

impl Store {
    pub(super) fn new(most_calls: usize, most_bytes: usize) -> Self {
        Self {
            most_calls,
            most_bytes,
            bytes: 0,
            open: BTreeMap::new(),
            ended: VecDeque::new(),
            by_id: HashMap::new(),
            sums: HashMap::new(),
            order: VecDeque::new(),
            minutes: Minutes::default(),
        }
    }

    pub(super) fn begin(&mut self, facts: &Arc<Facts>) {
        if self.open.len() < MOST_OPEN {
            self.open.insert(facts.id, Arc::clone(facts));
        }
    }

    /// Keeps the record of a call that has ended; it, with what the ledger says.
    pub(super) fn end(&mut self, mut call: CallRecord, now: UtcTime) -> Arc<CallRecord> {
        self.open.remove(&call.id);
        if let Some(sum) = call.ledger_id.and_then(|id| self.sums.remove(&id)) {
            sum.apply(&mut call);
        }
        self.minutes.add(&call, now);
        let call = Arc::new(call);
        self.keep(Arc::clone(&call));
        call
    }

    fn keep(&mut self, call: Arc<CallRecord>) {
        if let Some(id) = call.ledger_id {
            self.by_id.insert(id, call.id);
        }
        self.bytes += call.bytes();
        self.ended.push_back(call);
        while self.ended.len() > self.most_calls || self.bytes > self.most_bytes {
            let Some(oldest) = self.ended.pop_front() else { return };
            self.bytes = self.bytes.saturating_sub(oldest.bytes());
            if let Some(id) = oldest.ledger_id {
                self.by_id.remove(&id);
            }
        }
    }

    /// Takes an entry of the ledger. If its call has ended, the record of it as it is then.
    pub(super) fn entry(&mut self, entry: &Entry) -> Option<Arc<CallRecord>> {
        let Some(number) = self.by_id.get(&entry.call).copied() else {
            self.add(entry);
            return None;
        };
        let mut sum = Sum::default();
        sum.add(entry);
        let call = self.ended.iter_mut().rev().find(|call| call.id == number)?;
        let before = Arc::clone(call);
        sum.apply(Arc::make_mut(call));
        let after = Arc::clone(call);
        self.minutes.add_money(&before, &after);
        Some(after)
    }

    fn add(&mut self, entry: &Entry) {
        if let Some(sum) = self.sums.get_mut(&entry.call) {
            return sum.add(entry);
        }
        let mut sum = Sum::default();
        sum.add(entry);
        self.sums.insert(entry.call, sum);
        self.order.push_back(entry.call);
        // Entries of calls that this layer has not seen would stay.
        while self.sums.len() > MOST_SUMS {
            let Some(oldest) = self.order.pop_front() else { return };
            self.sums.remove(&oldest);
        }
        // Those of calls that have ended are gone already.
        if self.order.len() > 2 * MOST_SUMS {
            let sums = &self.sums;
            self.order.retain(|id| sums.contains_key(id));
        }
    }

    pub(super) fn ended(&self) -> Vec<Arc<CallRecord>> {
        self.ended.iter().cloned().collect()
    }

    pub(super) fn open(&self) -> Vec<Arc<Facts>> {
        self.open.values().cloned().collect()
    }

    pub(super) fn count_open(&self) -> usize {
        self.open.len()
    }

    pub(super) fn totals(&self, now: UtcTime, window: Duration) -> Totals {
        self.minutes.since(now, window)
    }
}

#[cfg(test)]
mod tests {
    use tower_openrouter::layers::{
        Tags, TokenUsage,
        ledger::{EntryId, EntryOutcome, EntryState},
    };

    use super::*;

    fn entry() -> Entry {
        let at = UtcTime::now();
        let amount = UsdAmount::from_pico(7);
        Entry {
            id: EntryId::new(at),
            call: CallId::new(at),
            attempt: 1,
            began: at,
            ended: at,
            upstream: "openrouter".into(),
            provider: None,
            model: "a/b".into(),
            served_model: None,
            tags: Tags::default(),
            state: EntryState::Settled,
            outcome: EntryOutcome::Answered,
            streamed: true,
            reserved: amount,
            estimate: Some(amount),
            bill: None,
            recorded: amount,
            usage: TokenUsage::default(),
            generation_id: None,
            first_token: None,
            clamped_to: None,
            affordable_tokens: None,
        }
    }

    /// A call that ends takes its sum with it, and only sums count toward the bound.
    #[test]
    fn the_sum_of_an_open_call_outlives_any_number_of_calls_that_end() {
        let mut store = Store::new(10, 1 << 20);
        let open = entry();
        store.entry(&open);
        for _ in 0..3 * MOST_SUMS {
            let ended = entry();
            store.entry(&ended);
            store.sums.remove(&ended.call);
        }
        assert!(store.sums.contains_key(&open.call));
        assert!(store.order.len() <= 2 * MOST_SUMS + 1, "{}", store.order.len());
        for _ in 0..2 * MOST_SUMS {
            store.entry(&entry());
        }
        assert_eq!(store.sums.len(), MOST_SUMS);
    }
}
