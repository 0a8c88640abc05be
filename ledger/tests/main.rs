//! The ledger in real databases: one program, so that it is linked once.
#![cfg(any(feature = "sqlite", feature = "postgres"))]
#![allow(
    clippy::allow_attributes,
    clippy::unwrap_used,
    reason = "a test that fails here should say so"
)]

#[cfg(test)]
mod killed;
#[cfg(test)]
mod postgres;
#[cfg(test)]
mod postgres_under_stress;
#[cfg(test)]
mod sqlite;
#[cfg(test)]
mod sqlite_locked;
#[cfg(test)]
mod sqlite_under_stress;
#[cfg(test)]
mod support;
