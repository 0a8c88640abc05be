//! The shapes of the wire: what is read, what is written.

pub(crate) mod chunk;
pub(crate) mod completion;
pub(crate) mod error;
mod refusals;
pub(crate) mod request;
pub(crate) mod usage;
