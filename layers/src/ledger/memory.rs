//! A ledger in memory.

use std::{
    collections::{HashMap, VecDeque},
    sync::Arc,
};

use super::{
    Correction, Entry, Ledger,
    groups::Groups,
    spend::{GroupBy, NONE, Spend, SpendRow},
};
use crate::util::Lock;

/// Entries kept by default.
pub const DEFAULT_MAX_ENTRIES: usize = 10_000;

/// Groups kept for each way to group, by default. A further one takes the place of the earliest hour or day, or of the group with the least cost if its
/// entry costs more; what has no group is counted under [`OTHERS`] from then on.
pub const DEFAULT_MAX_GROUPS: usize = 1_000;

/// How many tags have groups by their values. A further tag has none: [`MemoryLedger::spend`] has no rows for it.
const MAX_TAG_NAMES: usize = 32;

/// The group of what fits into no other, or is in none any more.
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
    groups: HashMap<GroupBy, Groups>,
    max_groups: usize,
    /// Entries that were ever recorded.
    recorded: u64,
    total: Spend,
    /// Corrections of entries that were no longer kept.
    missed: u64,
}

impl Kept {
    /// Whether it is a tag that has no groups, and gets none any more: names of tags may come from requests.
    fn has_no_room_for(&self, by: &GroupBy) -> bool {
        let is_new_tag = matches!(by, GroupBy::Tag(_)) && !self.groups.contains_key(by);
        let tags = || self.groups.keys().filter(|by| matches!(by, GroupBy::Tag(_)));
        is_new_tag && tags().count() >= MAX_TAG_NAMES
    }
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
            recorded: 0,
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

