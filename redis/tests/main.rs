//! Budgets and limits in a real Redis: one program, so that it is linked once.
#![allow(
    clippy::allow_attributes,
    clippy::unwrap_used,
    reason = "a test that fails here should say so"
)]

#[cfg(test)]
mod budgets;
#[cfg(test)]
mod changed_limits;
#[cfg(test)]
#[cfg(feature = "cache")]
mod idempotency;
#[cfg(test)]
mod late;
#[cfg(test)]
mod leases;
#[cfg(test)]
mod limits;
#[cfg(test)]
mod lost;
#[cfg(test)]
mod outages;
#[cfg(test)]
mod processes;
#[cfg(test)]
mod refill;
#[cfg(test)]
mod scripts;
#[cfg(test)]
mod soft;
#[cfg(test)]
mod stress;
#[cfg(test)]
mod support;
#[cfg(test)]
mod twins;
#[cfg(test)]
mod windows;
