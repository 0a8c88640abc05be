#![doc = include_str!("../README.md")]
#![cfg_attr(docsrs, feature(doc_cfg))]

mod budgets;
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
mod seen;
mod server;
mod store;
mod word;

pub use budgets::RedisBudgets;
pub use error::StoreError;
#[cfg(feature = "cache")]
#[cfg_attr(docsrs, doc(cfg(feature = "cache")))]
pub use idempotency::RedisIdempotency;
pub use limits::RedisLimits;
pub use policy::OnStoreFailure;
pub use store::{DECISION_TIMEOUT, LEASE, Store, StoreBuilder};
