#![doc = include_str!("../README.md")]

mod answer;
mod builder;
mod catalogue;
mod config;
mod connection;
mod fault;
mod generation;
mod gzip;
mod money;
mod plan;
mod plans;
mod prompt_cache;
mod report;
mod request;
mod response_cache;
mod script;
mod server;
mod simulator;
mod stage;
mod state;
mod ticket;
mod track;
mod wire;
mod written;

pub use builder::Builder;
pub use fault::{
    DoneForm, ErrorField, ErrorShape, Fault, FaultError, Refusal, Surrogate, UsageForm, UsageShape, WholeMessage,
};
pub use money::{Cost, CostError};
pub use plan::{Plan, Step};
pub use report::{Attempt, Outcome, Report};
pub use script::Script;
pub use simulator::Simulator;
