//! What a caller may see of a circuit.

use std::time::Duration;

use crate::Candidate;

/// What is to be seen of a circuit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum CircuitState {
    /// Attempts pass.
    Closed,
    /// It has just closed: a rising share of the attempts passes.
    Returning,
    /// Attempts are refused.
    Open {
        /// For so long still.
        probes_in: Duration,
    },
    /// Probes alone pass.
    HalfOpen,
}

/// One circuit as it stands.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct CircuitReport {
    /// Whose it is.
    pub candidate: Candidate,
    /// Its state.
    pub state: CircuitState,
    /// Attempts in its window; of an open one those that it opened by, and so the two below.
    pub attempts: u32,
    /// Those of them that failed.
    pub failed: u32,
    /// Those of them that began too slowly.
    pub slow: u32,
    /// Whether it is that of a route which requests pin ([`LlmRequest::pinned_route`](crate::LlmRequest::pinned_route)), kept apart from the
    /// candidate's own.
    pub is_pinned: bool,
}
