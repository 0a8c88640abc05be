//! The simulator over raw sockets: one program, so that it is linked once.
#![allow(
    clippy::allow_attributes,
    clippy::unwrap_used,
    reason = "a test that fails here should say so"
)]

#[cfg(test)]
mod apis;
#[cfg(test)]
mod billing;
#[cfg(test)]
mod binary;
#[cfg(test)]
mod breaks;
#[cfg(test)]
mod clock;
#[cfg(test)]
mod common;
#[cfg(test)]
mod endpoints;
#[cfg(test)]
mod grammar;
#[cfg(test)]
mod http2;
#[cfg(test)]
mod levers;
#[cfg(test)]
mod messages;
#[cfg(test)]
mod plans;
#[cfg(test)]
mod records;
#[cfg(test)]
mod refusals;
#[cfg(test)]
mod responses;
#[cfg(test)]
mod secrets;
#[cfg(test)]
mod shapes;
#[cfg(test)]
mod streams;
