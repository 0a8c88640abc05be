//! A gateway, put together: the stack with its ledger and its store, the client keys, and what reloads them.

mod catalogue;
mod error;
mod metrics;
mod open;
mod reload;

use std::{sync::Arc, time::Duration};

use metrics_exporter_prometheus::PrometheusHandle;
use tokio::{sync::Mutex, time::timeout};
use tower_openrouter::{
    layers::observe,
    ledger::DatabaseLedger,
    redis,
    settings::{ReloadableStack, SettingsHandle},
};

pub use error::OpenError;
pub(crate) use open::{key_database, ledger_to_read};
pub use reload::{RELOAD_EVERY, tidy_metrics, watch_file, watch_keys};

use crate::{
    accounts::Accounts,
    calls::Calls,
    keys::{KeyDatabase, KeyRing, StoredKey},
    page::View,
    server::{Stage, Stages},
    settings::Config,
};

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
    store: Option<redis::Store>,
    stages: Stages,
    close_timeout: Duration,
    metrics: Option<PrometheusHandle>,
    catalogue: catalogue::Refreshed,
    in_force: Mutex<InForce>,
}

/// What is reloaded.
struct InForce {
    config: Config,
    stored: Vec<StoredKey>,
    version: i64,
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
        if let Ok(accounts) = self.0.accounts.read(&self.0.handle.budgets()).await {
            observe::record_budgets(&accounts);
        }
        if let Some(ledger) = &self.0.ledger {
            observe::record_ledger(ledger.waiting(), ledger.lost());
        }
        handle.run_upkeep();
        Some(handle.render())
    }

    /// Why it cannot answer calls now, if it cannot.
    #[must_use]
    pub fn unready(&self) -> Option<&'static str> {
        if self.0.stages.now() != Stage::Serving {
            return Some("it is shutting down");
        }
        let is_down = self.0.store.as_ref().is_some_and(redis::Store::is_down);
        is_down.then_some("the shared store does not answer")
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
        tokio::join!(ledger, self.0.accounts.flush(limit));
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
