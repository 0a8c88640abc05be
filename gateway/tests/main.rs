//! The gateway over real sockets.
#![allow(
    clippy::allow_attributes,
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test that fails here should say so"
)]

#[cfg(test)]
mod admin;
#[cfg(test)]
mod budget;
#[cfg(test)]
mod commands;
#[cfg(test)]
mod cors;
#[cfg(test)]
mod ending;
#[cfg(test)]
mod hostile;
#[cfg(test)]
mod in_force;
#[cfg(test)]
mod key_changes;
#[cfg(test)]
mod keys;
#[cfg(test)]
mod late_bills;
#[cfg(test)]
mod log;
#[cfg(test)]
mod options;
#[cfg(all(test, feature = "otlp"))]
mod otlp;
#[cfg(test)]
mod page;
#[cfg(test)]
mod panics;
#[cfg(test)]
mod prices;
#[cfg(test)]
mod process;
#[cfg(test)]
mod readiness;
#[cfg(test)]
mod refill;
#[cfg(test)]
mod refusals;
#[cfg(test)]
mod reload;
#[cfg(test)]
mod replay;
#[cfg(test)]
mod replicas;
#[cfg(test)]
mod routes;
#[cfg(test)]
mod secrets;
#[cfg(test)]
mod settings;
#[cfg(test)]
mod signals;
#[cfg(test)]
mod starting;
#[cfg(test)]
mod storage;
#[cfg(test)]
mod support;
#[cfg(test)]
mod upkeep;
