//! Budgets and the ledger, compared with what the upstream charged.

use std::collections::HashMap;

use tower_openrouter::{
    UsdAmount,
    layers::ledger::{Entry, EntryState},
};

use super::Evidence;
use crate::{record::Exchange, upstream::PRICES};

/// Bytes of text to a token at most.
const BYTES_PER_TOKEN: i128 = 32;

impl Evidence<'_> {
    pub(super) fn money(&self) -> Vec<String> {
        let mut wrong = Vec::new();
        self.accounts(&mut wrong);
        let Some(entries) = &self.entries else { return wrong };
        let by_line: HashMap<_, _> = self
            .exchanges
            .iter()
            .map(|exchange| ((exchange.call, exchange.attempt), exchange))
            .collect();
        for entry in entries {
            let call = entry.tags.get("call").and_then(|call| call.parse().ok()).unwrap_or(0);
            if let Some(exchange) = by_line.get(&(call, entry.attempt)) {
                let told = self.bill(entry, exchange);
                let of = format!("attempt {} of call {call} ({})", entry.attempt, exchange.api);
                wrong.extend(told.map(|what| format!("invariant 6: {of}: {what}")));
            }
        }
        self.spent(entries, &mut wrong);
        wrong
    }

    /// The ledger equals the bill.
    fn bill(&self, entry: &Entry, exchange: &Exchange) -> Option<String> {
        if entry.model.as_ref() != exchange.model {
            return Some(format!(
                "its entry is of {}, and {} was called",
                entry.model, exchange.model
            ));
        }
        let (cost, charge) = (entry.cost(), exchange.charge);
        if let Some(told) = exchange.told_charge() {
            let is_same = entry.bill == Some(told) && entry.state != EntryState::Estimated;
            return (!is_same).then(|| {
                format!(
                    "{told} was charged and reported, and {cost} is recorded ({:?})",
                    entry.state
                )
            });
        }
        // The stack lets go of a stream that has said its end: it may have read the charge, or not.
        if exchange.was_charged() && entry.state == EntryState::Settled {
            return (entry.bill != Some(charge)).then(|| format!("{charge} was charged, and {cost} is settled"));
        }
        if exchange.is_counted && entry.state == EntryState::Settled && entry.bill.is_none() {
            let is_same = cost == charge || !self.setup.has_prices;
            return (!is_same).then(|| format!("the reported counts cost {charge}, and {cost} is recorded"));
        }
        if self.setup.late_bills && entry.generation_id.is_some() && entry.state != EntryState::Settled {
            return (entry.bill != Some(charge))
                .then(|| format!("{charge} was charged, and {cost} is recorded at last"));
        }
        // At least the estimate of what was shown, and at most what was reserved.
        let text = i128::try_from(exchange.text_taken()).unwrap();
        let least = PRICES[1] * (text / BYTES_PER_TOKEN);
        let reserved = entry.reserved.pico();
        let least = if reserved > 0 { least.min(reserved) } else { least };
        if exchange.streamed && !exchange.was_dropped && cost.pico() < least && (self.setup.has_prices || reserved > 0)
        {
            return Some(format!("{text} bytes of text were shown, and {cost} is recorded"));
        }
        let most = if reserved > 0 { reserved } else { i128::MAX };
        (cost.pico() > most).then(|| format!("{cost} is estimated, and {} was reserved", entry.reserved))
    }

    /// Invariant 5 at the end, and the stack's store beside our own count.
    fn accounts(&self, wrong: &mut Vec<String>) {
        let watched = self.built.watched.accounts();
        for (account, state) in &watched {
            if state.reserved != 0 {
                wrong.push(format!(
                    "invariant 5: account {account:?} has {} reserved at the end",
                    state.reserved
                ));
            }
        }
        for state in self.built.accounts.accounts() {
            if state.reserved != UsdAmount::ZERO {
                let account = &state.account;
                wrong.push(format!(
                    "invariant 5: the store has {} reserved of {account:?} at the end",
                    state.reserved
                ));
            }
            if state.settled > state.budget.cap() && !state.budget.is_soft() {
                wrong.push(format!(
                    "invariant 5: {} of {} is settled",
                    state.settled,
                    state.budget.cap()
                ));
            }
        }
        let taken: u32 = self.built.limits.iter().map(|store| store.taken()).sum();
        if taken > 0 {
            wrong.push(format!("{taken} places of a limit store are taken at the end"));
        }
    }

    /// What the budgets have spent is what the ledger says, for budgets without a window.
    fn spent(&self, entries: &[Entry], wrong: &mut Vec<String>) {
        let Some(budgets) = &self.built.budgets else { return };
        let mut spent = HashMap::<Box<str>, i128>::new();
        for entry in entries {
            for line in budgets.lines(&entry.tags, &entry.upstream, &entry.model) {
                *spent.entry(line.account).or_default() += entry.recorded.pico();
            }
        }
        let watched = self.built.watched.accounts();
        for (account, recorded) in spent {
            let is_forever = budgets
                .line(&account)
                .is_some_and(|line| line.budget.window().as_str() == "ever");
            let state = watched.get(&account).cloned().unwrap_or_default();
            let settled = state.covered + state.beyond;
            if is_forever && settled != recorded {
                wrong.push(format!(
                    "invariant 6: {recorded} is recorded of {account:?}, and {settled} was settled"
                ));
            }
        }
        for state in self.built.accounts.accounts() {
            let account = watched.iter().find(|(key, _)| {
                let line = budgets.line(key);
                line.is_some_and(|line| {
                    let told = tower_openrouter::layers::budget::AccountState::new(
                        &line,
                        tower_openrouter::layers::UtcTime::now(),
                    );
                    line.budget.name() == state.budget.name() && told.account == state.account
                })
            });
            let Some((_, own)) = account else { continue };
            let settled = state.settled.pico() + state.overrun.pico();
            if state.budget.window().as_str() == "ever" && settled != own.covered + own.beyond {
                let told = own.covered + own.beyond;
                wrong.push(format!(
                    "invariant 5: the store has {settled} settled of {:?}, and was given {told}",
                    state.account
                ));
            }
        }
    }
}
