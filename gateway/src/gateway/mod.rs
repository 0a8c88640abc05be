//! A gateway, put together: the stack with its ledger and its store, the client keys, and what reloads them.

mod account;
mod backoff;
mod catalogue;
mod error;
mod idempotency;
mod metrics;
mod open;
mod outage;
mod places;
mod refill;
mod reload;
mod sums;
mod upkeep;
mod watch;

use std::{
    sync::{Arc, Mutex as StdMutex, PoisonError},
    time::Duration,
};

use metrics_exporter_prometheus::PrometheusHandle;
use tokio::{sync::Mutex, task::JoinSet, time::timeout};
use tower_openrouter::{
    Tags,
    account::Bills,
    layers::observe,
    ledger::DatabaseLedger,
    recording::Recorder,
    redis,
    settings::{ReloadableStack, SettingsHandle},
};

use backoff::Backoff;
pub use error::OpenError;
use idempotency::SharedIdempotency;
pub(crate) use open::{check, key_database, ledger_to_read};
use outage::Outage;
pub(crate) use places::admin_token;
pub use upkeep::forget_entries;
pub use watch::{RELOAD_EVERY, tidy_metrics, watch_file, watch_idempotency, watch_keys};

use crate::{
    accounts::Accounts,
    calls::Calls,
    keys::{KeyDatabase, KeyRing, StoredKey},
    page::View,
    server::{Stage, Stages},
    settings::Config,
};

/// How long the last calls are written to the recording at the end.
const RECORDING_CLOSE: Duration = Duration::from_secs(2);

/// A gateway: everything but its sockets. Cheap to clone; clones are the same.
#[derive(Clone)]
pub struct Gateway(Arc<Inner>);

struct Inner {
    handle: SettingsHandle,
    ring: KeyRing,
    ledger: Option<DatabaseLedger>,
    keys: Option<KeyDatabase>,
    accounts: Accounts,
    calls: Calls,
    recorder: Option<Recorder>,
    store: Option<redis::Store>,
    idempotency: Option<SharedIdempotency>,
    stages: Stages,
    close_timeout: Duration,
    metrics: Option<PrometheusHandle>,
    catalogue: catalogue::Refreshed,
    /// Where late bills are requested, if an upstream reported them at the start, and there is a ledger.
    bills: Option<Bills>,
    in_force: Mutex<InForce>,
    /// Whether the database of client keys fails.
    keys_outage: StdMutex<Outage>,
    /// What runs in the background, and ends with it.
    _tasks: JoinSet<()>,
}

/// How long the database of client keys may fail before the gateway says so: a revoked key stays in force meanwhile.
const KEYS_MAY_FAIL: Duration = Duration::from_secs(3);

