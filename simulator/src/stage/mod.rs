//! From an answer to the bytes that are sent: what is played, and the body that plays it.

mod body;
pub(crate) mod plain;
pub(crate) mod stream;

pub(crate) use body::Player;
