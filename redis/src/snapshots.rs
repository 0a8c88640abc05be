//! What this process has last seen of each account, so that what a server has lost is counted again: once, by however many processes.

use std::{
    collections::HashMap,
    iter,
    sync::{
        Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
};

use tower_llm_layers::{UsdAmount, budget::AccountRef};

use crate::money::amount;

/// Accounts of each of two tables: one that is not used while a table fills up is forgotten.
const MOST_ACCOUNTS: usize = 10_000;

/// Generations of one account that are remembered.
const MOST_PARTS: usize = 8;

/// Fields of a script's answer that are to be remembered of one account: see `seen` in `lua/account.lua`.
pub(crate) const FIELDS: usize = 8;

/// What was seen of all accounts.
#[derive(Debug, Default)]
pub(crate) struct AccountSnapshots {
    accounts: Mutex<Tables>,
    restored: AtomicU64,
}

#[derive(Debug, Default)]
struct Tables {
    recent: HashMap<String, Snapshot>,
    before: HashMap<String, Snapshot>,
}

/// What was seen of one account in one window.
#[derive(Debug, Default)]
struct Snapshot {
    window: String,
    /// The server's time.
    at: u64,
    /// When it was reset, by the server's time.
    reset: u64,
    parts: Vec<Part>,
}

/// What was spent under one generation of the account. The amount is the script's own text.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Part {
    generation: String,
    version: u64,
    dollars: String,
    pico: String,
    at: u64,
}

impl Part {
    /// As `lost_of` in `lua/account.lua` reads it.
    fn argument(&self) -> String {
        let Self {
            generation,
            version,
            dollars,
            pico,
            at,
        } = self;
        format!("{generation},{version},{dollars},{pico},{at}")
    }

    fn read(text: &str) -> Option<Self> {
        let mut words = text.split(',');
        Some(Self {
            generation: words.next()?.to_owned(),
            version: words.next()?.parse().ok()?,
            dollars: words.next()?.to_owned(),
            pico: words.next()?.to_owned(),
            at: words.next()?.parse().ok()?,
        })
    }
}

impl Snapshot {
    fn add(&mut self, part: Part) {
        if let Some(known) = self.parts.iter_mut().find(|known| known.generation == part.generation) {
            if part.version > known.version {
                *known = part;
            }
            return;
        }
        if self.parts.len() >= MOST_PARTS {
            let oldest = self.parts.iter().enumerate().min_by_key(|(_, part)| part.at);
            if let Some((oldest, _)) = oldest {
                self.parts.swap_remove(oldest);
            }
        }
        self.parts.push(part);
    }
}

impl Tables {
    fn known(&mut self, key: String) -> &mut Snapshot {
        let is_new = !self.recent.contains_key(&key);
        let before = if is_new { self.before.remove(&key) } else { None };
        if is_new && self.recent.len() >= MOST_ACCOUNTS {
            self.before = std::mem::take(&mut self.recent);
        }
        self.recent.entry(key).or_insert_with(|| before.unwrap_or_default())
    }
}

impl AccountSnapshots {
    /// What a decision on this account is given along; empty if nothing is known.
    pub(crate) fn argument(&self, line: &AccountRef) -> String {
        let key = key(line);
        let tables = self.tables();
        let Some(known) = tables.recent.get(&key).or_else(|| tables.before.get(&key)) else {
            return String::new();
        };
        let head = format!("{}:{}", known.window, known.reset);
        let parts = known.parts.iter().map(Part::argument);
        iter::once(head).chain(parts).collect::<Vec<_>>().join(";")
    }

    /// Remembers what a script has said of this account; anything else is ignored.
    pub(crate) fn note(&self, line: &AccountRef, said: &[String]) {
        let [window, generation, version, dollars, pico, at, reset, lost] = said else {
            return;
        };
        let (Ok(version), Ok(at), Ok(reset)) = (version.parse(), at.parse(), reset.parse::<u64>()) else {
            return;
        };
        let mut tables = self.tables();
        let known = tables.known(key(line));
        if known.window != *window {
            // An answer that was overtaken.
            if at < known.at {
                return;
            }
            (known.window, known.parts) = (window.clone(), Vec::new());
        }
        (known.at, known.reset) = (known.at.max(at), known.reset.max(reset));
        let reset = known.reset;
        known.parts.retain(|part| part.at > reset);
        known.add(Part {
            generation: generation.clone(),
            version,
            dollars: dollars.clone(),
            pico: pico.clone(),
            at,
        });
        lost.split(';').filter_map(Part::read).for_each(|part| known.add(part));
    }

