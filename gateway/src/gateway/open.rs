//! Opens a gateway: storage, store, keys, prices, then the stack.

use std::sync::Arc;

use secrecy::ExposeSecret;
use tokio::{runtime::Handle, sync::Mutex, task::spawn_blocking};
use tower_openrouter::{
    account::Bills,
    layers::{budget::Budgets, budget::InMemoryBudgetStore, rate_limit::LimitStore, reconcile::Reconciler},
    ledger::{DatabaseLedger, LedgerOptions, LedgerReader},
    recording::{DEFAULT_MAX_BYTES, Recorder},
    redis::Store,
    settings::{OrOff, SettingsHandle},
};

use super::{Gateway, InForce, Inner, OpenError, catalogue::Refreshed, metrics::recorder, reload};
use crate::{
    accounts::Accounts,
    calls::Calls,
    keys::{KeyDatabase, KeyLimitsLayer, KeyRing},
    server::Stages,
    settings::{Config, StorageSettings},
};

impl Gateway {
    /// Opens one, within a tokio runtime.
    ///
    /// # Errors
    ///
    /// [`OpenError`] says what is wrong, and what to do.
    ///
    /// # Cancellation
    ///
    /// What was opened is closed.
    pub async fn open(config: Config) -> Result<Self, OpenError> {
        let (ledger, keys) = match &config.own.storage {
            OrOff::On(storage) => {
                let (ledger, keys) = storages(&config, storage)?;
                let ledger = ledger.open().await?;
                keys.prepare().await?;
                (Some(ledger), Some(keys))
            }
            OrOff::Off => (None, None),
        };
        let (version, stored) = match &keys {
            Some(keys) => (keys.version().await?, keys.all().await?),
            None => (0, Vec::new()),
        };
        let store = shared(&config).await?;
        let limits = store
            .as_ref()
            .map(|store| Arc::new(store.limits()) as Arc<dyn LimitStore>);
        let ring = KeyRing::new(!config.listen.is_loopback(), limits.clone());
        let on_ring = reload::keys_of(&config, &stored);
        if !config.listen.is_loopback() && !on_ring.iter().any(|key| !key.is_revoked) {
            return Err(OpenError::NoKeys(config.listen));
        }
        let settings = reload::with_key_budgets(&config, &on_ring);
        let accounts = match &store {
            Some(store) => Accounts::Redis(store.budgets()),
            None => Accounts::InMemory(InMemoryBudgetStore::new()),
        };
        let budgets = Budgets::in_store(settings.budgets()?, accounts.store())?;
        let account = {
            let stack = config.stack.clone();
            spawn_blocking(move || stack.account()).await.unwrap_or(Ok(None))?
        };
        let has_budgets = !settings.budget.is_empty();
        let catalogue = Refreshed::begin(&config, account.as_ref(), has_budgets).await;
        if let Some(prices) = catalogue.prices() {
            // What was spent before is counted under the names that the calls to come are.
            budgets.name_models_by(prices);
        }
        if let (Accounts::InMemory(_), Some(ledger)) = (&accounts, &ledger) {
            ledger.restore(&budgets).await?;
            // Without a budget there was nothing to restore, and one that a key brings later begins empty.
            budgets.refill([]);
        }
        let reconciler = account.zip(ledger.clone()).map(|((name, account), ledger)| {
            Reconciler::builder(Arc::new(Bills::default().upstream(&name, account)))
                .ledger(Arc::new(ledger))
                .budgets(budgets.clone())
                .spawn_on(Handle::current())
        });
        // Of several gateways over one database each would ask for the bills of all.
        if let (Some(reconciler), Some(ledger), Some(_)) = (&reconciler, &ledger, config.sqlite()) {
            ledger.resume_bills(reconciler).await?;
        }
        let calls = Calls::new();
        let recording = recorder_of(&config).await?;
        let builder = SettingsHandle::builder(settings).budgets(budgets);
        let added = Added {
            ledger: ledger.clone(),
            reconciler,
            limits,
            catalogue: catalogue.clone(),
            calls: calls.clone(),
            recorder: recording.clone(),
        };
        let builder = builder.extend(move |stack| added.apply(stack));
        let handle = spawn_blocking(move || builder.build()).await;
        let handle = match handle {
            Ok(built) => built?,
            Err(panicked) => std::panic::resume_unwind(panicked.into_panic()),
        };
        ring.replace(on_ring);
        Ok(Self(Arc::new(Inner {
            handle,
            ring,
            ledger,
            keys,
            accounts,
            calls,
            recorder: recording,
            store,
            stages: Stages::default(),
            metrics: recorder(),
            catalogue,
            in_force: Mutex::new(InForce {
                config,
                stored,
                version,
            }),
        })))
    }
}

