//! The states of a circuit.

use std::time::Duration;

use tokio::time::Instant;

#[derive(Debug, Clone, Copy)]
pub(super) enum State {
    Closed,
    /// Closed, with a share of the traffic that rises in a straight line.
    Returning {
        since: Instant,
        /// What the attempts so far have left of the next one's pass.
        credit: f64,
    },
    Open {
        until: Instant,
    },
    HalfOpen(Trial),
}

/// The probes of a half-open circuit.
#[derive(Debug, Clone, Copy)]
pub(super) struct Trial {
    /// Those under way.
    pub(super) probes: u32,
    /// Those that went well.
    pub(super) successes: u32,
    /// Until then the last probe is waited for. A probe is held by its caller, who may never poll it again.
    pub(super) leased_until: Instant,
}

impl State {
    /// Its name in metrics, and how open it is.
    pub(super) const fn label_and_level(&self) -> (&'static str, f64) {
        match self {
            Self::Closed => ("closed", 0.0),
            Self::Returning { .. } => ("returning", 0.0),
            Self::HalfOpen(_) => ("half_open", 1.0),
            Self::Open { .. } => ("open", 2.0),
        }
    }
}

impl Trial {
    pub(super) const fn new(now: Instant) -> Self {
        Self {
            probes: 0,
            successes: 0,
            leased_until: now,
        }
    }

    /// Another probe begins.
    pub(super) fn lease(&mut self, now: Instant, lease: Duration) {
        self.probes = self.probes.saturating_add(1);
        self.leased_until = now + lease;
    }
}
