//! What is to be forgotten though it is only on its way.

use std::collections::HashMap;

use tokio::time::Instant;

use super::AnswerKey;
use foldhash::fast::RandomState;

/// Single answers that are told apart: beyond them all that is on its way is forgotten.
const MOST: usize = 1_000;

/// Since when nothing older is to be kept or joined.
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

    /// Whether what was asked for then is forgotten.
    pub(super) fn is_forgotten(&self, key: &AnswerKey, asked: Instant) -> bool {
        let is_older = |since: Instant| asked < since;
        self.all.is_some_and(is_older) || self.ones.get(key).copied().is_some_and(is_older)
    }
}