/// What is added to each stack that no file holds.
struct Added {
    ledger: Option<DatabaseLedger>,
    reconciler: Option<Reconciler>,
    limits: Option<Arc<dyn LimitStore>>,
    catalogue: Refreshed,
    calls: Calls,
    recorder: Option<Recorder>,
}

impl Added {
    fn apply(&self, stack: tower_openrouter::stack::StackBuilder) -> tower_openrouter::stack::StackBuilder {
        let mut stack = self
            .catalogue
            .apply(self.calls.attach(stack).around_call(KeyLimitsLayer));
        // Below the limits of keys: what they refuse was never sent.
        if let Some(recorder) = &self.recorder {
            stack = recorder.attach(stack);
        }
        if let Some(ledger) = &self.ledger {
            stack = stack.ledger(Arc::new(ledger.clone()));
        }
        if let Some(reconciler) = &self.reconciler {
            stack = stack.reconciler(reconciler.clone());
        }
        if let Some(limits) = &self.limits {
            stack = stack
                .tenant_limit_store(Arc::clone(limits))
                .upstream_limit_store(Arc::clone(limits));
        }
        stack
    }
}

/// The ledger and the keys of a storage.
fn storages(config: &Config, storage: &StorageSettings) -> Result<(LedgerOptions, KeyDatabase), OpenError> {
    let (ledger, keys) = match (&storage.postgres, config.sqlite()) {
        (Some(place), _) => {
            let url = place
                .load()
                .map_err(|error| problem(config, "storage.postgres", error))?;
            (LedgerOptions::postgres(url.expose_secret()), KeyDatabase::postgres(url))
        }
        (None, file) => {
            let file = file.unwrap_or_else(|| StorageSettings::DEFAULT_FILE.into());
            (LedgerOptions::sqlite(&file), KeyDatabase::sqlite(&file))
        }
    };
    Ok((ledger.close_timeout(storage.close_timeout.0), keys))
}

/// The database of client keys, for the command line.
///
/// # Errors
///
/// If there is no storage.
pub(crate) fn key_database(config: &Config) -> Result<KeyDatabase, OpenError> {
    let OrOff::On(storage) = &config.own.storage else {
        let message = "there is no database for client keys: leave `storage` on, or give keys as `[[key]]` with `keys new --print-hash`";
        return Err(problem(config, "storage", message.to_owned()));
    };
    storages(config, storage).map(|(_, keys)| keys)
}

/// The ledger, to be read by the command line while a gateway writes it.
///
/// # Errors
///
/// If there is none.
pub(crate) async fn ledger_to_read(config: &Config) -> Result<LedgerReader, OpenError> {
    let OrOff::On(storage) = &config.own.storage else {
        return Err(problem(config, "storage", "it is off: there is no ledger".to_owned()));
    };
    let (ledger, _) = storages(config, storage)?;
    Ok(ledger.open_to_read().await?)
}

async fn shared(config: &Config) -> Result<Option<Store>, OpenError> {
    let Some(settings) = &config.own.shared else {
        return Ok(None);
    };
    let url = settings
        .redis
        .load()
        .map_err(|error| problem(config, "shared.redis", error))?;
    let store = Store::builder(url.expose_secret())
        .prefix(&settings.prefix)
        .lease(settings.lease.0)
        .decision_timeout(settings.decision_timeout.0);
    Ok(Some(store.connect().await?))
}

/// What records the behaviour of the upstreams, if that is wanted.
async fn recorder_of(config: &Config) -> Result<Option<Recorder>, OpenError> {
    let Some(file) = config.own.record.clone() else {
        return Ok(None);
    };
    let most = config.own.record_max_bytes.unwrap_or(DEFAULT_MAX_BYTES);
    let opened = spawn_blocking(move || Recorder::builder(file).max_bytes(most).open()).await;
    match opened {
        Ok(Ok(recorder)) => Ok(Some(recorder)),
        Ok(Err(error)) => Err(problem(config, "record", error.to_string())),
        Err(panicked) => std::panic::resume_unwind(panicked.into_panic()),
    }
}

fn problem(config: &Config, key: &str, message: String) -> OpenError {
    OpenError::Settings(config.stack.problem(key, message).into())
}
