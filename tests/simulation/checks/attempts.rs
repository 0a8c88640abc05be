//! How often the upstream was called, and that each of its exchanges has one entry.

use std::collections::HashMap;

use tower_openrouter::UsdAmount;

use super::Evidence;
use crate::setup::Own;

impl Evidence<'_> {
    pub(super) fn attempts(&self) -> Vec<String> {
        let mut wrong = Vec::new();
        self.cap(&mut wrong);
        self.ratio(&mut wrong);
        self.entries_of_exchanges(&mut wrong);
        let open = self
            .exchanges
            .iter()
            .filter(|exchange| exchange.closed.is_none())
            .count();
        if open > 0 {
            wrong.push(format!("invariant 7: {open} connections are open after the last call"));
        }
        wrong
    }

    /// Invariant 4, for each call.
    fn cap(&self, wrong: &mut Vec<String>) {
        let mut counts = HashMap::<u64, u32>::new();
        for exchange in &self.exchanges {
            *counts.entry(exchange.call).or_default() += 1;
        }
        let cap = self.setup.attempts;
        let over = counts.iter().filter(|(_, count)| **count > cap);
        wrong.extend(over.map(|(call, count)| format!("invariant 4: call {call} made {count} attempts of {cap}")));
    }

    /// Invariant 4, for all calls together.
    fn ratio(&self, wrong: &mut Vec<String>) {
        if self.setup.own_attempt == Own::Repeats {
            return;
        }
        let mut counts = HashMap::<(u64, &str), u32>::new();
        for exchange in &self.exchanges {
            *counts.entry((exchange.call, &exchange.model)).or_default() += 1;
        }
        let retries: u32 = counts.values().map(|count| count - 1).sum();
        let calls = f64::from(u32::try_from(self.seen.len() + self.after.len()).unwrap());
        let (ratio, floor) = self.setup.retry_budget;
        let most = ratio * calls + floor * (self.took.as_secs_f64() + 1.0);
        if f64::from(retries) > most {
            wrong.push(format!(
                "invariant 4: {retries} retries in {calls} calls, of {most} allowed"
            ));
        }
    }

    /// Invariant 6: one entry for each exchange, on its own line.
    fn entries_of_exchanges(&self, wrong: &mut Vec<String>) {
        let Some(entries) = &self.entries else { return };
        let mut lines = HashMap::<(u64, u32), [u32; 2]>::new();
        for exchange in &self.exchanges {
            lines.entry((exchange.call, exchange.attempt)).or_default()[0] += 1;
        }
        for entry in entries {
            let call = entry.tags.get("call").and_then(|call| call.parse().ok()).unwrap_or(0);
            if entry.tags.get("idempotent_replay").is_some() {
                if entry.cost() != UsdAmount::ZERO || entry.attempt != 0 {
                    wrong.push(format!("invariant 6: a replay for call {call} costs {}", entry.cost()));
                }
                continue;
            }
            lines.entry((call, entry.attempt)).or_default()[1] += 1;
        }
        for ((call, attempt), [exchanges, entries]) in lines {
            if [exchanges, entries] != [1, 1] {
                wrong.push(format!(
                    "invariant 6: attempt {attempt} of call {call}: {exchanges} exchanges, {entries} entries"
                ));
            }
        }
    }
}
