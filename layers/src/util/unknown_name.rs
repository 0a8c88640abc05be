//! The error of a name that is none of those known.

use std::fmt;

/// A text that names nothing of its kind. Its display names the kind and quotes the text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UnknownName {
    of: &'static str,
    name: Box<str>,
}

impl UnknownName {
    pub(crate) fn new(of: &'static str, name: &str) -> Self {
        Self { of, name: name.into() }
    }
}

impl fmt::Display for UnknownName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "unknown {}: {:?}", self.of, self.name)
    }
}

impl std::error::Error for UnknownName {}
