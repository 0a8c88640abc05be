//! What is known of each candidate, for each route that requests pin.

use std::{
    collections::HashMap,
    hash::Hash,
    sync::{Arc, PoisonError, RwLock},
};

use foldhash::fast::RandomState;

use super::{Candidate, Route};

/// Looked at by each attempt, and seldom added to. It holds so many at most, since a request may name any model; and a tenth of that for
/// routes that requests pin, so that these never take the place of a candidate.
#[derive(Debug)]
pub(crate) struct CandidateMap<T> {
    most: usize,
    free: RwLock<Table<Candidate, T>>,
    pinned: RwLock<Table<(Candidate, Route), T>>,
}

type Table<K, T> = HashMap<K, Arc<T>, RandomState>;

impl<T> CandidateMap<T> {
    pub(crate) fn new(most: usize) -> Self {
        Self {
            most,
            free: RwLock::default(),
            pinned: RwLock::default(),
        }
    }

    pub(crate) fn get(&self, candidate: &Candidate, route: Route) -> Option<Arc<T>> {
        if route.is_free() {
            let table = self.free.read().unwrap_or_else(PoisonError::into_inner);
            return table.get(candidate).map(Arc::clone);
        }
        let table = self.pinned.read().unwrap_or_else(PoisonError::into_inner);
        table.get(&(candidate.clone(), route)).map(Arc::clone)
    }

    pub(crate) fn all(&self) -> Vec<Arc<T>> {
        let free = self.free.read().unwrap_or_else(PoisonError::into_inner);
        let pinned = self.pinned.read().unwrap_or_else(PoisonError::into_inner);
        free.values().chain(pinned.values()).map(Arc::clone).collect()
    }

    /// What is known of one that is new. If there is no room, up to a tenth of those goes that are `spare`, the least first;
    /// never what is held elsewhere. `None` if there is no room still.
    #[cold]
    pub(crate) fn add<O: Ord>(
        &self,
        (candidate, route): (&Candidate, Route),
        spare: impl Fn(&T) -> Option<O>,
        new: impl FnOnce() -> T,
    ) -> Option<Arc<T>> {
        if route.is_free() {
            let mut table = self.free.write().unwrap_or_else(PoisonError::into_inner);
            return add(&mut table, self.most, candidate.clone(), spare, new);
        }
        let mut table = self.pinned.write().unwrap_or_else(PoisonError::into_inner);
        add(
            &mut table,
            self.most.div_ceil(10),
            (candidate.clone(), route),
            spare,
            new,
        )
    }
}

fn add<K: Hash + Eq + Clone, T, O: Ord>(
    table: &mut Table<K, T>,
    most: usize,
    key: K,
    spare: impl Fn(&T) -> Option<O>,
    new: impl FnOnce() -> T,
) -> Option<Arc<T>> {
    if table.len() >= most && !table.contains_key(&key) {
        forget(table, most.div_ceil(10), spare);
        if table.len() >= most {
            return None;
        }
    }
    let found = table.entry(key).or_insert_with(|| Arc::new(new()));
    Some(Arc::clone(found))
}

/// Forgets so many of those that are spare, the least first.
fn forget<K: Hash + Eq + Clone, T, O: Ord>(table: &mut Table<K, T>, count: usize, spare: impl Fn(&T) -> Option<O>) {
    let held = |known: &Arc<T>| Arc::strong_count(known) > 1;
    let mut spares: Vec<(O, K)> = table
        .iter()
        .filter(|(_, known)| !held(known))
        .filter_map(|(key, known)| Some((spare(known)?, key.clone())))
        .collect();
    spares.sort_unstable_by(|(one, _), (other, _)| one.cmp(other));
    for (_, key) in spares.iter().take(count) {
        table.remove(key);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn candidate(number: u32) -> Candidate {
        Candidate::new("router", &format!("model-{number}")).unwrap()
    }

    fn add(known: &CandidateMap<u32>, number: u32) -> Option<Arc<u32>> {
        let even = |number: &u32| number.is_multiple_of(2).then_some(*number);
        known.add((&candidate(number), Route::FREE), even, || number)
    }

    #[test]
    fn the_least_spare_go_first_and_what_is_held_never() {
        let known = CandidateMap::new(20);
        let held: Vec<_> = (0..4).filter_map(|number| add(&known, number)).collect();
        for number in 4..20 {
            assert!(add(&known, number).is_some());
        }
        assert!(add(&known, 21).is_some(), "there is room for two");
        assert!(add(&known, 23).is_some());
        for gone in [4, 6] {
            assert!(known.get(&candidate(gone), Route::FREE).is_none());
        }
        assert_eq!(known.free.read().unwrap().len(), 20);
        assert!(
            held.iter()
                .all(|number| known.get(&candidate(**number), Route::FREE).is_some())
        );
        assert_eq!(add(&known, 5).as_deref(), Some(&5), "known already");
    }

    #[test]
    fn without_a_spare_entry_no_new_one_is_made() {
        let known = CandidateMap::new(2);
        assert!(add(&known, 1).is_some() && add(&known, 3).is_some());
        assert!(add(&known, 5).is_none());
    }

    #[test]
    fn pinned_routes_are_kept_apart_and_take_no_candidates_place() {
        let known = CandidateMap::new(20);
        assert_eq!(add(&known, 1).as_deref(), Some(&1));
        let one = candidate(1);
        let route = |number: usize| Route::of([number.to_string().as_bytes()]);
        let pinned = |number| known.add((&one, route(number)), |_| None::<()>, || 2);
        assert!(pinned(0).is_some() && pinned(1).is_some());
        assert!(
            (2..1_000).all(|number| pinned(number).is_none()),
            "a tenth, and none is spare"
        );
        assert_eq!(known.get(&one, Route::FREE).as_deref(), Some(&1));
        assert_eq!(known.get(&one, route(1)).as_deref(), Some(&2));
        assert!(
            (2..20).all(|number| add(&known, number).is_some()),
            "all have their place"
        );
    }
}
