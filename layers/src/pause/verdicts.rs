//! The verdicts that are held, in two tables: what requests pin makes no room at the cost of what they do not.

use std::collections::{HashMap, hash_map::Entry};

use foldhash::fast::RandomState;

use super::{MAX_PAUSES, lifts::Lifts, verdict::Verdict};

/// Under what a verdict is held.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct VerdictKey {
    /// A keyed hash of what it reaches.
    pub(super) hash: u64,
    /// Whether only calls find it that pin a provider, or bring an account of their own.
    pub(super) is_pinned: bool,
}

type Table = HashMap<u64, Verdict, RandomState>;

/// At most [`MAX_PAUSES`] verdicts, and a tenth of that for what requests pin.
#[derive(Debug, Default)]
pub(super) struct Verdicts {
    free: Table,
    pinned: Table,
    /// What was ended by hand.
    pub(super) lifts: Lifts,
}

impl Verdicts {
    pub(super) fn len(&self) -> usize {
        self.free.len() + self.pinned.len()
    }

    pub(super) fn values(&self) -> impl Iterator<Item = &Verdict> {
        self.free.values().chain(self.pinned.values())
    }

    pub(super) fn get_mut(&mut self, key: VerdictKey) -> Option<&mut Verdict> {
        self.table(key).get_mut(&key.hash)
    }

    /// The verdict that is held under this key, a new one if there is none. If there is no room for it, a tenth of its table is forgotten: a caller that
    /// names ever new models pays for that once in so many calls.
    pub(super) fn get_or_add(&mut self, key: VerdictKey, new: impl FnOnce() -> Verdict) -> &mut Verdict {
        let most = if key.is_pinned { MAX_PAUSES / 10 } else { MAX_PAUSES };
        let table = self.table(key);
        if table.len() >= most && !table.contains_key(&key.hash) {
            make_room(table, most);
        }
        match table.entry(key.hash) {
            Entry::Occupied(held) => held.into_mut(),
            Entry::Vacant(free) => free.insert(new()),
        }
    }

    pub(super) fn remove(&mut self, key: VerdictKey) {
        self.table(key).remove(&key.hash);
    }

    /// Keeps those that are meant.
    pub(super) fn retain(&mut self, mut is_kept: impl FnMut(&Verdict) -> bool) {
        for table in [&mut self.free, &mut self.pinned] {
            table.retain(|_, verdict| is_kept(verdict));
        }
    }

    fn table(&mut self, key: VerdictKey) -> &mut Table {
        if key.is_pinned {
            &mut self.pinned
        } else {
            &mut self.free
        }
    }
}

/// Forgets a tenth: those that pause nothing, then those that end first.
fn make_room(table: &mut Table, most: usize) {
    let mut all: Vec<_> = table
        .iter()
        .map(|(key, verdict)| (verdict.worth(), verdict.touched, *key))
        .collect();
    all.sort_unstable();
    for (.., key) in all.iter().take(most / 10) {
        table.remove(key);
    }
}
