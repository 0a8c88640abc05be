//! The recent calls, for the page and the JSON routes: what each client asked for, which attempts were made, and what became of them.
//!
//! Two places of a gateway take part. [`Calls::layer`] stands around the library's endpoints and sees what the client sees: the status, the
//! beginning and the end of the body, a client that leaves. [`Calls::attach`] adds to the builder of the stack what sees the inside: the log
//! of attempts, the tags, and the ledger's entries.
//!
//! ```
//! use openrouter_gateway::calls::Calls;
//! use tower_openrouter::{ChatServiceExt, settings::{Settings, SettingsHandle}};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # let settings = Settings::from_toml("chain = [\"a/b\"]\nupstream = [{ name = \"openrouter\" }]")?;
//! let calls = Calls::new();
//! let attached = calls.clone();
//! let handle = SettingsHandle::builder(settings).extend(move |stack| attached.attach(stack)).build()?;
//! let app: axum::Router = axum::Router::new()
//!     .fallback_service(handle.service().into_endpoints())
//!     .layer(calls.layer());
//! # Ok(())
//! # }
//! ```
//!
//! # Bounds
//!
//! A bill that comes later corrects its call if the reconciler's ledger is, among others, these calls: they are a
//! [`Ledger`](tower_openrouter::layers::ledger::Ledger).
//!
//! What is kept is bounded in calls and in bytes; names and reasons are cut. Counts by minute are kept for a day, whatever is evicted.
//!
//! # Cancellation
//!
//! Dropping the future or the body of a call ends the call as [`CallOutcome::Left`], after what is inside has been dropped: its log is
//! complete then.

mod answer;
mod body;
mod filter;
mod inside;
mod late;
mod layer;
mod open;
mod record;
mod store;
mod totals;
mod waiting;

use std::{
    fmt,
    hash::{BuildHasher, Hasher, RandomState},
    sync::{Arc, Mutex, MutexGuard, PoisonError, atomic::AtomicU64},
    time::Duration,
};

use tokio::sync::broadcast;
use tower_openrouter::{layers::UtcTime, stack::StackBuilder};

pub use body::CallsBody;
pub(crate) use filter::since;
pub use filter::{Filter, FilterError};
pub use layer::{CallsFuture, CallsLayer, CallsService};
pub use record::{AttemptRecord, CallOutcome, CallRecord, Tokens};
pub(crate) use record::{dollars, name};
pub use totals::{Times, Totals};
pub(crate) use waiting::{LongWaits, Waiting};

use inside::InsideLayer;
use store::Store;

/// Calls that are kept by default.
pub const MOST_CALLS: usize = 2_000;
/// Bytes that they may take by default.
pub const MOST_BYTES: usize = 8 << 20;
/// Updates that a subscriber may be behind before it misses some.
const UPDATES: usize = 1_024;

/// The recent calls. Cheap to clone; clones share them.
#[derive(Clone)]
pub struct Calls(Arc<Inner>);

struct Inner {
    /// The numbers of calls begin again with another one.
    run: Box<str>,
    /// Since when calls are recorded.
    began: UtcTime,
    /// The number of the last call.
    last: AtomicU64,
    store: Mutex<Store>,
    updates: broadcast::Sender<Arc<CallRecord>>,
}

impl Calls {
    /// Keeps [`MOST_CALLS`] in [`MOST_BYTES`].
    #[must_use]
    pub fn new() -> Self {
        Self::with_room(MOST_CALLS, MOST_BYTES)
    }

    /// Keeps at most so many calls, in at most about so many bytes.
    #[must_use]
    pub fn with_room(calls: usize, bytes: usize) -> Self {
        Self(Arc::new(Inner {
            run: format!("{:016x}", RandomState::new().build_hasher().finish()).into(),
            began: UtcTime::now(),
            last: AtomicU64::new(0),
            store: Mutex::new(Store::new(calls, bytes)),
            updates: broadcast::channel(UPDATES).0,
        }))
    }

    /// A random name of these calls: numbers of calls can be compared under the same one alone.
    #[must_use]
    pub fn run(&self) -> &str {
        &self.0.run
    }

    /// Since when calls are recorded: the start of the process.
    pub(crate) fn began(&self) -> UtcTime {
        self.0.began
    }

    /// The layer around the library's endpoints. It records their `POST` calls, and passes all else through.
    #[must_use]
    pub fn layer(&self) -> CallsLayer {
        CallsLayer::new(self.clone())
    }

    /// Adds to a stack what sees the attempts and the entries of the ledger: once to each stack that the endpoints call.
    #[must_use]
    pub fn attach(&self, builder: StackBuilder) -> StackBuilder {
        builder.around_call(InsideLayer).ledger(Arc::new(self.clone()))
    }

    /// The calls that have ended, the latest first.
    #[must_use]
    pub fn recent(&self, filter: &Filter, most: usize) -> Vec<Arc<CallRecord>> {
        let ended = self.store().ended();
        let wanted = ended.into_iter().rev().filter(|call| filter.takes(call));
        wanted.take(most).collect()
    }

    /// The calls in progress, the latest first.
    #[must_use]
    pub fn in_progress(&self, filter: &Filter, most: usize) -> Vec<CallRecord> {
        if !filter.takes_running() {
            return Vec::new();
        }
        let open = self.store().open();
        let records = open.into_iter().rev().map(|facts| facts.running());
        records.filter(|call| filter.takes(call)).take(most).collect()
    }

    /// The calls in progress whose answer is long in coming.
    pub(crate) fn waiting(&self, waits: LongWaits) -> Waiting {
        let Some(least) = waits.least() else {
            return Waiting::default();
        };
        let open = self.store().open_for(least);
        waits.count(open.iter().map(|facts| &**facts))
    }

    /// How many calls are in progress.
    #[must_use]
    pub fn count_in_progress(&self) -> usize {
        self.store().count_open()
    }

    /// What became of the calls that ended within this time; a day at most.
    #[must_use]
    pub fn totals(&self, window: Duration) -> Totals {
        self.store().totals(UtcTime::now(), window)
    }

    /// Each call as it reaches the stack, and as it ends. A subscriber that falls behind misses calls, and delays none.
    #[must_use]
    pub fn subscribe(&self) -> broadcast::Receiver<Arc<CallRecord>> {
        self.0.updates.subscribe()
    }

    fn store(&self) -> MutexGuard<'_, Store> {
        self.0.store.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn publish(&self, call: impl FnOnce() -> Arc<CallRecord>) {
        if self.0.updates.receiver_count() > 0 {
            // Without a receiver by now it is dropped.
            drop(self.0.updates.send(call()));
        }
    }
}

impl Default for Calls {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for Calls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Calls")
            .field("in_progress", &self.count_in_progress())
            .finish_non_exhaustive()
    }
}
