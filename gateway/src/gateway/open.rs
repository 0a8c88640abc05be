//! Opens a gateway: storage, store, keys, prices, then the stack.

use std::sync::Arc;

use tokio::{
    runtime::Handle,
    sync::Mutex,
    task::{JoinSet, spawn_blocking},
};
use tower_openrouter::{
    Stack,
    account::Bills,
    layers::{UtcTime, budget::Budgets, budget::InMemoryBudgetStore, rate_limit::LimitStore, reconcile::Reconciler},
    ledger::{DatabaseLedger, LedgerError, LedgerReader},
    recording::{DEFAULT_MAX_BYTES, Recorder},
    settings::{OrOff, SettingsHandle},
};

use super::{
    Gateway, InForce, Inner, OpenError,
    account::{account_of, has_budgets},
    catalogue::Refreshed,
    idempotency::SharedIdempotency,
    metrics::recorder,
    places::{self, Places, problem},
    refill::refill_all,
    reload,
    upkeep::claim_bills,
};
use crate::{
    accounts::{Accounts, SharedAccounts},
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
        let places = {
            let config = config.clone();
            spawn_blocking(move || Places::load(&config)).await
        };
        let places = places.unwrap_or_else(|panicked| std::panic::resume_unwind(panicked.into_panic()))?;
        let (ledger, keys) = match places.storage {
            Some((ledger, keys)) => {
                let ledger = ledger.open().await?;
                keys.prepare().await?;
                (Some(ledger), Some(keys))
            }
            None => (None, None),
        };
        let (version, stored) = match &keys {
            Some(keys) => (keys.version().await?, keys.all().await?),
            None => (0, Vec::new()),
        };
        let store = match places.shared {
            Some(store) => Some(store.connect().await?),
            None => None,
        };
        let idempotency = match &store {
            Some(store) => Some(SharedIdempotency::open(store, &config.stack).await?),
            None => None,
        };
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
            Some(store) => Accounts::Redis(SharedAccounts::new(store.budgets())),
            None => Accounts::InMemory(InMemoryBudgetStore::new()),
        };
        let budgets = Budgets::in_store(settings.budgets()?, accounts.store())?;
        let account = account_of(&config.stack).await?;
        let catalogue = Refreshed::default();
        catalogue.use_by(&config, account.is_some());
        if has_budgets(&settings) {
            catalogue.first_prices(&config, account.as_ref()).await;
        }
        catalogue.follow(&config, account.as_ref());
        if let Some(prices) = catalogue.prices() {
            // What was spent before is counted under the names that the calls to come are.
            budgets.use_model_names_of(prices);
        }
        if let Some(ledger) = &ledger {
            refill_all(ledger, &budgets, &accounts, catalogue.prices()).await?;
        }
        let bills = account.filter(|_| ledger.is_some());
        let bills = bills.map(|(name, account)| Bills::default().upstream(&name, account));
        let reconciler = bills.clone().zip(ledger.clone()).map(|(bills, ledger)| {
            Reconciler::builder(Arc::new(bills))
                .ledger(Arc::new(ledger))
                // Those that come later are put in force over the same accounts.
                .budgets(budgets.clone())
                .spawn_on(Handle::current())
                .map_err(|error| problem(&config, "storage", error.to_string()))
        });
        let reconciler = reconciler.transpose()?;
        let mut tasks = JoinSet::new();
        if let (Some(reconciler), Some(ledger)) = (&reconciler, &ledger) {
            // Of several gateways over one database each would ask for the bills of all: there they are claimed, those of earlier runs, too.
            let mut since = None;
            if config.sqlite().is_some() {
                since = Some(UtcTime::now());
                ledger.resume_bills(reconciler).await?;
            }
            tasks.spawn(claim_bills(ledger.clone(), reconciler.clone(), since));
        }
        let calls = Calls::new();
        let recording = recorder_of(&config).await?;
        let builder = SettingsHandle::builder(settings).budgets(budgets);
        let added = Added {
            ledger: ledger.clone(),
            reconciler,
            limits,
            idempotency: idempotency.clone(),
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
        let close_timeout = match &config.own.storage {
            OrOff::On(storage) => storage.close_timeout.0,
            OrOff::Off => StorageSettings::default().close_timeout.0,
        };
        Ok(Self(Arc::new(Inner {
            handle,
            ring,
            ledger,
            keys,
            accounts,
            calls,
            recorder: recording,
            store,
            idempotency,
            stages: Stages::default(),
            close_timeout,
            metrics: recorder(),
            catalogue,
            bills,
            in_force: Mutex::new(InForce {
                config,
                stored,
                version,
                pending: None,
            }),
            keys_outage: std::sync::Mutex::default(),
            _tasks: tasks,
        })))
    }
}

/// What is added to each stack that no file holds.
struct Added {
    ledger: Option<DatabaseLedger>,
    reconciler: Option<Reconciler>,
    limits: Option<Arc<dyn LimitStore>>,
    idempotency: Option<SharedIdempotency>,
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
        if let Some(keys) = &self.idempotency {
            // In the place of those that the settings keep in this process: two gateways would make one call twice.
            stack = keys.apply(stack);
        }
        stack
    }
}

/// Everything that is wrong with settings that a gateway would open with, without opening anything. Gives the stack that they make.
///
/// # Errors
///
/// Those of [`Gateway::open`] that do not depend on another server.
pub(crate) fn check(config: &Config) -> Result<Stack, OpenError> {
    drop(Places::load(config)?);
    let settings = reload::with_key_budgets(config, &reload::keys_of(config, &[]));
    let account = settings.account()?;
    let catalogue = Refreshed::default();
    catalogue.use_by(config, account.is_some());
    let added = Added {
        ledger: None,
        reconciler: None,
        limits: None,
        idempotency: None,
        catalogue,
        calls: Calls::new(),
        recorder: None,
    };
    let builder = SettingsHandle::builder(settings).extend(move |stack| added.apply(stack));
    Ok(builder.build()?.service().stack())
}

/// The database of client keys, for the command line.
///
/// # Errors
///
/// If there is no storage.
pub(crate) fn key_database(config: &Config) -> Result<KeyDatabase, OpenError> {
    let message = "there is no database for client keys: leave `storage` on, or give keys as `[[key]]` with `keys new --print-hash`";
    let storage = places::storage(config)?.ok_or_else(|| problem(config, "storage", message.to_owned()))?;
    Ok(storage.1)
}

/// The ledger, to be read by the command line while a gateway writes it; `None` if the database has none yet, since it was made for client keys and no
/// gateway has run over it.
///
/// # Errors
///
/// If there is no database.
pub(crate) async fn ledger_to_read(config: &Config) -> Result<Option<LedgerReader>, OpenError> {
    let message = "it is off: there is no ledger";
    let (ledger, keys) = places::storage(config)?.ok_or_else(|| problem(config, "storage", message.to_owned()))?;
    let opened = ledger.open_to_read().await;
    let is_missing = matches!(&opened, Err(LedgerError::Query(cause)) if has_no_table(cause));
    if is_missing && keys.existing().prepare().await.is_ok() {
        return Ok(None);
    }
    Ok(opened.map(Some)?)
}

/// Whether a table is not there: SQLite has no code of its own for it.
fn has_no_table(cause: &sqlx::Error) -> bool {
    let Some(cause) = cause.as_database_error() else {
        return false;
    };
    cause.code().is_some_and(|code| code == "42P01") || cause.message().starts_with("no such table: ")
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
