//! A word from an inner layer to the cache.

/// In a response's extensions: this answer is not to be kept for others, however whole it is.
///
/// The cost layer sets it if a budget shortened the answer, the retry layer if the upstream's
/// balance did, and the chain if a cheaper model answered. A service of your own may set it, too.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NoStore;
