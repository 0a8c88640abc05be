//! What the cache did, in a response's extensions.

use std::{fmt, time::Duration};

use super::AnswerKey;

/// In a response's extensions: what the cache did. Absent if the request bypassed it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct CacheStatus {
    /// Whether the answer was kept: it cost nothing, and its usage says so.
    pub hit: bool,
    /// Whether it is older than the time to live: only [`Cache::stale`](super::Cache::stale) gives such answers.
    pub stale: bool,
    /// How long ago its last frame came; zero for a new answer.
    pub age: Duration,
    /// By what it is found.
    pub key: AnswerKey,
}

impl fmt::Display for CacheStatus {
    /// As a header's value: `hit; age=12`, `stale; age=900`, `miss`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !self.hit {
            return f.write_str("miss");
        }
        let what = if self.stale { "stale" } else { "hit" };
        write!(f, "{what}; age={}", self.age.as_secs())
    }
}