/// Whether a gateway takes calls.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Readiness {
    /// It does.
    Ready,
    /// It takes calls, some of which it refuses or does not count.
    Degraded(&'static str),
    /// It refuses all of them.
    Unready(&'static str),
}

/// What is reloaded.
struct InForce {
    config: Config,
    stored: Vec<StoredKey>,
    version: i64,
    /// When the keys of the database are tried again, if not all of them are in force.
    pending: Option<Backoff>,
}

impl Gateway {
    /// The stack that follows the settings.
    #[must_use]
    pub fn stack(&self) -> ReloadableStack {
        self.0.handle.service()
    }

    /// What replaces the settings of the stack.
    #[must_use]
    pub fn settings(&self) -> &SettingsHandle {
        &self.0.handle
    }

    /// The client keys in force.
    #[must_use]
    pub fn ring(&self) -> &KeyRing {
        &self.0.ring
    }

    /// The ledger, if there is a storage.
    #[must_use]
    pub fn ledger(&self) -> Option<&DatabaseLedger> {
        self.0.ledger.as_ref()
    }

    /// The accounts of all budgets.
    #[must_use]
    pub fn accounts(&self) -> &Accounts {
        &self.0.accounts
    }

    /// The recent calls.
    #[must_use]
    pub fn calls(&self) -> &Calls {
        &self.0.calls
    }

    /// What the page shows.
    #[must_use]
    pub fn view(&self) -> View {
        View {
            calls: self.0.calls.clone(),
            ledger: self.0.ledger.clone(),
            settings: self.0.handle.clone(),
            accounts: self.0.accounts.clone(),
        }
    }

    /// How far the end has come.
    #[must_use]
    pub fn stages(&self) -> &Stages {
        &self.0.stages
    }

    /// The metrics, as Prometheus reads them. How the budgets and the ledger stand is recorded now: it changes while nothing is called.
    pub async fn metrics(&self) -> Option<String> {
        let handle = self.0.metrics.as_ref()?;
        // Amounts that cannot be read are not shown: the last ones would be taken for present ones.
        let accounts = self.0.accounts.read(&self.0.handle.budgets()).await.unwrap_or_default();
        if let Some(ledger) = &self.0.ledger {
            observe::record_ledger(ledger.waiting(), ledger.lost());
        }
        handle.run_upkeep();
        Some(handle.render() + &metrics::of_budgets(&accounts))
    }

    /// Whether it takes calls now.
    #[must_use]
    pub fn readiness(&self) -> Readiness {
        if self.0.stages.now() != Stage::Serving {
            return Readiness::Unready("it is shutting down");
        }
        let lasts = self
            .0
            .keys_outage
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .lasts();
        if !self.0.store.as_ref().is_some_and(redis::Store::is_down) {
            return match lasts {
                Some(lasts) if lasts >= KEYS_MAY_FAIL => Readiness::Degraded(
                    "the client keys are not those of the database: new ones are not known, and revoked ones stay in force",
                ),
                _ => Readiness::Ready,
            };
        }
        // Limits let calls pass uncounted then, and so do budgets that only warn; the others refuse them.
        let budgets = self.0.handle.budgets();
        let passes = |tags: &Tags| budgets.lines(tags, "", "").iter().all(|line| line.budget.is_soft());
        let some_pass = if self.0.ring.is_required() {
            self.0.ring.any_in_force(|key| passes(key.tags()))
        } else {
            passes(&Tags::default())
        };
        if some_pass {
            Readiness::Degraded(
                "the shared store does not answer: limits are not counted, and calls with a budget that refuses are refused",
            )
        } else {
            Readiness::Unready("the shared store does not answer, and all calls have a budget that refuses")
        }
    }

    /// The longest that is waited at the end until what is waiting is written.
    #[must_use]
    pub fn close_timeout(&self) -> Duration {
        self.0.close_timeout
    }

    /// Writes what is waiting to the ledger and to the shared store at the same time, and ends: after the last call. All of it takes no longer than
    /// the storage's `close_timeout`.
    pub async fn close(&self) {
        let limit = self.0.close_timeout;
        let ledger = async {
            let Some(ledger) = &self.0.ledger else { return };
            match timeout(limit, ledger.close()).await {
                Ok(closed) => {
                    tracing::info!(target: "gateway", written = closed.written, lost = closed.lost, "ledger closed");
                }
                Err(_) => {
                    tracing::error!(target: "gateway", waiting = ledger.waiting(), "the ledger was not written in {limit:?}");
                }
            }
        };
        let recording = async {
            let Some(recorder) = &self.0.recorder else { return };
            let is_whole = recorder.close(limit.min(RECORDING_CLOSE)).await;
            let (written, lost) = (recorder.written(), recorder.lost());
            tracing::info!(target: "gateway", written, lost, is_whole, "recording closed");
        };
        tokio::join!(ledger, self.0.accounts.flush(limit), recording);
    }
}

impl std::fmt::Debug for Gateway {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Gateway")
            .field("ring", &self.0.ring)
            .field("ledger", &self.0.ledger)
            .finish_non_exhaustive()
    }
}
