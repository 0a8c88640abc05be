//! A wall clock that steps, as a store of budgets sees it.
//!
//! The product's time of day follows tokio's clock, and under paused time nothing steps it. A store gets the time with each reservation,
//! so the step is put there: a reservation, and a late bill, comes with the time that the stepped clock shows, and a settlement with the
//! time of day as it is. To the store that is a clock that steps there and back.

use std::time::Duration;

use tower_openrouter::layers::UtcTime;

/// When the clock steps, and by how many milliseconds it is then off.
pub(crate) type Steps = Vec<(Duration, i64)>;

/// A clock, from the start of a run.
#[derive(Debug, Clone)]
pub(crate) struct Wall {
    base: UtcTime,
    steps: Steps,
}

impl Wall {
    pub(crate) fn new(steps: Steps) -> Self {
        let base = UtcTime::now();
        Self { base, steps }
    }

    /// What the clock shows at this time.
    pub(super) fn shows(&self, at: UtcTime) -> UtcTime {
        let since = at.since(self.base);
        let off = self.steps.iter().rfind(|(from, _)| *from <= since);
        let millis = at.millis();
        UtcTime::from_millis(millis.saturating_add_signed(off.map_or(0, |(_, off)| *off)))
    }
}
