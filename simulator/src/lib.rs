#![doc = include_str!("../README.md")]

mod answer;
mod builder;
mod catalogue;
mod config;
mod fault;
mod generation;
mod gzip;
mod line;
mod money;
mod plan;
mod plans;
mod prompt_cache;
mod request;
mod response_cache;
mod script;
mod seen;
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
pub use script::Script;
pub use seen::{Attempt, Outcome, Seen};
pub use simulator::Simulator;
