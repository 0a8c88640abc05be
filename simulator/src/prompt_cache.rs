//! The provider's cache of prompts: what was marked once is read at a lower price, for as long as it is kept.

use std::collections::HashMap;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::time::Duration;

use tokio::time::Instant;

use crate::catalogue::{Caching, Model};
use crate::request::Request;

/// Shorter prefixes are not cached.
const SHORTEST: u64 = 1024;
/// How many are kept: beyond them the cache is cleared.
const MOST: usize = 10_000;
const SHORT: Duration = Duration::from_secs(5 * 60);
const LONG: Duration = Duration::from_secs(60 * 60);

/// Prefixes by key, model and text, and until when they are kept.
#[derive(Debug, Default)]
pub(crate) struct PromptCache(HashMap<u64, Instant>);

impl PromptCache {
    /// Reads the longest marked prefix that is there, and writes the rest of what is marked.
    pub(crate) fn look(&mut self, key: &str, model: &Model, request: &Request) -> Caching {
        let mut caching = Caching::default();
        if model.price.cache_read.is_none() {
            return caching;
        }
        let now = Instant::now();
        let mut marked = 0;
        for (prefix, long) in request.marked_prefixes().into_iter().rev() {
            let tokens = (prefix.len() as u64).div_ceil(4);
            if tokens < SHORTEST {
                continue;
            }
            if marked == 0 {
                (marked, caching.long) = (tokens, long);
            }
            let mut hasher = DefaultHasher::new();
            (key, &model.id, &prefix).hash(&mut hasher);
            if self.0.len() >= MOST {
                self.0.clear();
            }
            let kept = self.0.insert(hasher.finish(), now + if long { LONG } else { SHORT });
            if kept.is_some_and(|until| now < until) {
                caching.read = tokens;
                break;
            }
        }
        if model.price.cache_write.is_some() {
            caching.written = marked - caching.read.min(marked);
        }
        caching
    }
}
