//! The groups of a ledger in memory: a bounded number of each kind, and the sum of those that were given up.

use std::collections::HashMap;

use super::{
    memory::OTHERS,
    spend::{Spend, SpendRow},
};
use crate::UsdAmount;

/// The groups of one kind.
#[derive(Debug, Default)]
pub(super) struct Groups {
    named: HashMap<Box<str>, Group>,
    /// What fits into no group, or was in one that was given up.
    others: Option<Spend>,
    /// What the group with the least cost had when they were last compared, so that an entry of a new name that costs no more compares nothing.
    least_cost: UsdAmount,
}

#[derive(Debug)]
struct Group {
    spend: Spend,
    /// The number of the entry that opened it: earlier ones of its name are among the others.
    first: u64,
}

impl Groups {
    /// Opens a group for the entry of this number and cost, if its name has none. If there are as many as there may be, the one that matters least is given
    /// up: the earliest hour or day, and of other groups the one with the least cost, if that is less than the entry's.
    pub(super) fn open(&mut self, is_time: bool, name: &str, (number, cost): (u64, UsdAmount), most: usize) {
        if name == OTHERS || self.named.contains_key(name) {
            return;
        }
        if self.named.len() >= most {
            if !is_time && cost <= self.least_cost {
                return;
            }
            let Some((least, least_cost)) = self.least(is_time) else {
                return;
            };
            let matters_less = if is_time {
                // An hour before all that are kept is none to keep.
                name < &*least
            } else {
                self.least_cost = least_cost;
                cost <= least_cost
            };
            if matters_less {
                return;
            }
            if let Some(group) = self.named.remove(&least) {
                self.others.get_or_insert_default().merge(&group.spend);
            }
        }
        let spend = Spend::default();
        self.named.insert(name.into(), Group { spend, first: number });
    }

    /// The group that matters least, and its cost.
    fn least(&self, is_time: bool) -> Option<(Box<str>, UsdAmount)> {
        let cost = |group: &Group| (group.spend.cost, group.spend.attempts, group.first);
        let (name, group) = if is_time {
            self.named.iter().min_by_key(|(name, _)| *name)
        } else {
            self.named.iter().min_by_key(|(_, group)| cost(group))
        }?;
        Some((name.clone(), group.spend.cost))
    }

    /// The sums that the entry of this number counts in.
    pub(super) fn of(&mut self, name: &str, number: u64) -> &mut Spend {
        match self.named.get_mut(name) {
            Some(group) if group.first <= number => &mut group.spend,
            _ => self.others.get_or_insert_default(),
        }
    }

    pub(super) fn rows(&self) -> impl Iterator<Item = SpendRow> {
        let named = self.named.iter().map(|(name, group)| (&**name, &group.spend));
        let others = self.others.iter().map(|spend| (OTHERS, spend));
        named.chain(others).map(|(group, spend)| SpendRow {
            group: group.to_owned(),
            spend: *spend,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Records the cost of one entry more.
    fn record(groups: &mut Groups, is_time: bool, name: &str, pico: i128) {
        let number = groups.rows().map(|row| row.spend.attempts).sum::<u64>();
        groups.open(is_time, name, (number, UsdAmount::from_pico(pico)), 2);
        let spend = groups.of(name, number);
        spend.attempts += 1;
        spend.cost = spend.cost.saturating_add(UsdAmount::from_pico(pico));
    }

    fn rows(groups: &Groups) -> Vec<(String, i128, u64)> {
        let mut rows: Vec<_> = groups
            .rows()
            .map(|row| (row.group, row.spend.cost.pico(), row.spend.attempts))
            .collect();
        rows.sort();
        rows
    }

    fn row(name: &str, pico: i128, attempts: u64) -> (String, i128, u64) {
        (name.to_owned(), pico, attempts)
    }

    #[test]
    fn the_latest_times_have_groups_of_their_own() {
        let mut groups = Groups::default();
        for name in ["2026-11-02", "2026-11-01", "2026-11-03", "2026-11-01", "2026-11-04"] {
            record(&mut groups, true, name, 1);
        }
        let expected = [row(OTHERS, 3, 3), row("2026-11-03", 1, 1), row("2026-11-04", 1, 1)];
        assert_eq!(rows(&groups), expected);
    }

    #[test]
    fn the_name_with_the_least_cost_makes_room() {
        let mut groups = Groups::default();
        for (name, pico) in [("a", 9), ("made-up", 0), ("another", 0), ("b", 5), (OTHERS, 1)] {
            record(&mut groups, false, name, pico);
        }
        assert_eq!(rows(&groups), [row(OTHERS, 1, 3), row("a", 9, 1), row("b", 5, 1)]);
    }

    #[test]
    fn a_new_name_makes_no_room_by_less_than_the_least_group_cost() {
        let mut groups = Groups::default();
        for (name, pico) in [("a", 9), ("b", 5), ("free", 0), ("cheap", 5), ("b", 3), ("c", 7)] {
            record(&mut groups, false, name, pico);
        }
        assert_eq!(rows(&groups), [row(OTHERS, 12, 3), row("a", 9, 1), row("b", 8, 2)]);
        record(&mut groups, false, "d", 9);
        assert_eq!(rows(&groups), [row(OTHERS, 20, 5), row("a", 9, 1), row("d", 9, 1)]);
    }

    /// Its entry is not in the group that has its name now.
    #[test]
    fn a_late_bill_changes_the_sum_that_its_entry_is_in() {
        let mut groups = Groups::default();
        for (name, pico) in [("a", 9), ("b", 5), ("c", 7), ("d", 8), ("b", 9)] {
            record(&mut groups, false, name, pico);
        }
        assert_eq!(rows(&groups), [row(OTHERS, 20, 3), row("a", 9, 1), row("b", 9, 1)]);
        let bill = |groups: &mut Groups, number: u64, by: i128| {
            let spend = groups.of("b", number);
            spend.cost = spend.cost.saturating_add(UsdAmount::from_pico(by));
        };
        bill(&mut groups, 1, -4);
        bill(&mut groups, 4, -2);
        assert_eq!(rows(&groups), [row(OTHERS, 16, 3), row("a", 9, 1), row("b", 7, 1)]);
    }
}
