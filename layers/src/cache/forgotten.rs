//! Responses that are to be forgotten although they are still in flight.

use std::{
    collections::HashMap,
    sync::atomic::{AtomicU64, Ordering},
};

use foldhash::fast::RandomState;

use super::AnswerKey;
use crate::util::Lock;

/// How many single responses are remembered: beyond them every response in flight is forgotten.
const MOST: usize = 1_000;

/// A response requested in an era before this one is neither cached nor joined. Eras are counted and not timed: a clock may stand still.
#[derive(Default)]
pub(super) struct Forgotten {
    /// The era of what is requested now: it changes whenever something is to be forgotten.
    era: AtomicU64,
    since: Lock<Since>,
}

/// The eras since which responses are forgotten.
#[derive(Default)]
struct Since {
    all: u64,
    ones: HashMap<AnswerKey, u64, RandomState>,
}

impl Forgotten {
    pub(super) fn era(&self) -> u64 {
        self.era.load(Ordering::Acquire)
    }

    fn next_era(&self) -> u64 {
        self.era.fetch_add(1, Ordering::AcqRel) + 1
    }

    pub(super) fn all(&self) {
        let mut since = self.since.lock();
        since.all = self.next_era();
        since.ones.clear();
    }

    pub(super) fn one(&self, key: AnswerKey) {
        let mut since = self.since.lock();
        let era = self.next_era();
        if since.ones.len() >= MOST && !since.ones.contains_key(&key) {
            since.all = era;
            since.ones.clear();
        }
        since.ones.insert(key, era);
    }

    /// Whether a response requested in that era is forgotten.
    pub(super) fn is_forgotten(&self, key: &AnswerKey, asked: u64) -> bool {
        let since = self.since.lock();
        asked < since.all || since.ones.get(key).is_some_and(|since| asked < *since)
    }
}
