//! The stack as a process: client keys with exact budgets, four APIs, and a page that shows calls being rescued and what they cost.
//!
//! All policy is the library's; the gateway adds HTTP, client keys, storage and the page. `gateway/README.md` says how it is run.
#![cfg_attr(docsrs, feature(doc_cfg))]

pub mod accounts;
pub mod calls;
pub mod commands;
pub mod gateway;
pub mod keys;
pub mod page;
pub mod replay;
pub mod routes;
mod secret;
pub mod server;
pub mod settings;

pub use gateway::{Gateway, OpenError, Readiness};

/// The version, with the commit that it was built from if that is known.
pub const VERSION: &str = env!("GATEWAY_VERSION");
