//! The settings of a gateway: the stack's, and the gateway's own beside them in one file.
//!
//! Everything that is wrong is reported at once, with file, line and column. `gateway.toml` in this crate's folder names every key.

mod address;
mod admin;
mod file;
mod key;
mod origin;
mod tree;

pub use address::{Address, Place};
pub use admin::AdminSide;
pub use file::{Config, ConfigError};
pub use key::{KeyBudget, KeyEntry, KeyRules, utc_time};
pub(crate) use origin::origin;
pub use tree::{
    AdminSettings, GatewaySettings, LogFormat, LogSettings, ServerSettings, SharedSettings, StorageSettings,
    TelemetrySettings,
};
