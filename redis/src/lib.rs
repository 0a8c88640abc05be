#![doc = include_str!("../README.md")]
#![cfg_attr(docsrs, feature(doc_cfg))]

mod budgets;
mod command;
mod delivery;
mod error;
mod health;
mod hold;
#[cfg(feature = "cache")]
mod idempotency;
mod lease;
mod limits;
mod link;
mod money;
mod place;
mod policy;
mod refusal;
mod renewal;
mod script;
mod server;
mod snapshots;
mod store;

pub use budgets::RedisBudgets;
pub use error::RedisError;
#[cfg(feature = "cache")]
#[cfg_attr(docsrs, doc(cfg(feature = "cache")))]
pub use idempotency::RedisIdempotency;
pub use limits::RedisLimits;
pub use policy::OnStoreFailure;
pub use store::{DEFAULT_DECISION_TIMEOUT, DEFAULT_LEASE, Store, StoreBuilder};
