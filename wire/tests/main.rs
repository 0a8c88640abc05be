//! The readers of the wire, whatever the bytes: one program, so that it is linked once.
#![allow(
    clippy::allow_attributes,
    clippy::unwrap_used,
    reason = "a test that fails here should say so"
)]

#[cfg(test)]
mod any_bytes;
#[cfg(test)]
mod near;
#[cfg(test)]
mod sse_properties;

/// The kept texts.
#[cfg(test)]
const CORPUS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/corpus");
