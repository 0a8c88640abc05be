//! A store that was given to the cache: waits for it are bounded, its failures are misses, and what was forgotten meanwhile stays so.

use std::{
    fmt,
    future::Future,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
    time::Duration,
};

use tokio::time::Instant;

use super::{
    AnswerKey, CacheStore, CachedResponse, Lookup, LookupFuture, StoreError, entry::Entry, forgotten::Forgotten,
    latest::Latest,
};
use crate::util::{Alarm, Lock, Rest, Standing};

/// How long a store that has failed is not looked at; then one look in so long is its probe.
const REST: Duration = Duration::from_secs(1);

/// The store, and how it does.
pub(super) struct ExternalStore<D> {
    store: Box<dyn CacheStore<D>>,
    forgotten: Arc<Forgotten>,
    latest: Lock<Latest>,
    /// Since when it has answered no look, if a look was given up before its timeout.
    silent_since: Lock<Option<Instant>>,
    /// Set while it is not looked at.
    rest: Lock<Option<Rest>>,
}

impl<D: 'static> ExternalStore<D> {
    pub(super) fn new(store: Box<dyn CacheStore<D>>, forgotten: Arc<Forgotten>) -> Self {
        Self {
            store,
            forgotten,
            latest: Lock::default(),
            silent_since: Lock::new(None),
            rest: Lock::new(None),
        }
    }

    /// Looks for it: `Ok` if the store says at once. A look waits for `cap` at most, and for the `timeout` if that is sooner.
    pub(super) fn look(
        self: &Arc<Self>,
        key: &AnswerKey,
        timeout: Duration,
        cap: Duration,
    ) -> Result<Option<Arc<Entry<D>>>, Box<Looking<D>>> {
        if !self.may_look() {
            return Ok(None);
        }
        let era = self.forgotten.era();
        match self.store.get(key) {
            Lookup::Now(found) => {
                self.ended(None);
                Ok(found.map(|found| found.0))
            }
            Lookup::Later(lookup) => Err(Box::new(Looking {
                lookup,
                given: Arc::clone(self),
                key: *key,
                era,
                timeout,
                cap: cap.min(timeout),
                since: Instant::now(),
                alarm: None,
                ended: false,
            })),
        }
    }

    fn may_look(&self) -> bool {
        let now = Instant::now();
        let mut rest = self.rest.lock();
        match rest.as_ref().map(|rest| rest.standing(now)) {
            None | Some(Standing::Over) => true,
            Some(Standing::Resting(_)) => false,
            Some(Standing::ProbeDue) => {
                rest.iter_mut().for_each(|rest| rest.lease(now));
                true
            }
        }
    }

    /// Stores it, unless it is forgotten or a response that was requested later is stored: before, or meanwhile.
    pub(super) fn keep(&self, key: &AnswerKey, entry: Entry<D>) {
        let (era, asked) = (entry.era, entry.asked);
        if self.forgotten.is_forgotten(key, era) || !self.latest.lock().supersedes(key, asked) {
            return;
        }
        self.store.put(key, CachedResponse(Arc::new(entry)));
        // Of two that are put at once, the older one may be the last.
        if self.forgotten.is_forgotten(key, era) || self.latest.lock().is_older(key, asked) {
            self.store.remove(key);
        }
    }

    pub(super) fn forget(&self, key: &AnswerKey) {
        self.store.remove(key);
    }

    pub(super) fn clear(&self) {
        self.store.clear();
    }

    pub(super) fn bytes(&self) -> u64 {
        self.store.bytes()
    }
}

impl<D> ExternalStore<D> {
    fn ended(&self, failure: Option<&dyn fmt::Display>) {
        *self.silent_since.lock() = None;
        let Some(failure) = failure else {
            *self.rest.lock() = None;
            return;
        };
        // Others need not wait for it as well.
        let known = self.rest.lock().replace(Rest::new(Instant::now(), None, REST));
        if known.is_none() {
            tracing::warn!(%failure, "the cache store fails: every lookup is a miss until it recovers");
        } else {
            tracing::debug!(%failure, "the cache store still fails");
        }
    }

    /// A look that began then was given up before the store's timeout, since its call has little time. That is the store's failure only if the
    /// store has answered no look for that timeout: otherwise the calls with the least time would decide for all others.
    fn given_up(&self, since: Instant, timeout: Duration) {
        let silent = *self.silent_since.lock().get_or_insert(since);
        let silent = silent.elapsed();
        if silent >= timeout {
            self.ended(Some(&format_args!("it has not answered for {silent:?}")));
        }
    }
}

/// A look at a store that answers later: up to its timeout or its cap, and nothing found if it fails or if the response is forgotten meanwhile.
pub(super) struct Looking<D> {
    lookup: LookupFuture<D>,
    given: Arc<ExternalStore<D>>,
    key: AnswerKey,
    /// In which era of the cache it began.
    era: u64,
    timeout: Duration,
    /// How long it waits at most: no longer than the timeout.
    cap: Duration,
    since: Instant,
    /// Made when it first has to wait.
    alarm: Option<Alarm>,
    ended: bool,
}

impl<D> Looking<D> {
    fn poll_store(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Option<CachedResponse<D>>, StoreError>>> {
        if let Poll::Ready(found) = self.lookup.as_mut().poll(cx) {
            return Poll::Ready(Some(found));
        }
        if self.alarm.is_none() {
            // Without an end if it lies beyond what the clock can say.
            self.alarm = self.since.checked_add(self.cap).map(Alarm::at);
        }
        let Some(alarm) = self.alarm.as_mut() else {
            return Poll::Pending;
        };
        ready!(alarm.poll(cx));
        Poll::Ready(None)
    }

    /// It ends without an answer of the store.
    fn give_up(&self) {
        let timeout = self.timeout;
        if self.cap < timeout {
            self.given.given_up(self.since, timeout);
        } else {
            self.given
                .ended(Some(&format_args!("it has not answered within {timeout:?}")));
        }
    }
}

impl<D: 'static> Future for Looking<D> {
    type Output = Option<Arc<Entry<D>>>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let found = ready!(self.poll_store(cx));
        self.ended = true;
        let Some(found) = found else {
            self.give_up();
            return Poll::Ready(None);
        };
        self.given
            .ended(found.as_ref().err().map(|error| error as &dyn fmt::Display));
        let found = found.ok().flatten().map(|found| found.0);
        Poll::Ready(found.filter(|_| !self.given.forgotten.is_forgotten(&self.key, self.era)))
    }
}

impl<D> Drop for Looking<D> {
    /// A caller that leaves early is no failure of the store; one that waited as long as it may is.
    fn drop(&mut self) {
        if !self.ended && self.since.elapsed() >= self.cap {
            self.give_up();
        }
    }
}
