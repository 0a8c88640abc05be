#![cfg_attr(feature = "sqlite", doc = include_str!("../README.md"))]
#![cfg_attr(not(feature = "sqlite"), doc = "Durable ledgers for `tower-llm-layers`.")]
#![cfg_attr(docsrs, feature(doc_cfg))]

mod claim;
mod counter;
mod error;
mod export;
mod fault;
mod filter;
mod forget;
mod home;
mod ledger;
mod open;
mod place;
#[cfg(all(test, feature = "postgres"))]
mod prepared_tests;
mod query;
mod queue;
mod read_only;
mod reader;
mod restart;
mod rows;
mod run;
mod schema;
mod statement;
mod sums;
mod text;
mod trouble;
mod writer;
mod written;

pub use error::LedgerError;
pub use export::{write_csv, write_json_lines};
pub use filter::Filter;
pub use forget::Forgotten;
pub use ledger::{Closed, DatabaseLedger};
pub use open::{BATCH, CLOSE_TIMEOUT, FLUSH_EVERY, LedgerOptions, MAX_WAITING};
pub use query::{MOST_AWAITING, PAGE};
pub use read_only::LedgerReader;
pub use restart::Restored;
pub use run::LostBefore;
