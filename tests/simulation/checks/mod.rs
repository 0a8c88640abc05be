//! What always holds, compared with the upstream's own record. The numbers are those of the project's invariants.

mod answers;
mod attempts;
mod health;
mod keys;
mod money;

use std::time::Duration;

use tower_openrouter::layers::ledger::Entry;

use super::{call::Call, caller::Seen, record::Exchange, setup::Setup, stack::Built};

/// What is known after a run.
pub(crate) struct Evidence<'a> {
    pub(crate) seed: u64,
    pub(crate) setup: &'a Setup,
    pub(crate) built: &'a Built,
    pub(crate) seen: Vec<(Call, Seen)>,
    /// The calls after everything was well again.
    pub(crate) after: Vec<(Call, Seen)>,
    pub(crate) exchanges: Vec<Exchange>,
    /// `None` without a ledger.
    pub(crate) entries: Option<Vec<Entry>>,
    pub(crate) took: Duration,
    /// Whether the clock jumped.
    pub(crate) jumped: bool,
}

impl Evidence<'_> {
    /// Everything that is wrong.
    pub(crate) fn wrong(&self) -> Vec<String> {
        let mut wrong = Vec::new();
        for (call, seen) in self.seen.iter().chain(&self.after) {
            let told = |what: String| format!("call {} ({} {:?}): {what}", call.index, call.api, call.form);
            wrong.extend(self.answer(call, seen).into_iter().map(told));
        }
        wrong.extend(self.attempts());
        wrong.extend(self.money());
        wrong.extend(self.health());
        wrong.extend(self.keys());
        wrong
    }

    /// The exchanges of a call, in order.
    fn of(&self, call: &Call) -> impl Iterator<Item = &Exchange> {
        let index = call.index;
        self.exchanges.iter().filter(move |exchange| exchange.call == index)
    }
}
