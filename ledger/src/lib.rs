#![cfg_attr(feature = "sqlite", doc = include_str!("../README.md"))]
#![cfg_attr(not(feature = "sqlite"), doc = "Durable ledgers for `tower-llm-layers`.")]
#![cfg_attr(docsrs, feature(doc_cfg))]

mod error;
mod export;
mod filter;
mod ledger;
mod open;
mod place;
mod query;
mod queue;
mod restart;
mod rows;
mod schema;
mod writer;

pub use error::LedgerError;
pub use export::{write_csv, write_json_lines};
pub use filter::Filter;
pub use ledger::{Closed, DatabaseLedger, LostBefore};
pub use open::{BATCH, FLUSH_EVERY, LedgerOptions, MAX_WAITING};
pub use query::PAGE;
pub use restart::Restored;
