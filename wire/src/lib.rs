#![doc = include_str!("../README.md")]
#![cfg_attr(docsrs, feature(doc_cfg))]

mod answer;
mod api;
mod decimal;
mod letters;
mod modality;
mod read;
mod view;

pub mod account;
pub mod assemble;
pub mod catalogue;
pub mod chat;
pub mod document;
pub mod embeddings;
pub mod error;
pub mod events;
pub mod finish;
pub mod json;
pub mod loose;
pub mod messages;
pub mod request;
pub mod responses;
pub mod sse;
pub mod usage;

pub use answer::ApiAnswer;
pub use api::Api;
pub use decimal::{Decimal, DecimalError};
pub use modality::{Modalities, UnknownModality};
pub use view::Extra;
