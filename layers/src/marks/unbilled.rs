//! A mark from the transport to the cost layer.

/// In a response's extensions: the upstream charges nothing for this response, e.g. because it comes from its own cache.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Unbilled;
