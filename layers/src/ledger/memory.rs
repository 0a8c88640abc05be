//! A ledger in memory.

use std::{
    collections::{HashMap, VecDeque},
    sync::Arc,
};

use super::{
    Correction, Entry, Ledger,
    spend::{GroupBy, Spend, SpendRow},
};
use crate::util::Lock;

/// Entries kept by default.
pub const DEFAULT_MAX_ENTRIES: usize = 10_000;

/// Groups kept for each way to group, by default: what would open another is counted under [`OTHERS`].
pub const DEFAULT_MAX_GROUPS: usize = 1_000;

/// The group of what fits into no other.
pub const OTHERS: &str = "(others)";

/// A ledger in memory: the last entries, and what was spent since the start by model, served model, upstream, tag, hour and day. Cheap to clone;
/// clones share it.
///
/// For small services, tests and live views; it forgets everything when the process ends.
#[derive(Debug, Clone)]
pub struct MemoryLedger(Arc<Lock<Kept>>);

#[derive(Debug)]
struct Kept {
    entries: VecDeque<Entry>,
    max_entries: usize,
    groups: HashMap<GroupBy, HashMap<Box<str>, Spend>>,
    max_groups: usize,
    total: Spend,
    /// Corrections of entries that were no longer kept.
    missed: u64,
}

impl MemoryLedger {
    /// Keeps [`DEFAULT_MAX_ENTRIES`] entries.
    #[must_use]
    pub fn new() -> Self {
        Self::with_room(DEFAULT_MAX_ENTRIES, DEFAULT_MAX_GROUPS)
    }

    /// Keeps so many entries, and so many groups of each kind.
    #[must_use]
    pub fn with_room(max_entries: usize, max_groups: usize) -> Self {
        Self(Arc::new(Lock::new(Kept {
            entries: VecDeque::new(),
            max_entries,
            groups: HashMap::new(),
            max_groups,
            total: Spend::default(),
            missed: 0,
        })))
    }

    /// The entries that are kept, the latest first.
    #[must_use]
    pub fn recent(&self, most: usize) -> Vec<Entry> {
        self.0.lock().entries.iter().rev().take(most).cloned().collect()
    }

    /// What was spent since the start.
    #[must_use]
    pub fn total(&self) -> Spend {
        self.0.lock().total
    }

    /// What was spent since the start, in groups; the largest sum first.
    #[must_use]
    pub fn spend(&self, by: &GroupBy) -> Vec<SpendRow> {
        let kept = self.0.lock();
        let groups = kept.groups.get(by).into_iter().flatten();
        let mut rows: Vec<_> = groups
            .map(|(group, spend)| SpendRow {
                group: group.to_string(),
                spend: *spend,
            })
            .collect();
        rows.sort_by(|one, other| (other.spend.cost, &one.group).cmp(&(one.spend.cost, &other.group)));
        rows
    }

    /// Entries that still await their bill.
    #[must_use]
    pub fn awaiting_bill(&self) -> Vec<Entry> {
        self.0
            .lock()
            .entries
            .iter()
            .filter(|entry| entry.awaits_bill())
            .cloned()
            .collect()
    }

    /// Bills that came when their entry was no longer kept: the sums lack the difference.
    #[must_use]
    pub fn missed_corrections(&self) -> u64 {
        self.0.lock().missed
    }
}

impl Default for MemoryLedger {
    fn default() -> Self {
        Self::new()
    }
}

impl Kept {
    /// Changes the sums that an entry counts in.
    fn count(&mut self, entry: &Entry, change: impl Fn(&mut Spend)) {
        change(&mut self.total);
        for (by, group) in GroupBy::of(entry) {
            let groups = self.groups.entry(by).or_default();
            let full = groups.len() >= self.max_groups && !groups.contains_key(group.as_ref());
            let group = if full { OTHERS } else { group.as_ref() };
            match groups.get_mut(group) {
                Some(spend) => change(spend),
                None => change(groups.entry(group.into()).or_default()),
            }
        }
    }
}

impl Ledger for MemoryLedger {
    fn record(&self, entry: &Entry) {
        let mut kept = self.0.lock();
        kept.count(entry, |spend| spend.add(entry));
        if kept.entries.len() >= kept.max_entries {
            kept.entries.pop_front();
        }
        if kept.max_entries > 0 {
            kept.entries.push_back(entry.clone());
        }
    }

    fn correct(&self, correction: &Correction) {
        let mut kept = self.0.lock();
        let Some(place) = kept.entries.iter().rposition(|entry| entry.id == correction.id) else {
            kept.missed += 1;
            return;
        };
        let Some(entry) = kept.entries.get_mut(place) else {
            return;
        };
        let before = entry.clone();
        correction.apply(entry);
        let after = entry.clone();
        kept.count(&before, |spend| spend.replace(&before, &after));
    }
}
