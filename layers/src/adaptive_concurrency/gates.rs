//! The learned limits of all candidates: bounded in number.

use std::{fmt, sync::Arc};

use super::{ConcurrencyError, ConcurrencyPolicy, gate::Gate};
use crate::{Candidate, Route, call::CandidateMap};

/// Limits held at most: a request may name any model.
pub const MAX_CONCURRENCY_LIMITS: usize = 10_000;

/// The limits of all candidates. Cheap to clone, and shared by all clones: give several stacks the same one, and keep one to look at.
#[derive(Clone)]
pub struct ConcurrencyLimits(Arc<Table>);

struct Table {
    policy: ConcurrencyPolicy,
    gates: CandidateMap<Gate>,
}

/// One limit as it stands.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct ConcurrencyReport {
    /// Whose it is.
    pub candidate: Candidate,
    /// Attempts at once.
    pub limit: u32,
    /// Attempts in flight, streams that are being read included.
    pub in_flight: u32,
    /// Calls that wait.
    pub waiting: usize,
    /// Whether it is that of a route which requests pin ([`LlmRequest::pinned_route`](crate::LlmRequest::pinned_route)), kept apart from the
    /// candidate's own.
    pub is_pinned: bool,
}

impl ConcurrencyLimits {
    /// All as this policy begins.
    ///
    /// # Errors
    ///
    /// [`ConcurrencyError`]: `floor` is 0, `floor` ≤ `initial` ≤ `ceiling` does not hold, `decrease` is not above 0 and below 1, or `slower` is
    /// below 1.
    pub fn new(policy: ConcurrencyPolicy) -> Result<Self, ConcurrencyError> {
        policy.check()?;
        Ok(Self(Arc::new(Table {
            policy,
            gates: CandidateMap::new(MAX_CONCURRENCY_LIMITS),
        })))
    }

    /// The policy of all.
    #[must_use]
    pub fn policy(&self) -> &ConcurrencyPolicy {
        &self.0.policy
    }

    /// Every limit as it stands; a candidate that was never called has none.
    #[must_use]
    pub fn reports(&self) -> Vec<ConcurrencyReport> {
        self.0.gates.all().iter().map(|gate| gate.report()).collect()
    }

    /// The gate of this candidate on this route; `None` if it is new and there is no room.
    pub(super) fn of(&self, candidate: &Candidate, route: Route) -> Option<Arc<Gate>> {
        let known = self.0.gates.get(candidate, route);
        known.or_else(|| {
            // Idle ones are learnt again.
            let spare = |gate: &Gate| gate.is_idle().then_some(());
            let new = || Gate::new(candidate.clone(), route, self.0.policy);
            self.0.gates.add((candidate, route), spare, new)
        })
    }
}

impl fmt::Debug for ConcurrencyLimits {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ConcurrencyLimits")
            .field("policy", &self.0.policy)
            .finish_non_exhaustive()
    }
}
