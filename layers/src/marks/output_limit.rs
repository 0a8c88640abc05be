//! The mark of an answer whose length the stack limited by itself.

use std::fmt;

/// In a response's extensions: its request named no `max_tokens`, a budget applies, and it was sent with these.
///
/// An answer that ends with the finish reason `length` then ends because of this limit; the attempt's line in the
/// [log](crate::AttemptLog) says so as well. Prints as a header's value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct OutputLimit {
    /// The `max_tokens` that the request was sent with.
    pub max_tokens: u64,
}

#[cfg(feature = "cost")]
impl OutputLimit {
    pub(crate) const fn new(max_tokens: u64) -> Self {
        Self { max_tokens }
    }
}

impl fmt::Display for OutputLimit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "max_tokens={}; default", self.max_tokens)
    }
}
