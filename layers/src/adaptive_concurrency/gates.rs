use std::{
    collections::HashMap,
    fmt,
    sync::{Arc, PoisonError, RwLock},
};

use super::{ConcurrencyError, ConcurrencyPolicy, gate::Gate};
use crate::Candidate;

/// Limits held at most: a request may name any model.
pub const MOST_LIMITS: usize = 10_000;

/// The limits of all candidates. Cheap to clone, and shared by all clones: give several stacks the same one, and keep one to look at.
#[derive(Clone)]
pub struct ConcurrencyLimits(Arc<Table>);

struct Table {
    policy: ConcurrencyPolicy,
    gates: RwLock<HashMap<Candidate, Arc<Gate>>>,
}

/// One limit as it stands.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct ConcurrencyReport {
    /// Whose it is.
    pub candidate: Candidate,
    /// Attempts at once.
    pub limit: u32,
    /// Attempts under way, streams that are being read included.
    pub under_way: u32,
    /// Calls that wait.
    pub waiting: usize,
}

impl ConcurrencyLimits {
    /// All as this policy begins.
    ///
    /// # Errors
    ///
    /// Where nothing would pass, or nothing would be learnt.
    pub fn new(policy: ConcurrencyPolicy) -> Result<Self, ConcurrencyError> {
        policy.check()?;
        Ok(Self(Arc::new(Table {
            policy,
            gates: RwLock::default(),
        })))
    }

    /// The policy of all.
    #[must_use]
    pub fn policy(&self) -> &ConcurrencyPolicy {
        &self.0.policy
    }

    /// Every limit as it stands; a candidate that was never asked has none.
    #[must_use]
    pub fn reports(&self) -> Vec<ConcurrencyReport> {
        let gates = self.0.gates.read().unwrap_or_else(PoisonError::into_inner);
        gates.values().map(|gate| gate.report()).collect()
    }

    /// The gate of this candidate; `None` where it is new and there is no room.
    pub(super) fn of(&self, candidate: &Candidate) -> Option<Arc<Gate>> {
        let known = self.0.gates.read().unwrap_or_else(PoisonError::into_inner);
        if let Some(gate) = known.get(candidate) {
            return Some(Arc::clone(gate));
        }
        drop(known);
        self.add(candidate)
    }

    #[cold]
    fn add(&self, candidate: &Candidate) -> Option<Arc<Gate>> {
        let mut gates = self.0.gates.write().unwrap_or_else(PoisonError::into_inner);
        if gates.len() >= MOST_LIMITS && !gates.contains_key(candidate) {
            // Those that nobody uses are learnt anew.
            gates.retain(|_, gate| !gate.is_idle());
            if gates.len() >= MOST_LIMITS {
                return None;
            }
        }
        let gate = gates
            .entry(candidate.clone())
            .or_insert_with(|| Arc::new(Gate::new(candidate.clone(), self.0.policy)));
        Some(Arc::clone(gate))
    }
}

impl fmt::Debug for ConcurrencyLimits {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ConcurrencyLimits")
            .field("policy", &self.0.policy)
            .finish_non_exhaustive()
    }
}
