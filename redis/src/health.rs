//! Whether the store is away, and what is to be done about it. Nothing here waits.

use std::time::Duration;

use tokio::time::Instant;

/// How long nothing fails before an outage counts as over: one slow answer among many is one outage, not hundreds.
const QUIET: Duration = Duration::from_secs(1);

/// How long nothing succeeds before a new connection is dialled. The manager dials where one has broken; it goes on for ever with
/// one that is silent, and with one whose password was refused once.
const STALE: Duration = Duration::from_secs(2);

pub(crate) struct Health {
    is_down: bool,
    succeeded: Instant,
    failed: Option<Instant>,
    dialled: Instant,
}

/// What follows from a failure.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Failed {
    /// An outage begins with it.
    pub(crate) is_first: bool,
    /// The connection is to be dialled anew.
    pub(crate) dial: bool,
}

impl Health {
    pub(crate) fn new() -> Self {
        let now = Instant::now();
        Self {
            is_down: false,
            succeeded: now,
            failed: None,
            dialled: now,
        }
    }

    pub(crate) const fn is_down(&self) -> bool {
        self.is_down
    }

    /// There was an answer; says whether an outage ends with it.
    pub(crate) fn succeeded(&mut self) -> bool {
        let now = Instant::now();
        self.succeeded = now;
        let is_quiet = self.failed.is_none_or(|failed| now.duration_since(failed) >= QUIET);
        is_quiet && std::mem::take(&mut self.is_down)
    }

    /// There was none.
    pub(crate) fn failed(&mut self) -> Failed {
        let now = Instant::now();
        self.failed = Some(now);
        let dial = now.duration_since(self.succeeded.max(self.dialled)) >= STALE;
        if dial {
            self.dialled = now;
        }
        Failed {
            is_first: !std::mem::replace(&mut self.is_down, true),
            dial,
        }
    }
}

#[cfg(test)]
mod tests {
    use tokio::time::advance;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn slow_answers_among_many_are_one_outage() {
        let mut health = Health::new();
        let mut begun = 0;
        for _ in 0..20 {
            begun += u32::from(health.failed().is_first);
            advance(QUIET / 2).await;
            assert!(!health.succeeded() && health.is_down());
        }
        assert_eq!(begun, 1);
        advance(QUIET / 2).await;
        assert!(health.succeeded() && !health.is_down());
        assert!(!health.succeeded(), "it ends once");
        assert!(health.failed().is_first, "the next is another");
    }

    #[tokio::test(start_paused = true)]
    async fn it_dials_where_nothing_succeeds_and_not_at_every_failure() {
        let mut health = Health::new();
        let mut dialled = 0;
        for _ in 0..60 {
            advance(STALE / 10).await;
            dialled += u32::from(health.failed().dial);
        }
        assert_eq!(dialled, 6);
        for _ in 0..60 {
            advance(STALE / 10).await;
            health.succeeded();
            assert!(!health.failed().dial);
        }
    }
}
