#![doc = include_str!("../README.md")]
#![cfg_attr(docsrs, feature(doc_cfg))]

mod budgets;
mod delivery;
mod error;
mod limits;
mod money;
mod script;
mod store;

pub use budgets::{AccountState, RedisBudgets};
pub use error::StoreError;
pub use limits::RedisLimits;
pub use store::{DECISION_TIMEOUT, LEASE, Store, StoreBuilder, WhenDown};
