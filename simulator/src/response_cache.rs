//! The router's own cache of answers: the same request again, byte for byte, costs nothing.

use std::collections::HashMap;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::time::Duration;

use tokio::time::Instant;

/// How many are kept: beyond them the cache is cleared.
const MOST: usize = 10_000;

/// Requests by key and body, and until when their answer is kept. The answers themselves are made again: they are the same.
#[derive(Debug, Default)]
pub(crate) struct ResponseCache(HashMap<u64, Instant>);

impl ResponseCache {
    /// Whether the answer is there. If it is not, it is there from now on.
    pub(crate) fn look(&mut self, key: &str, body: &[u8], ttl: Duration) -> bool {
        let now = Instant::now();
        let mut hasher = DefaultHasher::new();
        (key, body).hash(&mut hasher);
        let hash = hasher.finish();
        if self.0.get(&hash).is_some_and(|until| now < *until) {
            return true;
        }
        if self.0.len() >= MOST {
            self.0.clear();
        }
        self.0.insert(hash, now + ttl);
        false
    }
}
