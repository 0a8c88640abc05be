//! Other clients over a stack, against the simulator on real sockets: one program, so that it is linked once.
#![allow(
    clippy::allow_attributes,
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test that fails here should say so"
)]

mod support;

#[cfg(feature = "reqwest-middleware")]
mod middleware;
#[cfg(feature = "async-openai")]
mod openai_apis;
#[cfg(feature = "async-openai")]
mod openai_chat;
#[cfg(feature = "async-openai")]
mod openai_errors;
mod plain;
#[cfg(feature = "rig")]
mod rig_calls;
#[cfg(feature = "rig")]
mod rig_errors;
