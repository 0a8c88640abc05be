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
    layers::{
        UtcTime,
        budget::{Budgets, InMemoryBudgetStore},
        ledger::{Ledger, Tee},
        rate_limit::LimitStore,
        reconcile::Reconciler,
    },
    ledger::{DatabaseLedger, LedgerError, LedgerReader},
    recording::{DEFAULT_MAX_BYTES, Recorder},
    settings::{OrOff, SettingsHandle},
};

use super::{
    Gateway, InForce, Inner, OpenError,
    account::{accounts_of, has_budgets},
    catalogue::Refreshed,
    client_keys::{ClientKeys, Keys},
    idempotency::SharedIdempotency,
    metrics::recorder,
    places::{self, Places, problem},
    readiness::{Kept, Refused},
    refill::refill_all,
    upkeep::claim_bills,
};
use crate::{
    accounts::{Accounts, SharedAccounts},
    calls::Calls,
    keys::{KeyDatabase, KeyLimitsLayer, KeyRing, StoredKeys},
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
        Self::open_in(config, Stages::default()).await
    }

    /// The same with stages that connections follow already.
    pub(crate) async fn open_in(config: Config, stages: Stages) -> Result<Self, OpenError> {
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
            Some(keys) => (keys.version().await?, keys.read().await?),
            None => (0, StoredKeys::default()),
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
        let on_ring = Keys::of(&config, &stored.keys);
        if !config.listen.is_loopback() && !on_ring.any_in_force() {
            return Err(OpenError::NoKeys(config.listen));
        }
        let settings = on_ring.with_budgets(&config);
        let accounts = match &store {
            Some(store) => Accounts::Redis(SharedAccounts::new(store.budgets())),
            None => Accounts::InMemory(InMemoryBudgetStore::new()),
        };
        let budgets = Budgets::in_store(settings.budgets()?, accounts.store())?;
        let upstreams = accounts_of(&config.stack).await?;
        let catalogue = Refreshed::default();
        catalogue.use_by(&config, !upstreams.is_empty());
        if has_budgets(&settings) {
            catalogue.first_prices(&config, upstreams.first()).await;
        }
        catalogue.follow(&config, upstreams.first());
        if let Some(prices) = catalogue.prices() {
            // What was spent before is counted under the names that the calls to come are.
            budgets.use_model_names_of(prices);
        }
        if let Some(ledger) = &ledger {
            refill_all(ledger, &budgets, &accounts, catalogue.prices()).await?;
        }
        let bills = (ledger.is_some() && !upstreams.is_empty()).then(|| {
            let own = upstreams.into_iter();
            own.fold(Bills::default(), |bills, own| bills.upstream(&own.name, own.account))
        });
        let calls = Calls::new();
        let reconciler = bills.clone().zip(ledger.clone()).map(|(bills, ledger)| {
            let corrected: [Arc<dyn Ledger>; 2] = [Arc::new(ledger), Arc::new(calls.clone())];
            Reconciler::builder(Arc::new(bills))
                .ledger(Arc::new(Tee::new(corrected)))
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
        let client_keys = ClientKeys::new(ring, version, stored, on_ring);
        let close_timeout = match &config.own.storage {
            OrOff::On(storage) => storage.close_timeout.0,
            OrOff::Off => StorageSettings::default().close_timeout.0,
        };
        Ok(Self(Arc::new(Inner {
            handle,
            client_keys,
            ledger,
            keys,
            accounts,
            calls,
            recorder: recording,
            store,
            idempotency,
            stages,
            close_timeout,
            metrics: recorder(),
            catalogue,
            bills,
            in_force: Mutex::new(InForce {
                started: config.own.clone(),
                config,
                version,
                pending: None,
            }),
            keys_unread: std::sync::Mutex::default(),
            keys_refused: std::sync::Mutex::default(),
            refused: Refused::default(),
            passes_without_store: Kept::default(),
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
    let settings = Keys::of(config, &[]).with_budgets(config);
    let has_account = !settings.accounts()?.is_empty();
    let catalogue = Refreshed::default();
    catalogue.use_by(config, has_account);
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
