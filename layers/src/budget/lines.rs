//! Accounts of several models, each once: in linear time, however many models a request names.

use std::collections::HashSet;

use super::AccountRef;

/// Up to so many accounts are compared with each other. Beyond, they are looked up.
const FEW: usize = 16;

/// Lines of different accounts, in the order in which they came.
#[derive(Debug)]
pub(super) struct DistinctLines {
    lines: Vec<AccountRef>,
    /// Their accounts, once there are more than a few.
    known: HashSet<Box<str>>,
}

impl DistinctLines {
    /// These, whose accounts are different.
    pub(super) fn new(lines: Vec<AccountRef>) -> Self {
        Self {
            lines,
            known: HashSet::new(),
        }
    }

    /// One more, unless its account is there.
    pub(super) fn push(&mut self, line: AccountRef) {
        if self.lines.len() < FEW {
            if self.lines.iter().all(|known| known.account != line.account) {
                self.lines.push(line);
            }
            return;
        }
        if self.known.is_empty() {
            self.known.extend(self.lines.iter().map(|known| known.account.clone()));
        }
        if self.known.insert(line.account.clone()) {
            self.lines.push(line);
        }
    }

    pub(super) fn into_lines(self) -> Vec<AccountRef> {
        self.lines
    }
}

/// Those of these lines whose accounts are not among the others'.
pub(super) fn beyond(lines: &[AccountRef], others: &[AccountRef]) -> Vec<AccountRef> {
    if others.len() <= FEW {
        let is_there = |line: &AccountRef| others.iter().any(|other| other.account == line.account);
        return lines.iter().filter(|line| !is_there(line)).cloned().collect();
    }
    let others: HashSet<&str> = others.iter().map(|other| &*other.account).collect();
    let is_there = |line: &AccountRef| others.contains(&*line.account);
    lines.iter().filter(|line| !is_there(line)).cloned().collect()
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::budget::Budget;

    fn lines(accounts: impl IntoIterator<Item = u32>) -> Vec<AccountRef> {
        let budget = Arc::new(Budget::usd("each", "1").unwrap());
        let line = |account: u32| AccountRef::new(Arc::clone(&budget), account.to_string());
        accounts.into_iter().map(line).collect()
    }

    fn accounts(lines: &[AccountRef]) -> Vec<u32> {
        lines.iter().map(|line| line.account.parse().unwrap()).collect()
    }

    #[test]
    fn each_account_is_there_once_in_the_order_in_which_it_came() {
        for count in [1, 2, 15, 16, 17, 40] {
            let mut distinct = DistinctLines::new(lines([0]));
            for line in lines((0..count).chain(0..count)) {
                distinct.push(line);
            }
            let all = distinct.into_lines();
            assert_eq!(accounts(&all), (0..count).collect::<Vec<_>>());
            let rest = beyond(&all, &lines((0..count).filter(|number| number % 2 == 0)));
            assert_eq!(
                accounts(&rest),
                (0..count).filter(|number| number % 2 == 1).collect::<Vec<_>>()
            );
        }
    }

    /// Each compared with each would take minutes here.
    #[test]
    fn many_accounts_take_linear_time() {
        let mut distinct = DistinctLines::new(Vec::new());
        for line in lines((0..50_000).chain(0..50_000)) {
            distinct.push(line);
        }
        let all = distinct.into_lines();
        assert_eq!(all.len(), 50_000);
        assert_eq!(beyond(&all, &lines(25_000..75_000)).len(), 25_000);
    }
}
