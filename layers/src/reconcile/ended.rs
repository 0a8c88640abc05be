//! Entries that ended lately, which are not taken up again.

use std::{
    collections::{HashSet, VecDeque},
    time::Duration,
};

use tokio::time::Instant;

use crate::ledger::EntryId;

/// How long an entry that ended here is not taken up again: the ledger may still list it as one that awaits its bill, until it has written the correction.
const REMEMBERED: Duration = Duration::from_secs(600);

/// The entries that ended lately, up to a number.
#[derive(Debug, Default)]
pub(super) struct EndedEntries {
    ids: HashSet<EntryId>,
    in_order: VecDeque<(Instant, EntryId)>,
}

impl EndedEntries {
    pub(super) fn contains(&mut self, entry: EntryId) -> bool {
        self.forget_old(usize::MAX);
        self.ids.contains(&entry)
    }

    pub(super) fn add(&mut self, entry: EntryId, most: usize) {
        if self.ids.insert(entry) {
            self.in_order.push_back((Instant::now(), entry));
        }
        self.forget_old(most);
    }

    fn forget_old(&mut self, most: usize) {
        while let Some((at, entry)) = self.in_order.front() {
            if self.in_order.len() <= most && at.elapsed() < REMEMBERED {
                return;
            }
            self.ids.remove(entry);
            self.in_order.pop_front();
        }
    }
}
