//! The mark of a response that an earlier call paid for.

use std::time::Duration;

/// In a response's extensions: this is the answer to another call with the same idempotency key, an earlier one or one in flight. That call pays
/// for it, so the usage in its frames is not to be counted again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Replayed {
    /// How long ago its last frame came; zero if it is still in flight.
    pub age: Duration,
}
