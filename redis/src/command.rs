//! What is sent to the store without waiting: the end of a reservation, a late bill.

use redis::ScriptInvocation;
use tokio::time::Instant;
use tower_llm_layers::budget::{AccountRef, warn_at_thresholds};

use crate::{
    money::amount,
    snapshots::{self, AccountSnapshots},
};

/// One command to the script that delivers: `lua/deliver.lua` says what each kind takes.
pub(crate) struct StoreCommand {
    kind: &'static str,
    keys: Vec<String>,
    arguments: Vec<String>,
    /// When what it says happened.
    at: Option<Instant>,
    /// The accounts it concerns.
    lines: Vec<AccountRef>,
    is_courtesy: bool,
}

/// What the store reports of a command: for each account what was spent before and after and is overrun now, if something was spent, and what is
/// to be remembered of it.
pub(crate) type StoreReply = Vec<Vec<String>>;

impl StoreCommand {
    pub(crate) const fn new(kind: &'static str, keys: Vec<String>, arguments: Vec<String>) -> Self {
        Self {
            kind,
            keys,
            arguments,
            at: None,
            lines: Vec::new(),
            is_courtesy: false,
        }
    }

    /// A warning is logged if these accounts fill up, and what the store says of them is remembered.
    pub(crate) fn about(mut self, lines: Vec<AccountRef>) -> Self {
        self.lines = lines;
        self
    }

    /// It is of this instant, however late it is delivered: behind its arguments are its age at the time of each delivery, and what this process has
    /// seen of its accounts by then. So this process and the server need not agree on the time of day.
    pub(crate) const fn of(mut self, at: Instant) -> Self {
        self.at = Some(at);
        self
    }

    /// Nothing is lost without it but a little time: a lease ends anyway.
    pub(crate) const fn courtesy(mut self, is_one: bool) -> Self {
        self.is_courtesy = is_one;
        self
    }

    pub(crate) const fn is_courtesy(&self) -> bool {
        self.is_courtesy
    }

    /// Adds itself to a call of the script.
    pub(crate) fn add_to(&self, call: &mut ScriptInvocation<'_>, snapshots: &AccountSnapshots) {
        let mut late = Vec::new();
        if let Some(at) = self.at {
            late.push(at.elapsed().as_millis().to_string());
            late.extend(self.lines.iter().map(|line| snapshots.argument(line)));
        }
        let count = self.arguments.len() + late.len();
        call.arg(self.kind).arg(self.keys.len()).arg(count);
        for key in &self.keys {
            call.key(key);
        }
        for argument in self.arguments.iter().chain(&late) {
            call.arg(argument);
        }
    }

    /// Logs a warning if an account fills up, and remembers how it stands.
    pub(crate) fn record_reply(&self, reply: &StoreReply, snapshots: &AccountSnapshots) {
        for (line, fields) in self.lines.iter().zip(reply) {
            let (marks, known) = fields.split_at(fields.len().saturating_sub(snapshots::FIELDS));
            snapshots.note(line, known);
            if let [before, before_pico, after, after_pico, over, over_pico] = marks
                && let Some(before) = amount(before, before_pico)
                && let Some(after) = amount(after, after_pico)
                && let Some(over) = amount(over, over_pico)
            {
                warn_at_thresholds(line, before, after, over);
            }
        }
    }
}
