//! What is known of each candidate.

use std::{
    collections::HashMap,
    sync::{Arc, PoisonError, RwLock},
};

use foldhash::fast::RandomState;

use super::Candidate;

/// Looked at by each attempt, and seldom added to. It holds so many at most, since a request may name any model.
#[derive(Debug)]
pub(crate) struct Known<T> {
    most: usize,
    table: RwLock<Table<T>>,
}

type Table<T> = HashMap<Candidate, Arc<T>, RandomState>;

impl<T> Known<T> {
    pub(crate) fn new(most: usize) -> Self {
        Self {
            most,
            table: RwLock::default(),
        }
    }

    pub(crate) fn get(&self, candidate: &Candidate) -> Option<Arc<T>> {
        let table = self.table.read().unwrap_or_else(PoisonError::into_inner);
        table.get(candidate).map(Arc::clone)
    }

    pub(crate) fn all(&self) -> Vec<Arc<T>> {
        let table = self.table.read().unwrap_or_else(PoisonError::into_inner);
        table.values().map(Arc::clone).collect()
    }

    /// What is known of one that is new. Where there is no room, up to a tenth of those goes that are `spare`, the least first;
    /// never what somebody holds. `None` where there is no room still.
    #[cold]
    pub(crate) fn add<O: Ord>(
        &self,
        candidate: &Candidate,
        spare: impl Fn(&T) -> Option<O>,
        new: impl FnOnce() -> T,
    ) -> Option<Arc<T>> {
        let mut table = self.table.write().unwrap_or_else(PoisonError::into_inner);
        if table.len() >= self.most && !table.contains_key(candidate) {
            forget(&mut table, self.most.div_ceil(10), spare);
            if table.len() >= self.most {
                return None;
            }
        }
        let found = table.entry(candidate.clone()).or_insert_with(|| Arc::new(new()));
        Some(Arc::clone(found))
    }
}

/// Forgets so many of those that are spare, the least first.
fn forget<T, O: Ord>(table: &mut Table<T>, count: usize, spare: impl Fn(&T) -> Option<O>) {
    let held = |known: &Arc<T>| Arc::strong_count(known) > 1;
    let mut spares: Vec<(O, Candidate)> = table
        .iter()
        .filter(|(_, known)| !held(known))
        .filter_map(|(candidate, known)| Some((spare(known)?, candidate.clone())))
        .collect();
    spares.sort_unstable_by(|(one, _), (other, _)| one.cmp(other));
    for (_, candidate) in spares.iter().take(count) {
        table.remove(candidate);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn candidate(number: u32) -> Candidate {
        Candidate::new("router", &format!("model-{number}")).unwrap()
    }

    fn add(known: &Known<u32>, number: u32) -> Option<Arc<u32>> {
        let even = |number: &u32| number.is_multiple_of(2).then_some(*number);
        known.add(&candidate(number), even, || number)
    }

    #[test]
    fn the_least_spare_go_first_and_what_is_held_never() {
        let known = Known::new(20);
        let held: Vec<_> = (0..4).filter_map(|number| add(&known, number)).collect();
        for number in 4..20 {
            assert!(add(&known, number).is_some());
        }
        assert!(add(&known, 21).is_some(), "there is room for two");
        assert!(add(&known, 23).is_some());
        for gone in [4, 6] {
            assert!(known.get(&candidate(gone)).is_none());
        }
        assert_eq!(known.table.read().unwrap().len(), 20);
        assert!(held.iter().all(|number| known.get(&candidate(**number)).is_some()));
        assert_eq!(add(&known, 5).as_deref(), Some(&5), "known already");
    }

    #[test]
    fn where_none_is_spare_nobody_new_is_known() {
        let known = Known::new(2);
        assert!(add(&known, 1).is_some() && add(&known, 3).is_some());
        assert!(add(&known, 5).is_none());
    }
}
