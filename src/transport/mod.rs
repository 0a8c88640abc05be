//! One HTTP exchange with an upstream: no retries, no timeouts but the dial's.

mod attribution;
mod broken;
mod builder;
mod chat_compatibility;
mod clients;
mod config;
mod connect;
#[cfg(test)]
mod dns_tests;
mod observer;
mod outgoing;
mod service;
mod trace;
mod upstream;
pub(crate) mod wire;

pub use self::{
    attribution::Attribution,
    builder::TransportBuilder,
    chat_compatibility::TokenLimitField,
    config::{TransportError, TransportProblem},
    observer::{Exchange, ExchangeObserver},
    service::{Transport, TransportFuture},
    upstream::{ANTHROPIC, ANTHROPIC_URL, OPENAI, OPENAI_URL, OPENROUTER, OPENROUTER_URL, Upstream},
};
pub(crate) use self::{broken::read_error, chat_compatibility::ChatCompatibility};
pub use crate::{classify::GENERATION_HEADER, dialect::Dialect, exchange_watch::ExchangeWatch};
