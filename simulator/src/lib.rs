#![doc = include_str!("../README.md")]

mod answer;
mod builder;
mod catalogue;
mod fault;
mod generation;
mod money;
mod plan;
mod plans;
mod prompt_cache;
mod response_cache;
mod script;
mod seen;
mod server;
mod simulator;
mod stage;
mod state;
mod ticket;
mod wire;

pub use builder::Builder;
pub use fault::{Fault, FaultError, Refusal, UsageShape};
pub use money::{Cost, CostError};
pub use plan::{Plan, Step};
pub use script::Script;
pub use seen::{Attempt, Outcome, Seen};
pub use simulator::Simulator;
