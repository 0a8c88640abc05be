//! Responses that are to be forgotten although they are still in flight.

use std::collections::HashMap;

use super::AnswerKey;
use foldhash::fast::RandomState;

/// How many single responses are remembered: beyond them every response in flight is forgotten.
const MOST: usize = 1_000;

/// A response requested in an era before this one is neither cached nor joined. Eras are counted and not timed: a clock may stand still.
#[derive(Debug, Default)]
pub(super) struct Forgotten {
    all: u64,
    ones: HashMap<AnswerKey, u64, RandomState>,
}

impl Forgotten {
    pub(super) fn all(&mut self, era: u64) {
        self.all = era;
        self.ones.clear();
    }

    pub(super) fn one(&mut self, key: AnswerKey, era: u64) {
        if self.ones.len() >= MOST && !self.ones.contains_key(&key) {
            self.all(era);
        }
        self.ones.insert(key, era);
    }

    /// Whether a response requested in that era is forgotten.
    pub(super) fn is_forgotten(&self, key: &AnswerKey, asked: u64) -> bool {
        asked < self.all || self.ones.get(key).is_some_and(|since| asked < *since)
    }
}
