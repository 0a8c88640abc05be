//! A word from an inner layer to the cache.

/// In a response's extensions: this answer is not to be kept for others, however whole it is.
///
/// The cost layer says so where a budget made it ask for a smaller answer than the caller did, the retry layer where the upstream's
/// balance did, and the chain where a cheaper model answered. A service of your own may, too.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NoStore;
