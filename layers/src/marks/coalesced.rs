//! A word from the cache to whoever counts.

use std::time::Duration;

/// In a response's extensions: this answer is another caller's, shared while it came. Whoever asked first pays for it, so the
/// usage in its frames is not to be counted again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Coalesced {
    /// How long the other call had been under way when this one joined it.
    pub joined_after: Duration,
}
