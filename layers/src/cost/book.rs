//! What an attempt that has ended is booked at.

use super::meter::Running;
use crate::{
    Candidate, Quote, TokenUsage, UsdAmount, UtcTime,
    ledger::{Entry, EntryId, EntryOutcome, EntryState},
};

/// From which difference between bill and estimate on something is said, in thousandths of the bill.
const WORTH_A_WORD: u64 = 10;

impl Running {
    /// Ends the hold, and hands over the entry.
    pub(super) fn book(mut self: Box<Self>, outcome: EntryOutcome, free: bool) {
        let ended = UtcTime::now();
        let entry = self.entry(outcome, free, ended);
        if let Some(reservation) = self.reservation.take() {
            reservation.settle(entry.booked);
        }
        if let Some(booking) = &self.booking {
            booking.costs(entry.cost(), entry.state == EntryState::Estimated);
        }
        say(&entry);
        self.settings.ledger.record(&entry);
    }

    fn entry(&mut self, outcome: EntryOutcome, free: bool, ended: UtcTime) -> Entry {
        let reserved = self
            .reservation
            .as_ref()
            .map_or(UsdAmount::ZERO, crate::budget::Reservation::amount);
        let bill = self.usage.as_ref().and_then(TokenUsage::bill);
        let counted = self.usage.is_some() || free;
        let usage = self.usage.unwrap_or_else(|| self.seen_usage(free));
        let estimate = self.estimate(&usage, free, reserved, ended);
        let state = if counted {
            EntryState::Settled
        } else {
            EntryState::Estimated
        };
        let generation_id = self.generation_id.take();
        let follows = state == EntryState::Estimated && self.settings.bills_follow && generation_id.is_some();
        let booked = match bill.or(estimate) {
            // The bill takes its place later, and must never find too little left.
            estimate if follows => estimate.unwrap_or(UsdAmount::ZERO).max(reserved),
            Some(cost) if counted => cost,
            Some(estimate) if self.reservation.is_some() => estimate.min(reserved),
            Some(estimate) => estimate,
            None => reserved,
        };
        let id = EntryId::new(ended);
        Entry {
            id,
            call: self.call_id(),
            attempt: self.booking.as_ref().map_or(0, |booking| booking.attempt),
            began: self.began,
            ended,
            upstream: self.candidate.as_ref().map_or("", Candidate::upstream).into(),
            model: std::mem::take(&mut self.model),
            tags: std::mem::take(&mut self.tags),
            state,
            outcome,
            streamed: self.streamed,
            reserved,
            estimate,
            bill: bill.or(free.then_some(UsdAmount::ZERO)),
            booked,
            usage,
            generation_id,
            first_token: self.first_token,
            clamped_to: self.clamped_to,
        }
    }

    /// What it took, as far as could be seen.
    fn seen_usage(&self, free: bool) -> TokenUsage {
        let mut usage = TokenUsage::default();
        if !free {
            usage.prompt = self.prompt;
            usage.answer = self.seen;
        }
        usage
    }

    fn estimate(&self, usage: &TokenUsage, free: bool, reserved: UsdAmount, at: UtcTime) -> Option<UsdAmount> {
        // Nothing taken is nothing owed: a failure that is free, or an answer from the router's own cache.
        if free || (self.usage.is_some() && usage.total() == 0) {
            return Some(UsdAmount::ZERO);
        }
        // A plain answer that never came may have been made whole all the same.
        if self.usage.is_none() && !self.streamed {
            return if reserved > UsdAmount::ZERO {
                Some(reserved)
            } else {
                self.whole(at)
            };
        }
        let prices = self.settings.prices.as_ref()?;
        prices.cost(self.candidate.as_ref()?, usage, at)
    }

    /// What the longest answer asked for costs.
    fn whole(&self, at: UtcTime) -> Option<UsdAmount> {
        let prices = self.settings.prices.as_ref()?;
        let Quote::Known(tariff) = prices.quote(self.candidate.as_ref()?, &self.needs, at) else {
            return None;
        };
        let answer = self.asked.or(tariff.max_answer)?;
        tariff.cost(self.prompt, answer).ok()
    }
}

fn say(entry: &Entry) {
    let (Some(bill), Some(estimate)) = (entry.bill, entry.estimate) else {
        return;
    };
    if entry
        .difference_per_mille()
        .is_some_and(|difference| difference > WORTH_A_WORD)
    {
        tracing::warn!(
            target: "llm::cost",
            upstream = &*entry.upstream,
            model = &*entry.model,
            %bill,
            %estimate,
            "the bill differs from the price list by over 1 %: refresh the catalogue"
        );
    }
}
