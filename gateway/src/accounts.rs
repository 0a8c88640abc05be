//! The accounts of all budgets: in this process, or in the shared store.

use std::{sync::Arc, time::Duration};

use serde::Serialize;
use tokio::time::timeout;
use tower_openrouter::{
    Tags, UsdAmount,
    layers::budget::{AccountState, BudgetStore, Budgets, InMemoryBudgetStore},
    redis::{RedisBudgets, RedisError},
};

/// How long the shared store may take to say how accounts stand.
const PATIENCE: Duration = Duration::from_secs(2);

/// The accounts of all budgets.
#[derive(Debug, Clone)]
pub enum Accounts {
    /// In this process: the store that the budgets were made in.
    InMemory(InMemoryBudgetStore),
    /// In Redis or Valkey.
    Redis(RedisBudgets),
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
            Self::Redis(store) => Arc::new(store.clone()),
        }
    }

    /// How all of them stand, the fullest first, or why that is not known.
    pub(crate) async fn read(&self, budgets: &Budgets) -> Result<Vec<AccountState>, String> {
        match self {
            Self::InMemory(store) => {
                // The store may hold accounts of budgets that a reload has removed.
                let known = |state: &AccountState| budgets.iter().any(|budget| budget.name() == state.budget.name());
                Ok(store.accounts().into_iter().filter(known).collect())
            }
            Self::Redis(store) => match timeout(PATIENCE, store.accounts(budgets)).await {
                Ok(accounts) => accounts.map_err(|error| error.to_string()),
                Err(_) => Err("it does not respond".to_owned()),
            },
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
                Self::Redis(store) => store.account(&line).await?,
            };
            states.push(BudgetState::of(&state.unwrap_or_else(|| AccountState::new(&line, now))));
        }
        Ok(states)
    }

    /// Waits until what was spent is in the shared store, up to this time.
    pub(crate) async fn flush(&self, limit: Duration) {
        if let Self::Redis(store) = self
            && timeout(limit, store.flush()).await.is_err()
        {
            tracing::error!(target: "gateway", lost = store.lost(), "the shared store did not take what was spent in {limit:?}");
        }
    }
}

impl BudgetState {
    fn of(state: &AccountState) -> Self {
        let usd = |amount: UsdAmount| amount.to_string().replace('$', "");
        Self {
            name: state.budget.name().to_owned(),
            usd: usd(state.budget.cap()),
            per: state.budget.window().as_str(),
            spent: usd(state.settled.saturating_add(state.overrun)),
            reserved: usd(state.reserved),
            free: usd(state.free()),
            resets: state.resets.map(|at| at.to_string()),
        }
    }
}