    /// What was spent since the start, in groups; the largest sum first. Only the first 32 tags have groups. Entries without a provider or the tag are in
    /// the group [`NONE`], so that the groups add up to the [total](Self::total).
    #[must_use]
    pub fn spend(&self, by: &GroupBy) -> Vec<SpendRow> {
        let kept = self.0.lock();
        let mut rows: Vec<_> = kept.groups.get(by).into_iter().flat_map(Groups::rows).collect();
        let rest = rows.iter().fold(kept.total, |rest, row| rest.without(&row.spend));
        if rest.attempts > 0 && !kept.has_no_room_for(by) {
            // A value may have that name, too.
            match rows.iter_mut().find(|row| row.group == NONE) {
                Some(row) => row.spend.merge(&rest),
                None => rows.push(SpendRow {
                    group: NONE.to_owned(),
                    spend: rest,
                }),
            }
        }
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

impl Ledger for MemoryLedger {
    fn record(&self, entry: &Entry) {
        let mut kept = self.0.lock();
        let kept = &mut *kept;
        let number = kept.recorded;
        kept.recorded += 1;
        kept.total.add(entry);
        for (by, name) in GroupBy::of(entry) {
            if kept.has_no_room_for(&by) {
                continue;
            }
            let is_time = by.is_time();
            let groups = kept.groups.entry(by).or_default();
            groups.open(is_time, &name, (number, entry.cost()), kept.max_groups);
            groups.of(&name, number).add(entry);
        }
        if kept.entries.len() >= kept.max_entries {
            kept.entries.pop_front();
        }
        if kept.max_entries > 0 {
            kept.entries.push_back(entry.clone());
        }
    }

    fn correct(&self, correction: &Correction) {
        let mut kept = self.0.lock();
        let kept = &mut *kept;
        // The latest entry has the highest number.
        let mut numbered = kept.entries.iter_mut().rev().zip((0..kept.recorded).rev());
        let found = numbered.find(|(entry, _)| entry.id == correction.id);
        let Some((entry, number)) = found else {
            kept.missed += 1;
            return;
        };
        let before = entry.clone();
        correction.apply(entry);
        kept.total.replace(&before, entry);
        for (by, name) in GroupBy::of(entry) {
            if let Some(groups) = kept.groups.get_mut(&by) {
                groups.of(&name, number).replace(&before, entry);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::{Tags, UsdAmount, UtcTime};

    /// An entry that awaits its bill, so many hours later.
    fn entry(hours: u64) -> Entry {
        let at = UtcTime::from_millis(1_795_587_300_000).after(Duration::from_secs(hours * 3600));
        Entry::estimated(at, UsdAmount::from_pico(5))
    }

    #[test]
    fn the_last_hours_have_rows_of_their_own_and_late_bills_change_the_right_sum() {
        let hours = 1_003_u64;
        let entries: Vec<_> = (0..hours).map(entry).collect();
        let ledger = MemoryLedger::with_room(entries.len(), DEFAULT_MAX_GROUPS);
        entries.iter().for_each(|entry| ledger.record(entry));
        let cost = |by: &GroupBy, group: &str| {
            let row = ledger.spend(by).into_iter().find(|row| row.group == group);
            row.map(|row| row.spend.cost.pico())
        };
        let hour = |entry: &Entry| entry.ended.to_string().chars().take(13).collect::<String>();
        let (first, last) = (&entries[0], &entries[entries.len() - 1]);
        let by = GroupBy::Hour;
        let shown = || [cost(&by, OTHERS), cost(&by, &hour(first)), cost(&by, &hour(last))];
        assert_eq!(shown(), [Some(15), None, Some(5)]);
        for (entry, bill) in [(first, 1), (last, 2)] {
            let bill = UsdAmount::from_pico(bill);
            ledger.correct(&Correction::new(entry.id, entry.ended, bill, None));
        }
        assert_eq!(shown(), [Some(11), None, Some(2)]);
        let total = ledger.total().cost.pico();
        assert_eq!((total, cost(&GroupBy::Model, "a/b")), (5 * 1_003 - 7, Some(total)));
        assert_eq!(ledger.missed_corrections(), 0);
    }

    #[test]
    fn groups_add_up_to_the_total_also_if_entries_have_no_provider_or_not_the_tag() {
        let ledger = MemoryLedger::new();
        let by = |tag: &str| GroupBy::Tag(tag.into());
        let rows = |by: &GroupBy| -> Vec<_> {
            let rows = ledger.spend(by).into_iter();
            rows.map(|row| (row.group, row.spend.attempts, row.spend.cost.pico()))
                .collect()
        };
        let row = |name: &str, attempts: u64, pico: i128| (name.to_owned(), attempts, pico);
        assert!(rows(&by("team")).is_empty());
        let mut named = entry(1);
        named.provider = Some("Azure".into());
        named.tags = Tags::new([("team", "a")]).unwrap();
        // One before the tag was known, and one after.
        let entries = [entry(0), named, entry(2)];
        entries.iter().for_each(|entry| ledger.record(entry));
        let first = &entries[0];
        ledger.correct(&Correction::new(first.id, first.ended, UsdAmount::from_pico(1), None));
        for (by, name) in [(by("team"), "a"), (GroupBy::Provider, "Azure")] {
            assert_eq!(rows(&by), [row(NONE, 2, 6), row(name, 1, 5)], "{by:?}");
        }
        assert_eq!(rows(&by("other")), [row(NONE, 3, 11)]);
        let mut odd = entry(3);
        odd.tags = Tags::new([("team", NONE)]).unwrap();
        ledger.record(&odd);
        assert_eq!(rows(&by("team")), [row(NONE, 3, 11), row("a", 1, 5)]);
    }

    #[test]
    fn the_names_of_tags_are_bounded() {
        let ledger = MemoryLedger::new();
        let by = |number: usize| GroupBy::Tag(format!("tag-{number}").into());
        for number in 0..100 {
            let mut entry = entry(0);
            entry.tags = Tags::new([(format!("tag-{number}"), "x".to_owned())]).unwrap();
            ledger.record(&entry);
            ledger.correct(&Correction::new(entry.id, entry.ended, UsdAmount::from_pico(1), None));
        }
        let rows = (0..100).filter(|number| !ledger.spend(&by(*number)).is_empty());
        assert_eq!(rows.count(), MAX_TAG_NAMES);
        let rows = ledger.spend(&by(0));
        let costs: Vec<_> = rows.iter().map(|row| (&*row.group, row.spend.cost.pico())).collect();
        assert_eq!(costs, [(NONE, 99), ("x", 1)]);
        assert_eq!(ledger.total().cost, UsdAmount::from_pico(100));
    }
}
