//! The mark of a coalesced response.

use std::time::Duration;

/// In a response's extensions: this response belongs to an identical request that was already in flight. That request pays for it, so the
/// usage in its frames is not to be counted again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Coalesced {
    /// How long the other call had been under way when this one joined it.
    pub joined_after: Duration,
}
