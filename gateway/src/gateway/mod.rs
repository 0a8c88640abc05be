//! A gateway, put together: the stack with its ledger and its store, the client keys, and what reloads them.

mod account;
mod backoff;
mod catalogue;
mod client_keys;
mod error;
mod idempotency;
mod metrics;
mod open;
mod outage;
mod places;
mod readiness;
mod refill;
mod reload;
mod sums;
mod upkeep;
mod watch;

use std::{
    sync::{Arc, Mutex as StdMutex},
    time::Duration,
};

use metrics_exporter_prometheus::PrometheusHandle;
use tokio::{sync::Mutex, task::JoinSet, time::timeout};
use tower_openrouter::{
    account::Bills,
    layers::observe,
    ledger::DatabaseLedger,
    recording::Recorder,
    redis,
    settings::{ReloadableStack, SettingsHandle},
};

use backoff::Backoff;
use client_keys::ClientKeys;
pub use error::OpenError;
use idempotency::SharedIdempotency;
pub(crate) use open::{check, key_database, ledger_to_read};
use outage::Outage;
pub(crate) use places::admin_token;
pub use readiness::Readiness;
use readiness::{Kept, Refused};
pub use upkeep::forget_entries;
pub use watch::{RELOAD_EVERY, tidy_metrics, watch_file, watch_idempotency, watch_keys};

use crate::{
    accounts::Accounts,
    calls::Calls,
    keys::{KeyDatabase, KeyRing},
    page::{ConditionSource, View},
    server::Stages,
    settings::{Config, GatewaySettings},
};

/// How long the last calls are written to the recording at the end.
const RECORDING_CLOSE: Duration = Duration::from_secs(2);

/// A gateway: everything but its sockets. Cheap to clone; clones are the same.
#[derive(Clone)]
pub struct Gateway(Arc<Inner>);

struct Inner {
    handle: SettingsHandle,
    client_keys: ClientKeys,
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
    keys_unread: StdMutex<Outage>,
    /// Whether the settings with the budgets of its keys are refused.
    keys_refused: StdMutex<Outage>,
    /// Whether the settings file was refused.
    refused: Refused,
    passes_without_store: Kept,
    /// What runs in the background, and ends with it.
    _tasks: JoinSet<()>,
}

/// What is reloaded.
struct InForce {
    config: Config,
    /// The gateway's own settings at the start: some of them stay as they were then.
    started: GatewaySettings,
    /// The version of the client keys that are in force, or are to be.
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
        self.0.client_keys.ring()
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
        let gateway = self.clone();
        View {
            calls: self.0.calls.clone(),
            ledger: self.0.ledger.clone(),
            settings: self.0.handle.clone(),
            accounts: self.0.accounts.clone(),
            condition: ConditionSource::new(move || gateway.condition()),
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
        let settings = metrics::of_settings(self.reload_error().is_some());
        Some(handle.render() + &metrics::of_budgets(&accounts) + &settings)
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
            .field("ring", self.ring())
            .field("ledger", &self.0.ledger)
            .finish_non_exhaustive()
    }
}
