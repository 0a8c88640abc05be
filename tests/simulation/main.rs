//! The whole stack over a strict upstream in this process, in virtual time: a seed decides everything, and afterwards the upstream's own
//! record is compared with what the callers, the budgets and the ledger saw. `CONTRIBUTING.md` says how a seed is replayed.
#![allow(
    clippy::allow_attributes,
    clippy::unwrap_used,
    reason = "a test that fails here should say so"
)]

#[cfg(test)]
mod answer;
#[cfg(test)]
mod body;
#[cfg(test)]
mod call;
#[cfg(test)]
mod caller;
#[cfg(test)]
mod checks;
#[cfg(test)]
mod draw;
#[cfg(test)]
mod faults;
#[cfg(test)]
mod own;
#[cfg(test)]
mod planted;
#[cfg(test)]
mod record;
#[cfg(test)]
mod run;
#[cfg(test)]
mod script;
#[cfg(test)]
mod seeds;
#[cfg(test)]
mod setup;
#[cfg(test)]
mod stack;
#[cfg(test)]
mod stores;
#[cfg(test)]
mod upstream;
#[cfg(test)]
mod wire;
