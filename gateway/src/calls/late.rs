//! Estimates whose bill may still come, and what the bill changes.

use std::collections::{HashMap, VecDeque};

use tower_openrouter::{
    UsdAmount,
    layers::{
        TokenUsage, UtcTime,
        ledger::{CallId, Correction, Entry, EntryId},
    },
};

use super::{AttemptRecord, CallRecord, Tokens};

/// Estimates that are kept: the latest ones.
const MOST: usize = 20_000;

/// The estimates whose bill may still come, by the ids of their entries.
#[derive(Debug, Default)]
pub(super) struct Estimates {
    known: HashMap<EntryId, Estimate>,
    order: VecDeque<EntryId>,
}

/// What was recorded of an attempt before its bill came.
#[derive(Debug, Clone, Copy)]
pub(super) struct Estimate {
    pub(super) call: CallId,
    /// When the attempt ended.
    pub(super) ended: UtcTime,
    attempt: u32,
    cost: UsdAmount,
    usage: TokenUsage,
}

impl Estimates {
    /// Keeps an entry that may be corrected.
    pub(super) fn add(&mut self, entry: &Entry) {
        if !entry.awaits_bill() {
            return;
        }
        let estimate = Estimate {
            call: entry.call,
            ended: entry.ended,
            attempt: entry.attempt,
            cost: entry.cost(),
            usage: entry.usage,
        };
        if self.known.insert(entry.id, estimate).is_none() {
            self.order.push_back(entry.id);
        }
        while self.known.len() > MOST {
            let Some(oldest) = self.order.pop_front() else { return };
            self.known.remove(&oldest);
        }
        // The bills of most have come.
        if self.order.len() > 2 * MOST {
            let known = &self.known;
            self.order.retain(|id| known.contains_key(id));
        }
    }

    /// The estimate that a correction replaces by a bill; `None` if it brings none, or if the estimate is not kept.
    pub(super) fn take(&mut self, correction: &Correction) -> Option<(Estimate, Bill)> {
        // A bill that is left to a later run may come in this one.
        if correction.awaits_bill {
            return None;
        }
        let estimate = self.known.remove(&correction.id)?;
        // Without a bill the estimate is final.
        let cost = correction.bill?;
        let usage = correction.usage.unwrap_or(estimate.usage);
        Some((estimate, Bill { cost, usage }))
    }
}

/// What takes the place of an estimate.
#[derive(Debug, Clone, Copy)]
pub(super) struct Bill {
    cost: UsdAmount,
    usage: TokenUsage,
}

impl Bill {
    /// By how much it differs from the estimate.
    pub(super) fn difference(&self, from: &Estimate) -> UsdAmount {
        self.cost.saturating_sub(from.cost)
    }

    /// Puts its tokens in the place of the estimate's.
    pub(super) fn count_tokens(&self, from: &Estimate, tokens: &mut Tokens) {
        let replaced = |sum: u64, old: u64, new: u64| sum.saturating_add(new).saturating_sub(old);
        tokens.prompt = replaced(tokens.prompt, from.usage.prompt, self.usage.prompt);
        tokens.cached = replaced(tokens.cached, from.usage.cached, self.usage.cached);
        tokens.answer = replaced(tokens.answer, from.usage.answer, self.usage.answer);
    }

    /// Puts it in the place of the estimate in the record of its call.
    pub(super) fn apply(&self, from: &Estimate, call: &mut CallRecord) {
        call.cost = call.cost.map(|cost| cost.saturating_add(self.difference(from)));
        call.estimates = call.estimates.saturating_sub(1);
        call.cost_is_estimate = call.estimates > 0;
        if let Some(tokens) = &mut call.tokens {
            self.count_tokens(from, tokens);
        }
        bill_attempt(call, self.of_attempt(from));
    }

    /// The number of the attempt that it is for, and what that cost.
    pub(super) const fn of_attempt(&self, from: &Estimate) -> (u32, UsdAmount) {
        (from.attempt, self.cost)
    }
}

/// Puts what was billed in the place of the estimate in the record of its attempt.
pub(super) fn bill_attempt(call: &mut CallRecord, (number, cost): (u32, UsdAmount)) {
    let is_it = |attempt: &&mut AttemptRecord| attempt.number > 0 && attempt.number == number;
    if let Some(attempt) = call.attempts.iter_mut().find(is_it) {
        attempt.cost = Some(cost);
        attempt.cost_is_estimate = false;
    }
}
