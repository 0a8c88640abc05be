//! Settings from a file: TOML or JSON, read, checked, and replaced at run time.
//!
//! [`Settings`] is one tree with the names of [`StackBuilder`](crate::stack::StackBuilder)'s setters. `examples/stack.toml` in the repository names
//! every key with its default, and `docs/settings.md` explains each.
//!
//! ```no_run
//! use tower_openrouter::{Stack, settings::Settings};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let stack = Stack::from_settings(&Settings::from_file("stack.toml")?)?;
//! # Ok(())
//! # }
//! ```
//!
//! Everything that is wrong is reported at once, with file, line and column:
//!
//! ```text
//! stack.toml:2:1: unknown key `first_token_timout`; did you mean `first_token_timeout`?
//! stack.toml:5:7: `upstream[0].key`: the environment variable `OPENROUTER_API_KEY`: it is not set
//! ```
//!
//! A secret never stands in the file: `env:NAME` and `file:PATH` name its place.
//!
//! # In a larger file
//!
//! An application whose file holds settings of its own beside these reads both with [`Settings::from_file_with`], with the same checks.
//!
//! # At run time
//!
//! A [`SettingsHandle`] replaces the settings while calls are in progress: see there what is carried over. What no file can hold (a ledger, a layer
//! of your own, a key provider, a shared store) is added in code, with [`StackBuilder::from_settings`](crate::stack::StackBuilder::from_settings) or
//! [`SettingsHandleBuilder::extend`].

mod account;
mod apply;
mod blame;
mod build;
mod cache;
mod candidate;
mod carried;
mod check;
mod circuit;
mod conformance;
mod connections;
mod document;
mod finish;
mod from_json;
mod from_toml;
mod handle;
mod hints;
mod idempotency;
mod limits;
mod money;
mod nearest;
mod prices;
mod problem;
mod provider_health;
mod read;
mod resilience;
mod schema;
mod secret;
mod source;
mod switch;
mod text;
mod time;
mod tree;
mod upstream;
mod with;

pub use self::{
    cache::CacheSettings,
    candidate::{CandidateSettings, CandidateTimeouts},
    circuit::{CircuitBreakerSettings, SlowSettings},
    conformance::ConformanceSettings,
    connections::{ConnectionsSettings, ProxySettings},
    finish::{FailureName, FinishReasonSettings},
    handle::{SettingsHandle, SettingsHandleBuilder},
    idempotency::{IdempotencySettings, InFlightSettings},
    limits::{AdaptiveConcurrencySettings, RateSettings, TenantLimitsSettings, TenantSettings, UpstreamLimitsSettings},
    money::{BudgetSettings, MaxPerHourSettings, Usd, WindowSettings},
    prices::{AssumedPrice, PriceSettings, UnknownPriceSettings},
    problem::{SettingsError, SettingsProblem, WrongSetting},
    provider_health::ProviderHealthSettings,
    resilience::{
        BackoffSettings, HedgeDelay, HedgeSettings, MinThroughputSettings, ResumeSettings, RetryBudgetSettings,
    },
    secret::Secret,
    switch::OrOff,
    text::InvalidValue,
    time::Time,
    tree::{ObserveSettings, RequestedModelSettings, Settings, StreamUpstreamSettings},
    upstream::{ApiSettings, AttributionSettings, KeySettings, UpstreamSettings},
};
pub use crate::stack::reloadable::ReloadableStack;
