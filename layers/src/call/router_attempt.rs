//! What a router tried by itself for one attempt of ours.

use std::fmt;

use crate::util::bounded_name;

/// One attempt of the router itself, within an attempt of ours: it counts in no cap, and has no cost of its own.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct RouterAttempt {
    /// The provider that it called, if it says so.
    pub provider: Option<Box<str>>,
    /// The model that it called for, if it says so.
    pub model: Option<Box<str>>,
    /// The HTTP status of the provider's answer, if there was one.
    pub status: Option<u16>,
}

impl RouterAttempt {
    /// One of this provider and this model. Of a name longer than 256 bytes the beginning is kept.
    #[must_use]
    pub fn new(provider: Option<&str>, model: Option<&str>, status: Option<u16>) -> Self {
        Self {
            provider: provider.map(bounded_name),
            model: model.map(bounded_name),
            status,
        }
    }

    /// Whether the provider failed, by a status that is its own doing: too many requests, a timeout, or an error of a server.
    #[must_use]
    pub fn failed(&self) -> bool {
        self.status
            .is_some_and(|status| matches!(status, 408 | 429) || status >= 500)
    }
}

impl fmt::Display for RouterAttempt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.provider.as_deref().unwrap_or("a provider"))?;
        match self.status {
            Some(status) => write!(f, " {status}"),
            None => f.write_str(" without an answer"),
        }
    }
}
