//! Client keys: who may call the gateway, what for, and how much.
//!
//! A key is shown once, when it is made. Kept is its SHA-256, in the storage's database or in the settings file; a presented key is hashed, and the
//! hashes are compared in constant time. Each call is accounted under the tag [`TAG`] with the name of its key, and the budgets of a key are
//! [`Budgets`](tower_openrouter::layers::budget::Budgets) of the library over that tag.

mod auth;
mod choosers;
mod connection;
mod database;
mod guard;
mod limits;
mod models;
mod refusal_log;
mod refuse;
mod ring;
mod stored;

pub use crate::secret::{KeyHash, NotAHash, TAG, new_key};
pub(crate) use auth::is_cross_site;
pub use auth::{Auth, AuthFuture, AuthLayer};
pub(crate) use database::problem_of;
pub use database::{KeyDatabase, KeyDatabaseError};
pub use guard::Guarded;
pub use limits::{KeyLimits, KeyLimitsLayer};
pub use models::ModelPattern;
pub(crate) use refusal_log::{RefusalLog, refusals};
pub use ring::{ClientKey, KeyName, KeyOnRing, KeyRing, Presented};
pub use stored::StoredKey;
pub(crate) use stored::StoredKeys;
