//! Responses that are to be forgotten although they are still in flight.

use std::collections::HashMap;

use tokio::time::Instant;

use super::AnswerKey;
use foldhash::fast::RandomState;

/// How many single responses are remembered: beyond them every response in flight is forgotten.
const MOST: usize = 1_000;

/// A response requested before this instant is neither cached nor joined.
#[derive(Debug, Default)]
pub(super) struct Forgotten {
    all: Option<Instant>,
    ones: HashMap<AnswerKey, Instant, RandomState>,
}

impl Forgotten {
    pub(super) fn all(&mut self) {
        self.all = Some(Instant::now());
        self.ones.clear();
    }

    pub(super) fn one(&mut self, key: AnswerKey) {
        if self.ones.len() >= MOST && !self.ones.contains_key(&key) {
            self.all();
        }
        self.ones.insert(key, Instant::now());
    }

    /// Whether a response requested at that instant is forgotten.
    pub(super) fn is_forgotten(&self, key: &AnswerKey, asked: Instant) -> bool {
        let is_older = |since: Instant| asked < since;
        self.all.is_some_and(is_older) || self.ones.get(key).copied().is_some_and(is_older)
    }
}
