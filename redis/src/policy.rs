//! What happens without a store.

/// What happens while the store does not answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OnStoreFailure {
    /// Nothing passes.
    FailClosed,
    /// Everything passes, uncounted.
    FailOpen,
}
