//! How the accounts of budgets are read: each store has its own way.

use tower_openrouter::{
    layers::budget::{AccountState, Budgets, InMemoryBudgetStore},
    redis::RedisBudgets,
};

/// Where the accounts of the budgets are.
#[derive(Debug, Clone, Default)]
#[non_exhaustive]
pub enum Accounts {
    /// Unknown: the budgets are shown without what was spent.
    #[default]
    Unknown,
    /// In this process: the store that the budgets were made in.
    InMemory(InMemoryBudgetStore),
    /// In Redis or Valkey.
    Redis(RedisBudgets),
}

impl Accounts {
    /// How they stand, the fullest first, or why that is not known.
    pub(super) async fn read(&self, budgets: &Budgets) -> Result<Vec<AccountState>, String> {
        match self {
            Self::Unknown => Ok(Vec::new()),
            Self::InMemory(store) => {
                // The store may hold accounts of budgets that a reload has removed.
                let known = |state: &AccountState| budgets.iter().any(|budget| budget.name() == state.budget.name());
                Ok(store.accounts().into_iter().filter(known).collect())
            }
            Self::Redis(store) => store.accounts(budgets).await.map_err(|error| error.to_string()),
        }
    }
}
