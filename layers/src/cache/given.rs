//! A store that was given to the cache: waits for it are bounded, its failures are misses, and what was forgotten meanwhile stays so.

use std::{
    fmt,
    future::Future,
    pin::Pin,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    task::{Context, Poll, ready},
    time::Duration,
};

use tokio::time::Instant;

use super::{
    AnswerKey, CacheStore, CachedResponse, Lookup, LookupFuture, StoreError, entry::Entry, forgotten::Forgotten,
};
use crate::util::{Alarm, Rest, Standing};

/// How long a store that has failed is not looked at; then one look in so long is its probe.
const REST: Duration = Duration::from_secs(1);

/// The store, and how it does.
pub(super) struct Given<D> {
    store: Box<dyn CacheStore<D>>,
    /// Changes whenever something is to be forgotten.
    era: AtomicU64,
    forgotten: Mutex<Forgotten>,
    /// Set while it is not looked at.
    rest: Mutex<Option<Rest>>,
}

impl<D: 'static> Given<D> {
    pub(super) fn new(store: Box<dyn CacheStore<D>>) -> Self {
        Self {
            store,
            era: AtomicU64::new(0),
            forgotten: Mutex::default(),
            rest: Mutex::new(None),
        }
    }

    /// Looks for it: `Ok` if the store says at once.
    pub(super) fn look(
        self: &Arc<Self>,
        key: &AnswerKey,
        timeout: Duration,
    ) -> Result<Option<Arc<Entry<D>>>, Looking<D>> {
        if !self.may_look() {
            return Ok(None);
        }
        match self.store.get(key) {
            Lookup::Now(found) => Ok(found.map(|found| found.0)),
            Lookup::Later(lookup) => Err(Looking {
                lookup,
                given: Arc::clone(self),
                timeout,
                since: Instant::now(),
                alarm: None,
            }),
        }
    }

    fn may_look(&self) -> bool {
        let now = Instant::now();
        let mut rest = lock(&self.rest);
        match rest.as_ref().map(|rest| rest.standing(now)) {
            None | Some(Standing::Over) => true,
            Some(Standing::Resting(_)) => false,
            Some(Standing::ProbeDue) => {
                rest.iter_mut().for_each(|rest| rest.lease(now));
                true
            }
        }
    }

    fn ended(&self, failure: Option<&dyn fmt::Display>) {
        let Some(failure) = failure else {
            *lock(&self.rest) = None;
            return;
        };
        // Others need not wait for it as well.
        let known = lock(&self.rest).replace(Rest::new(Instant::now(), None, REST));
        if known.is_none() {
            tracing::warn!(%failure, "the cache's store fails: each look at it is a miss until it works again");
        } else {
            tracing::debug!(%failure, "the cache's store still fails");
        }
    }

    pub(super) fn era(&self) -> u64 {
        self.era.load(Ordering::Acquire)
    }

    pub(super) fn is_forgotten(&self, key: &AnswerKey, asked: u64) -> bool {
        lock(&self.forgotten).is_forgotten(key, asked)
    }

    /// Stores it, unless it is forgotten: before, or meanwhile.
    pub(super) fn keep(&self, key: &AnswerKey, entry: Entry<D>) {
        let era = entry.era;
        if self.is_forgotten(key, era) {
            return;
        }
        self.store.put(key, CachedResponse(Arc::new(entry)));
        if self.is_forgotten(key, era) {
            self.store.remove(key);
        }
    }

    pub(super) fn forget(&self, key: &AnswerKey) {
        lock(&self.forgotten).one(*key, self.next_era());
        self.store.remove(key);
    }

    pub(super) fn clear(&self) {
        lock(&self.forgotten).all(self.next_era());
        self.store.clear();
    }

    fn next_era(&self) -> u64 {
        self.era.fetch_add(1, Ordering::AcqRel) + 1
    }

    pub(super) fn bytes(&self) -> u64 {
        self.store.bytes()
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A look at a store that answers later: up to its timeout, and nothing found if it fails.
pub(super) struct Looking<D> {
    lookup: LookupFuture<D>,
    given: Arc<Given<D>>,
    timeout: Duration,
    since: Instant,
    /// Made when it first has to wait.
    alarm: Option<Alarm>,
}

impl<D> Looking<D> {
    fn poll_store(&mut self, cx: &mut Context<'_>) -> Poll<Result<Option<CachedResponse<D>>, StoreError>> {
        if let Poll::Ready(found) = self.lookup.as_mut().poll(cx) {
            return Poll::Ready(found);
        }
        let (since, timeout) = (self.since, self.timeout);
        let alarm = self.alarm.get_or_insert_with(|| Alarm::at(since + timeout));
        ready!(alarm.poll(cx));
        Poll::Ready(Err(format!("it has not answered within {timeout:?}").into()))
    }
}

impl<D: 'static> Future for Looking<D> {
    type Output = Option<Arc<Entry<D>>>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let found = ready!(self.poll_store(cx));
        self.given
            .ended(found.as_ref().err().map(|error| error as &dyn fmt::Display));
        Poll::Ready(found.ok().flatten().map(|found| found.0))
    }
}
