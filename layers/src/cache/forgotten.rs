//! What is to be forgotten though it is only on its way.

use std::{
    collections::HashMap,
    sync::{Mutex, MutexGuard, PoisonError},
};

use tokio::time::Instant;

use super::AnswerKey;
use crate::prehashed::Prehashed;

/// Single answers that are told apart: beyond them all that is on its way is forgotten.
const MOST: usize = 1_000;

/// Since when nothing older is to be kept or joined.
#[derive(Debug, Default)]
pub(super) struct Forgotten(Mutex<Since>);

#[derive(Debug, Default)]
struct Since {
    all: Option<Instant>,
    ones: HashMap<AnswerKey, Instant, Prehashed>,
}

impl Forgotten {
    pub(super) fn all(&self) {
        let mut since = self.lock();
        since.all = Some(Instant::now());
        since.ones.clear();
    }

    pub(super) fn one(&self, key: AnswerKey) {
        let mut since = self.lock();
        if since.ones.len() >= MOST && !since.ones.contains_key(&key) {
            since.all = Some(Instant::now());
            since.ones.clear();
        }
        since.ones.insert(key, Instant::now());
    }

    /// Whether what was asked for then is forgotten.
    pub(super) fn is_forgotten(&self, key: &AnswerKey, asked: Instant) -> bool {
        let since = self.lock();
        let is_older = |since: Instant| asked < since;
        since.all.is_some_and(is_older) || since.ones.get(key).copied().is_some_and(is_older)
    }

    fn lock(&self) -> MutexGuard<'_, Since> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
