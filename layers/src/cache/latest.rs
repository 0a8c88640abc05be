//! When the responses that were put into a store were requested, so that no older one replaces them.

use hashlink::LinkedHashMap;
use tokio::time::Instant;

use super::AnswerKey;
use foldhash::fast::RandomState;

/// How many responses are remembered, the last ones that were put: beyond them an older response that was in flight all the time replaces a
/// newer one.
const MOST: usize = 10_000;

/// When the last responses were requested.
#[derive(Default)]
pub(super) struct Latest(LinkedHashMap<AnswerKey, Instant, RandomState>);

impl Latest {
    /// Whether a response that was requested then is the latest; if so, it is remembered.
    pub(super) fn supersedes(&mut self, key: &AnswerKey, asked: Instant) -> bool {
        if self.is_older(key, asked) {
            return false;
        }
        self.0.insert(*key, asked);
        if self.0.len() > MOST {
            self.0.pop_front();
        }
        true
    }

    /// Whether a response that was requested later is known.
    pub(super) fn is_older(&self, key: &AnswerKey, asked: Instant) -> bool {
        self.0.get(key).is_some_and(|known| *known > asked)
    }
}
