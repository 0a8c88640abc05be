use std::{
    collections::HashMap,
    fmt,
    sync::{Arc, Mutex, PoisonError, RwLock},
    time::Duration,
};

use tokio::time::Instant;

use super::{CircuitError, CircuitPolicy, CircuitReport, circuit::Circuit};
use crate::Candidate;

/// How long nothing is looked for to be forgotten, once nothing was found.
const NO_ROOM_FOR: Duration = Duration::from_secs(1);

/// Circuits held at most: a request may name any model, and each takes up to a few kilobytes.
pub const MOST_CIRCUITS: usize = 10_000;

/// The circuits of all candidates. Cheap to clone, and shared by all clones: give several stacks the same one, and keep one
/// to look at.
#[derive(Clone)]
pub struct Circuits(Arc<Table>);

#[derive(Debug)]
pub(super) struct Table {
    policy: CircuitPolicy,
    circuits: RwLock<HashMap<Candidate, Arc<Circuit>>>,
    /// When last there was no room, and nothing to forget.
    full: Mutex<Option<Instant>>,
}

impl Circuits {
    /// All closed, under this policy.
    ///
    /// # Errors
    ///
    /// Where it would never open, or never close.
    pub fn new(policy: CircuitPolicy) -> Result<Self, CircuitError> {
        policy.check()?;
        Ok(Self(Arc::new(Table {
            policy,
            circuits: RwLock::default(),
            full: Mutex::default(),
        })))
    }

    /// The policy of all.
    #[must_use]
    pub fn policy(&self) -> &CircuitPolicy {
        &self.0.policy
    }

    /// Every circuit as it stands; a candidate that was never asked has none.
    #[must_use]
    pub fn reports(&self) -> Vec<CircuitReport> {
        let circuits = self.0.circuits.read().unwrap_or_else(PoisonError::into_inner);
        circuits.values().map(|circuit| circuit.report()).collect()
    }

    /// The circuit of this candidate; `None` where it is new and there is no room.
    pub(super) fn of(&self, candidate: &Candidate) -> Option<Arc<Circuit>> {
        let known = self.0.circuits.read().unwrap_or_else(PoisonError::into_inner);
        if let Some(circuit) = known.get(candidate) {
            return Some(Arc::clone(circuit));
        }
        drop(known);
        self.add(candidate)
    }

    #[cold]
    fn add(&self, candidate: &Candidate) -> Option<Arc<Circuit>> {
        let now = Instant::now();
        let mut full = self.0.full.lock().unwrap_or_else(PoisonError::into_inner);
        if full.is_some_and(|since| now.saturating_duration_since(since) < NO_ROOM_FOR) {
            return None;
        }
        let mut circuits = self.0.circuits.write().unwrap_or_else(PoisonError::into_inner);
        if circuits.len() >= MOST_CIRCUITS && !circuits.contains_key(candidate) {
            make_room(&mut circuits, now);
            if circuits.len() >= MOST_CIRCUITS {
                *full = Some(now);
                return None;
            }
        }
        let circuit = circuits.entry(candidate.clone()).or_insert_with(|| {
            let table = Arc::downgrade(&self.0);
            Arc::new(Circuit::new(candidate.clone(), self.0.policy, table, now))
        });
        Some(Arc::clone(circuit))
    }
}

impl Table {
    /// One is back: the others of its upstream may be, too, and need not wait for their probe.
    pub(super) fn probe_others(&self, back: &Candidate) {
        let circuits = self.circuits.read().unwrap_or_else(PoisonError::into_inner);
        let others = circuits.values().filter(|circuit| {
            let candidate = circuit.candidate();
            candidate.upstream() == back.upstream() && candidate != back
        });
        others.for_each(|circuit| circuit.probe_now());
    }
}

/// Forgets the tenth that was used longest ago; those that are open stay, while anybody may still ask for them.
fn make_room(circuits: &mut HashMap<Candidate, Arc<Circuit>>, now: Instant) {
    let mut spare: Vec<(Instant, Candidate)> = circuits
        .values()
        .filter_map(|circuit| Some((circuit.spare_since(now)?, circuit.candidate().clone())))
        .collect();
    spare.sort_unstable_by_key(|(used, _)| *used);
    for (_, candidate) in spare.iter().take(MOST_CIRCUITS / 10) {
        circuits.remove(candidate);
    }
}

impl fmt::Debug for Circuits {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Circuits")
            .field("policy", &self.0.policy)
            .finish_non_exhaustive()
    }
}
