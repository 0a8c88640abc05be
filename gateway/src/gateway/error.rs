//! Why a gateway does not open.

use tower_openrouter::{layers::budget::BudgetError, ledger::LedgerError, redis::RedisError, settings::SettingsError};

use crate::{keys::KeyDatabaseError, settings::Address};

/// Why a gateway does not open. No message holds a secret.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum OpenError {
    /// Something is wrong with the settings.
    #[error("{0}")]
    Settings(#[from] SettingsError),
    /// A budget cannot be.
    #[error("{0}")]
    Budget(#[from] BudgetError),
    /// The ledger does not open.
    #[error("{0}")]
    Ledger(#[from] LedgerError),
    /// The database of client keys does not answer.
    #[error("{0}")]
    Keys(#[from] KeyDatabaseError),
    /// The shared store does not answer.
    #[error("{0}")]
    Store(#[from] RedisError),
    /// The operating system has no random numbers.
    #[error("no secret for idempotency keys can be drawn: {0}")]
    Random(#[from] getrandom::Error),
    /// Not all keys of the database are in force.
    #[error(
        "not all client keys of the database are in force: the settings with their budgets were refused, and are tried again"
    )]
    KeysPending,
    /// A file that the settings name cannot be read.
    #[error(
        "a file that the settings name cannot be read, or is empty: the old settings stay in force, and the new ones are tried again"
    )]
    Unreadable,
    /// Other machines would reach a gateway that needs no key.
    #[error(
        "other machines reach {0}, and there is no client key: make one with `openrouter-gateway keys new NAME`, give one as `[[key]]`, or listen on \
         127.0.0.1"
    )]
    NoKeys(Address),
}