    /// The same of a decision: behind what it has counted again.
    pub(crate) fn note_decision(&self, line: &AccountRef, said: &[String]) {
        let Some(([dollars, pico], said)) = said.split_first_chunk::<2>() else {
            return;
        };
        self.note(line, said);
        if let Some(again) = amount(dollars, pico).filter(|again| *again > UsdAmount::ZERO) {
            let accounts = self.restored.fetch_add(1, Ordering::Relaxed) + 1;
            if accounts.is_power_of_two() {
                tracing::error!(
                    target: "llm::store",
                    account = &*line.account,
                    %again,
                    accounts,
                    "the shared store has lost what was spent: what this process has seen of it is counted again"
                );
            }
        }
    }

    /// How often something was counted again.
    pub(crate) fn restored(&self) -> u64 {
        self.restored.load(Ordering::Relaxed)
    }

    fn tables(&self) -> MutexGuard<'_, Tables> {
        self.accounts.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// An account in windows of one kind.
fn key(line: &AccountRef) -> String {
    format!("{}\u{1f}{}", line.budget.window().as_str(), line.account)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use tower_llm_layers::budget::Budget;

    use super::*;

    fn line(account: &str) -> AccountRef {
        AccountRef::new(Arc::new(Budget::usd("all", "1").unwrap()), account)
    }

    fn said(words: [&str; FIELDS]) -> [String; FIELDS] {
        words.map(str::to_owned)
    }

    #[test]
    fn the_newest_version_of_each_generation_of_one_window_is_remembered() {
        let (seen, line) = (AccountSnapshots::default(), line("a"));
        assert_eq!(seen.argument(&line), "");
        seen.note(&line, &said(["7", "g1", "3", "1", "0", "50", "0", ""]));
        seen.note(&line, &said(["7", "g1", "2", "0", "9", "49", "0", ""]));
        assert_eq!(seen.argument(&line), "7:0;g1,3,1,0,50", "an answer that was overtaken");
        seen.note(
            &line,
            &said(["7", "g2", "1", "0", "5", "60", "0", "g0,4,2,0,20;g1,2,0,9,49"]),
        );
        assert_eq!(seen.argument(&line), "7:0;g1,3,1,0,50;g2,1,0,5,60;g0,4,2,0,20");
        seen.note(&line, &said(["7", "g2", "2", "0", "0", "70", "65", ""]));
        assert_eq!(
            seen.argument(&line),
            "7:65;g2,2,0,0,70",
            "what was before a reset is forgotten"
        );
        seen.note(&line, &said(["8", "g2", "3", "0", "1", "90", "65", ""]));
        seen.note(&line, &said(["7", "g2", "9", "9", "9", "80", "65", ""]));
        assert_eq!(seen.argument(&line), "8:65;g2,3,0,1,90");
        for words in [&["8", "g2"][..], &["8", "g3", "x", "0", "0", "99", "0", ""]] {
            let words: Vec<_> = words.iter().map(|word| (*word).to_owned()).collect();
            seen.note(&line, &words);
        }
        assert_eq!(seen.argument(&line), "8:65;g2,3,0,1,90");
    }

    #[test]
    fn what_is_remembered_is_bounded_and_what_is_used_stays() {
        let (seen, used) = (AccountSnapshots::default(), line("used"));
        for number in 0..4 * MOST_ACCOUNTS {
            let one = said(["7", "g", "1", "1", "0", "50", "0", ""]);
            seen.note(&line(&number.to_string()), &one);
            if number % 1_000 == 0 {
                seen.note(&used, &one);
            }
        }
        let tables = seen.tables();
        assert!(tables.recent.len() <= MOST_ACCOUNTS && tables.before.len() <= MOST_ACCOUNTS);
        drop(tables);
        assert_eq!(seen.argument(&used), "7:0;g,1,1,0,50");
        assert_eq!(seen.argument(&line("0")), "");
        for generation in 0..50 {
            let at = (100 + generation).to_string();
            seen.note(
                &used,
                &said(["7", &format!("g{generation}"), "1", "1", "0", &at, "0", ""]),
            );
        }
        assert_eq!(seen.argument(&used).split(';').count(), MOST_PARTS + 1);
        assert!(seen.argument(&used).contains("g49,"));
    }
}
