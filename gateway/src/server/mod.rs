//! The HTTP server: limits and timeouts of connections that `axum::serve` does not set, and an orderly end.
//!
//! A connection is closed if the head of a request does not come in time, if it stays without a request for too long, and if its client takes none
//! of an answer that is ready. Connections beyond the limit wait to be accepted.

mod activity;
mod body;
mod connection;
mod io;
mod listen;
mod stage;

pub use connection::Limits;
pub use listen::{Connections, bind, serve};
pub use stage::{Reached, Stage, Stages};
