//! A schedule whose type is erased.

use std::{fmt, sync::Arc, time::Duration};

use super::Schedule;

/// The delays of one call.
type Delays = Box<dyn Iterator<Item = Duration> + Send>;

/// Any [`Schedule`], for a stack that is built at run time. Allocates once per call that is retried.
///
/// ```
/// use std::time::Duration;
/// use tower_llm_layers::retry::{Exponential, RetryLayer, SharedSchedule};
///
/// let schedule = SharedSchedule::new(Exponential::new(Duration::from_millis(100), Duration::from_secs(2)));
/// let layer = RetryLayer::new().schedule(schedule);
/// ```
#[derive(Clone)]
pub struct SharedSchedule(Arc<dyn Fn() -> Delays + Send + Sync>);

impl SharedSchedule {
    /// Erases the type of a schedule.
    pub fn new<M>(schedule: M) -> Self
    where
        M: Schedule + Send + Sync + 'static,
        M::Delays: Send + 'static,
    {
        Self(Arc::new(move || Box::new(schedule.delays())))
    }
}

impl Schedule for SharedSchedule {
    type Delays = Delays;

    fn delays(&self) -> Delays {
        (self.0)()
    }
}

impl fmt::Debug for SharedSchedule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SharedSchedule")
    }
}
