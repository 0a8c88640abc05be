//! The accounts of all budgets: in this process, or in the shared store.

use std::{collections::HashSet, sync::Arc, time::Duration};

use serde::Serialize;
use tokio::{
    sync::Mutex,
    time::{Instant, timeout},
};
use tower_openrouter::{
    Tags,
    layers::budget::{AccountState, Budget, BudgetStore, Budgets, InMemoryBudgetStore},
    redis::{RedisBudgets, RedisError},
};

/// How long the shared store may take to say how accounts stand.
const PATIENCE: Duration = Duration::from_secs(2);

/// How old a reading of the accounts in the shared store may be that is shown.
const FRESH: Duration = Duration::from_secs(5);

/// The accounts of all budgets.
#[derive(Debug, Clone)]
pub enum Accounts {
    /// In this process: the store that the budgets were made in.
    InMemory(InMemoryBudgetStore),
    /// In Redis or Valkey.
    Redis(SharedAccounts),
}

/// The accounts in the shared store. Cheap to clone; clones share one reading of all accounts, which is repeated after five seconds at the earliest.
#[derive(Debug, Clone)]
pub struct SharedAccounts {
    store: RedisBudgets,
    last: Arc<Mutex<Option<Reading>>>,
}

/// How all accounts stood, or why that was not known.
#[derive(Debug)]
struct Reading {
    at: Instant,
    budgets: Budgets,
    states: Result<Arc<[AccountState]>, String>,
}

/// How a budget stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct BudgetState {
    /// Its name.
    pub name: String,
    /// The most that may be spent, in US dollars.
    pub usd: String,
    /// The window.
    pub per: &'static str,
    /// What is spent, in US dollars like all that follows.
    pub spent: String,
    /// What is reserved for attempts in flight.
    pub reserved: String,
    /// What is neither.
    pub free: String,
    /// When it is full again.
    pub resets: Option<String>,
}

impl Accounts {
    pub(crate) fn store(&self) -> Arc<dyn BudgetStore> {
        match self {
            Self::InMemory(store) => Arc::new(store.clone()),
            Self::Redis(shared) => Arc::new(shared.store.clone()),
        }
    }

    /// How all of them stand, the fullest first, or why that is not known. Of the shared store, as they stood within the last five seconds.
    pub(crate) async fn read(&self, budgets: &Budgets) -> Result<Arc<[AccountState]>, String> {
        match self {
            Self::InMemory(store) => {
                // The store may hold accounts of budgets that a reload has removed.
                let names: HashSet<_> = budgets.iter().map(Budget::name).collect();
                let known = |state: &AccountState| names.contains(state.budget.name());
                Ok(store.accounts().into_iter().filter(known).collect())
            }
            Self::Redis(shared) => shared.read(budgets).await,
        }
    }

    /// How the budgets whose names begin so stand for these tags.
    ///
    /// # Errors
    ///
    /// If the shared store does not answer.
    pub async fn states(&self, budgets: &Budgets, prefix: &str, tags: &Tags) -> Result<Vec<BudgetState>, RedisError> {
        let now = tower_openrouter::layers::UtcTime::now();
        let mut states = Vec::new();
        for line in budgets.lines(tags, "", "") {
            if !line.budget.name().starts_with(prefix) {
                continue;
            }
            let state = match self {
                Self::InMemory(store) => store.account(&line),
                Self::Redis(shared) => shared.store.account(&line).await?,
            };
            states.push(BudgetState::of(&state.unwrap_or_else(|| AccountState::new(&line, now))));
        }
        Ok(states)
    }

    /// Waits until what was spent is in the shared store, up to this time.
    pub(crate) async fn flush(&self, limit: Duration) {
        if let Self::Redis(shared) = self
            && timeout(limit, shared.store.flush()).await.is_err()
        {
            tracing::error!(target: "gateway", lost = shared.store.lost(), "the shared store did not take what was spent in {limit:?}");
        }
    }
}

impl SharedAccounts {
    /// Those of this store.
    #[must_use]
    pub fn new(store: RedisBudgets) -> Self {
        let last = Arc::default();
        Self { store, last }
    }

    /// The store.
    pub(crate) const fn store(&self) -> &RedisBudgets {
        &self.store
    }

    async fn read(&self, budgets: &Budgets) -> Result<Arc<[AccountState]>, String> {
        let (this, budgets) = (self.clone(), budgets.clone());
        // Continues if it takes too long for this caller: the next one finds what it has read.
        let reading = tokio::spawn(async move { this.read_at_most_once(budgets).await });
        match timeout(PATIENCE, reading).await {
            Ok(Ok(states)) => states,
            Ok(Err(_)) | Err(_) => Err("it does not respond".to_owned()),
        }
    }

    /// Reads the accounts unless they were read just now. Callers that come meanwhile wait for the same reading, also for one that fails.
    async fn read_at_most_once(&self, budgets: Budgets) -> Result<Arc<[AccountState]>, String> {
        let mut last = self.last.lock().await;
        let is_of = |reading: &&Reading| reading.at.elapsed() < FRESH && reading.budgets.iter().eq(budgets.iter());
        if let Some(reading) = last.as_ref().filter(is_of) {
            return reading.states.clone();
        }
        let states = self.store.accounts(&budgets).await;
        let states: Result<Arc<[_]>, _> = states.map(Into::into).map_err(|error| error.to_string());
        let at = Instant::now();
        *last = Some(Reading {
            at,
            budgets,
            states: states.clone(),
        });
        states
    }
}

impl BudgetState {
    fn of(state: &AccountState) -> Self {
        Self {
            name: state.budget.name().to_owned(),
            usd: state.budget.cap().decimal(),
            per: state.budget.window().as_str(),
            spent: state.spent().decimal(),
            reserved: state.reserved.decimal(),
            free: state.free().decimal(),
            resets: state.resets.map(|at| at.to_string()),
        }
    }
}
