//! What happens without a store.

/// What happens while the store does not answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum OnStoreFailure {
    /// Nothing passes, but for attempts whose budgets only warn.
    FailClosed,
    /// Everything passes, uncounted.
    FailOpen,
}
