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
        ledger::{CallId, Correction, Entry},
    },
};

use super::{
    CallRecord, Tokens, Totals,
    late::{Bill, Estimate, Estimates, bill_attempt},
    open::Facts,
    totals::Minutes,
};

/// Calls in progress that are listed. More are counted when they end.
const MOST_OPEN: usize = 20_000;
/// Sums of entries whose call has not ended.
const MOST_SUMS: usize = 20_000;
/// Calls in progress that are looked at for long waits: the oldest ones.
const MOST_WAITING: usize = 2_000;

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
    estimates: Estimates,
}

/// What the ledger's entries of one call say together.
#[derive(Debug, Default)]
pub(super) struct Sum {
    tokens: Tokens,
    estimate: Option<UsdAmount>,
    cost: UsdAmount,
    /// Entries whose cost is an estimate.
    estimates: u32,
    /// What was billed later, by the numbers of the attempts: at most once for each.
    bills: Vec<(u32, UsdAmount)>,
}

impl Sum {
    fn add(&mut self, entry: &Entry) {
        self.tokens.prompt = self.tokens.prompt.saturating_add(entry.usage.prompt);
        self.tokens.cached = self.tokens.cached.saturating_add(entry.usage.cached);
        self.tokens.answer = self.tokens.answer.saturating_add(entry.usage.answer);
        let estimates = [self.estimate, entry.estimate];
        self.estimate = estimates.into_iter().flatten().reduce(UsdAmount::saturating_add);
        self.cost = self.cost.saturating_add(entry.cost());
        self.estimates = self.estimates.saturating_add(u32::from(entry.state.is_estimate()));
    }

    /// Puts a bill in the place of an estimate.
    fn correct(&mut self, from: &Estimate, bill: &Bill) {
        bill.count_tokens(from, &mut self.tokens);
        self.cost = self.cost.saturating_add(bill.difference(from));
        self.estimates = self.estimates.saturating_sub(1);
        self.bills.push(bill.of_attempt(from));
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
        call.estimates = call.estimates.saturating_add(self.estimates);
        call.cost_is_estimate = call.estimates > 0;
        for bill in &self.bills {
            bill_attempt(call, *bill);
        }
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
            estimates: Estimates::default(),
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
        self.estimates.add(entry);
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

    /// Takes what becomes of an entry later. If the record of its call is kept and changes, the record as it is then.
    pub(super) fn correct(&mut self, correction: &Correction) -> Option<Arc<CallRecord>> {
        let (estimate, bill) = self.estimates.take(correction)?;
        if let Some(sum) = self.sums.get_mut(&estimate.call) {
            sum.correct(&estimate, &bill);
            return None;
        }
        let number = self.by_id.get(&estimate.call).copied();
        let kept = number.and_then(|number| self.ended.iter_mut().rev().find(|call| call.id == number));
        let Some(call) = kept else {
            // It was evicted: what was counted of it is not.
            self.minutes.add_cost(estimate.ended, bill.difference(&estimate));
            return None;
        };
        let before = Arc::clone(call);
        bill.apply(&estimate, Arc::make_mut(call));
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

    /// Those that have been in progress for so long, the oldest first.
    pub(super) fn open_for(&self, least: Duration) -> Vec<Arc<Facts>> {
        let old = self.open.values().take_while(|facts| facts.elapsed() >= least);
        old.take(MOST_WAITING).cloned().collect()
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

    use super::{
        super::{AttemptRecord, CallOutcome},
        *,
    };

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

    /// A call whose first attempt was interrupted, and is in the ledger under this id.
    fn call(id: u64, ledger_id: CallId) -> CallRecord {
        let attempt = AttemptRecord {
            number: 1,
            model: "a/b".into(),
            upstream: "openrouter".into(),
            provider: None,
            outcome: "dropped",
            is_sent: true,
            status: None,
            reason: None,
            started_ms: 0,
            first_token_ms: Some(20),
            duration_ms: Some(50),
            cost: Some(UsdAmount::from_pico(7)),
            cost_is_estimate: true,
        };
        CallRecord {
            id,
            at: UtcTime::now(),
            key: None,
            tags: Tags::default(),
            api: "chat",
            streamed: true,
            requested: None,
            model: None,
            provider: None,
            outcome: CallOutcome::Left,
            status: Some(200),
            reason: None,
            attempts: [attempt].into(),
            first_token_ms: Some(20),
            duration_ms: 50,
            tokens: None,
            estimate: None,
            cost: Some(UsdAmount::from_pico(7)),
            cost_is_estimate: true,
            degraded: None,
            cached: None,
            rescued: false,
            ledger_id: Some(ledger_id),
            estimates: 0,
        }
    }

    /// An entry whose bill is still to come.
    fn estimated() -> Entry {
        Entry {
            state: EntryState::Estimated,
            generation_id: Some("gen-1".into()),
            ..entry()
        }
    }

    /// The bill that comes late is on the call, on its attempt and in the totals, also if the call is not kept any more.
    #[test]
    fn a_bill_that_comes_late_takes_the_place_of_the_estimate() {
        let bill = UsdAmount::from_pico(100);
        let correction = |entry: &Entry| {
            let mut usage = TokenUsage::default();
            (usage.prompt, usage.answer) = (3, 40);
            Correction::new(entry.id, UtcTime::now(), bill, Some(usage))
        };
        for most_calls in [10, 0] {
            let mut store = Store::new(most_calls, 1 << 20);
            let entry = estimated();
            store.entry(&entry);
            let ended = store.end(call(1, entry.call), UtcTime::now());
            assert_eq!((ended.cost, ended.cost_is_estimate), (entry.estimate, true));
            // One that stays without a bill for now, and one of another process.
            let later = Correction::deferred(entry.id, UtcTime::now(), entry.cost());
            assert!(store.correct(&later).is_none());
            assert!(store.correct(&correction(&estimated())).is_none());
            let corrected = store.correct(&correction(&entry));
            assert_eq!(corrected.is_some(), most_calls > 0);
            if let Some(call) = corrected {
                assert_eq!((call.cost, call.cost_is_estimate), (Some(bill), false));
                let attempt = &call.attempts[0];
                assert_eq!((attempt.cost, attempt.cost_is_estimate), (Some(bill), false));
                let tokens = call.tokens.unwrap();
                assert_eq!((tokens.prompt, tokens.answer), (3, 40));
            }
            let totals = store.totals(UtcTime::now(), Duration::from_secs(3_600));
            assert_eq!(totals.cost, bill);
            let both = if most_calls > 0 {
                (UsdAmount::from_pico(7), bill)
            } else {
                (UsdAmount::ZERO, UsdAmount::ZERO)
            };
            assert_eq!(totals.estimate_and_bill, both);
            // Once.
            assert!(store.correct(&correction(&entry)).is_none());
        }
    }

    /// The call is in progress: its record and that of its attempt have the bill from their beginning.
    #[test]
    fn a_bill_may_come_before_the_end_of_its_call() {
        let mut store = Store::new(10, 1 << 20);
        let (entry, bill) = (estimated(), UsdAmount::from_pico(100));
        store.entry(&entry);
        assert!(
            store
                .correct(&Correction::new(entry.id, UtcTime::now(), bill, None))
                .is_none()
        );
        let ended = store.end(call(1, entry.call), UtcTime::now());
        assert_eq!((ended.cost, ended.cost_is_estimate), (Some(bill), false));
        let attempt = &ended.attempts[0];
        assert_eq!((attempt.cost, attempt.cost_is_estimate), (Some(bill), false));
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
