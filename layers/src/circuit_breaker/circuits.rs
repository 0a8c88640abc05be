//! The circuits of all candidates: bounded in number.

use std::{
    fmt,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use tokio::time::Instant;

use super::{CircuitError, CircuitPolicy, CircuitReport, circuit::Circuit};
use crate::{Candidate, Route, call::CandidateMap, util::Lock};

/// How long nothing is looked for to be forgotten, once nothing was found.
const NO_ROOM_FOR: Duration = Duration::from_secs(1);

/// Circuits held at most: a request may name any model, and each takes up to a few kilobytes.
pub const MAX_CIRCUITS: usize = 10_000;

/// The circuits of all candidates. Cheap to clone, and shared by all clones: give several stacks the same one, and keep one
/// to look at.
#[derive(Clone)]
pub struct Circuits(Arc<Table>);

#[derive(Debug)]
struct Table {
    policy: CircuitPolicy,
    circuits: Arc<CandidateMap<Circuit>>,
    /// When last there was no room, and nothing to forget: among candidates, and among routes that requests pin.
    full: [Lock<Option<Instant>>; 2],
    /// Others took their place: those that are added are hidden.
    is_hidden: AtomicBool,
}

impl Circuits {
    /// All closed, under this policy.
    ///
    /// # Errors
    ///
    /// If it would never open, or never close.
    pub fn new(policy: CircuitPolicy) -> Result<Self, CircuitError> {
        policy.check()?;
        Ok(Self(Arc::new(Table {
            policy,
            circuits: Arc::new(CandidateMap::new(MAX_CIRCUITS)),
            full: Default::default(),
            is_hidden: AtomicBool::new(false),
        })))
    }

    /// The policy of all.
    #[must_use]
    pub fn policy(&self) -> &CircuitPolicy {
        &self.0.policy
    }

    /// Every circuit as it stands; a candidate that was never called has none.
    #[must_use]
    pub fn reports(&self) -> Vec<CircuitReport> {
        self.0.circuits.all().iter().map(|circuit| circuit.report()).collect()
    }

    /// The circuit of this candidate as it stands; `None` if it was never called. For a router of your own, or a health check.
    #[must_use]
    pub fn report(&self, candidate: &Candidate) -> Option<CircuitReport> {
        Some(self.0.circuits.get(candidate, Route::FREE)?.report())
    }

    /// Shows the circuit of a candidate as closed in metrics from now on, since it is called no more: it left the chain. Calls in progress may call it
    /// still, and change nothing of that. [`show`](Self::show) ends it.
    pub fn hide(&self, candidate: &Candidate) {
        if let Some(circuit) = self.0.circuits.get(candidate, Route::FREE) {
            circuit.hide();
        }
    }

    /// Shows the circuit of a candidate in metrics as it is, if it was [hidden](Self::hide).
    pub fn show(&self, candidate: &Candidate) {
        if let Some(circuit) = self.0.circuits.get(candidate, Route::FREE) {
            circuit.show();
        }
    }

    /// Hides all circuits, and those that calls in progress add, since others took their place.
    pub fn hide_all(&self) {
        self.0.is_hidden.store(true, Ordering::Relaxed);
        self.0.circuits.all().iter().for_each(|circuit| circuit.hide());
    }

    /// The circuit of this candidate on this route; `None` if it is new and there is no room.
    pub(super) fn of(&self, candidate: &Candidate, route: Route) -> Option<Arc<Circuit>> {
        let known = self.0.circuits.get(candidate, route);
        known.or_else(|| self.add(candidate, route))
    }

    #[cold]
    fn add(&self, candidate: &Candidate, route: Route) -> Option<Arc<Circuit>> {
        let now = Instant::now();
        let [free, pinned] = &self.0.full;
        let full = if route.is_free() { free } else { pinned };
        let mut full = full.lock();
        if full.is_some_and(|since| now.saturating_duration_since(since) < NO_ROOM_FOR) {
            return None;
        }
        // The least recently used are evicted first; open ones stay while they may still be used.
        let spare = |circuit: &Circuit| circuit.spare_since(now);
        let added = self.0.circuits.add((candidate, route), spare, || {
            let circuits = Arc::downgrade(&self.0.circuits);
            let mut circuit = Circuit::new((candidate.clone(), route), self.0.policy, circuits, now);
            circuit.hidden = AtomicBool::new(self.0.is_hidden.load(Ordering::Relaxed));
            circuit
        });
        if added.is_none() {
            *full = Some(now);
        }
        added
    }
}

impl fmt::Debug for Circuits {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Circuits")
            .field("policy", &self.0.policy)
            .finish_non_exhaustive()
    }
}
