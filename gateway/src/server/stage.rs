//! How far the end of the gateway has come.

use std::sync::Arc;

use tokio::sync::watch;

/// How far the end has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Stage {
    /// Requests are answered.
    Serving,
    /// Requests are answered, and `/readyz` says that the gateway is about to end: load balancers send new calls elsewhere.
    Leaving,
    /// No connection is accepted, and answers in progress end.
    Draining,
    /// Calls that are still in progress end with an error.
    Cut,
    /// All connections end now.
    Ended,
}

/// The stage that all parts of a gateway follow. Cheap to clone; clones follow the same.
#[derive(Debug, Clone)]
pub struct Stages(Arc<watch::Sender<Stage>>);

impl Default for Stages {
    fn default() -> Self {
        Self(Arc::new(watch::Sender::new(Stage::Serving)))
    }
}

impl Stages {
    /// The stage now.
    #[must_use]
    pub fn now(&self) -> Stage {
        *self.0.borrow()
    }

    /// Enters a stage. An earlier one is never entered again.
    pub fn enter(&self, stage: Stage) {
        self.0.send_if_modified(|now| {
            let is_later = stage > *now;
            *now = stage.max(*now);
            is_later
        });
    }

    /// Waits for a stage, or a later one.
    pub async fn reached(&self, stage: Stage) {
        // The sender is in `self`, so this does not fail.
        drop(self.0.subscribe().wait_for(|now| *now >= stage).await);
    }
}
