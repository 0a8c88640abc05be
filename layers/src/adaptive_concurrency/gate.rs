//! One candidate's gate: how many attempts are in flight, and the queue for a place.

use std::{sync::Arc, time::Duration};

use tokio::{sync::oneshot, time::Instant};

use super::{ConcurrencyPolicy, ConcurrencyReport, limit::Limit, queue::Queue};
use crate::{Candidate, LayerError, Priority, Route, call::FirstTokenTimer, metering, util::Lock};

/// How much the newest attempt weighs in how long one takes.
const NEWEST: f64 = 0.1;

/// One candidate's gate: so many pass at once, and the others wait.
#[derive(Debug)]
pub(super) struct Gate {
    candidate: Candidate,
    route: Route,
    policy: ConcurrencyPolicy,
    inner: Lock<Inner>,
}

#[derive(Debug)]
struct Inner {
    limit: Limit,
    in_flight: u32,
    queue: Queue<Turn>,
    /// How long an attempt takes; `None` until one has ended.
    takes: Option<Duration>,
}

/// One attempt that has passed. Dropped, it lets the next one through.
#[derive(Debug)]
pub(super) struct Permit {
    gate: Arc<Gate>,
    /// When its attempt began; `None` while it is on the way to a call in the queue, which may have left.
    since: Option<Instant>,
    /// How often the limit had gone down by then.
    cuts: u64,
    given_back: bool,
}

/// What ends a wait: a place, or the refusal of a batch whose place in the queue an interactive call has taken.
pub(super) type Turn = Result<Permit, Box<LayerError>>;

/// What became of a wish to pass.
pub(super) enum Entry {
    Passed(Permit),
    Waits(oneshot::Receiver<Turn>),
}

impl Gate {
    pub(super) fn new(candidate: Candidate, route: Route, policy: ConcurrencyPolicy) -> Self {
        let limit = Limit::new(policy);
        if route.is_free() {
            metering::concurrency_limit(&candidate, limit.get());
        }
        Self {
            candidate,
            route,
            policy,
            inner: Lock::new(Inner {
                limit,
                in_flight: 0,
                queue: Queue::default(),
                takes: None,
            }),
        }
    }

    pub(super) fn is_idle(&self) -> bool {
        let inner = self.inner.lock();
        inner.in_flight == 0 && inner.queue.is_empty()
    }

    pub(super) fn report(&self) -> ConcurrencyReport {
        let inner = self.inner.lock();
        ConcurrencyReport {
            candidate: self.candidate.clone(),
            limit: inner.limit.get(),
            in_flight: inner.in_flight,
            waiting: inner.queue.len(),
            is_pinned: !self.route.is_free(),
        }
    }

    /// Passes, waits, or is refused at once if the queue is full or the wait would outlast the time that is left. An interactive call takes
    /// the place of the last batch in a full queue.
    pub(super) fn enter(self: &Arc<Self>, priority: Priority, left: Option<Duration>) -> Result<Entry, LayerError> {
        let mut locked = self.inner.lock();
        let inner = &mut *locked;
        if inner.in_flight < inner.limit.get() {
            inner.in_flight += 1;
            return Ok(Entry::Passed(self.permit(inner).begun()));
        }
        inner.queue.forget_closed();
        let limit = inner.limit.get();
        let ahead = inner.queue.ahead_of(priority);
        let rounds = f64::from(u32::try_from(ahead + 1).unwrap_or(u32::MAX)) / f64::from(limit.max(1));
        // Before any attempt has ended, no wait is known: that is not a wait of zero.
        let wait = inner.takes.map(|takes| {
            let wait = Duration::try_from_secs_f64(takes.as_secs_f64() * rounds);
            wait.unwrap_or(Duration::MAX)
        });
        if left.zip(wait).is_some_and(|(left, wait)| wait >= left) {
            return Err(self.refusal(limit, inner.queue.len(), wait));
        }
        let mut displaced = None;
        if inner.queue.len() >= self.policy.queue {
            if priority == Priority::Interactive && self.policy.queue > 0 {
                displaced = inner.queue.take_last_batch();
            }
            if displaced.is_none() {
                return Err(self.refusal(limit, inner.queue.len(), wait));
            }
        }
        let waits = inner.queue.push(priority);
        // What is sent wakes a task, which may come back to this gate.
        drop(locked);
        if let Some(displaced) = displaced {
            // It may have left just now.
            drop(displaced.send(Err(Box::new(self.refusal(limit, self.policy.queue, wait)))));
        }
        Ok(Entry::Waits(waits))
    }

    fn refusal(&self, limit: u32, waiting: usize, retry_after: Option<Duration>) -> LayerError {
        LayerError::ConcurrencyLimited {
            model: self.candidate.model().to_owned(),
            upstream: self.candidate.upstream().to_owned(),
            limit,
            waiting,
            retry_after,
        }
    }

    fn permit(self: &Arc<Self>, inner: &Inner) -> Permit {
        Permit {
            gate: Arc::clone(self),
            since: None,
            cuts: inner.limit.cuts(),
            given_back: false,
        }
    }

    /// Lets all attempts through that may pass now. With no lock held: a turn whose waiter was dropped comes back as a dropped permit.
    fn let_through(self: &Arc<Self>) {
        loop {
            let mut inner = self.inner.lock();
            if inner.in_flight >= inner.limit.get() {
                return;
            }
            let Some(next) = inner.queue.pop() else { return };
            inner.in_flight += 1;
            let permit = self.permit(&inner);
            drop(inner);
            if let Err(Ok(mut permit)) = next.send(Ok(permit)) {
                // It left just now. Given back without a word, so that one turn is not given within another.
                permit.give_back();
            }
        }
    }

    fn log_limit(&self, why: &str, inner: &Inner) {
        if self.route.is_free() {
            metering::concurrency_limit(&self.candidate, inner.limit.get());
        }
        tracing::debug!(
            model = self.candidate.model(),
            upstream = self.candidate.upstream(),
            limit = inner.limit.get(),
            in_flight = inner.in_flight,
            why,
            "concurrency limit"
        );
    }
}

impl Permit {
    /// Its attempt begins now.
    pub(super) fn begun(mut self) -> Self {
        self.since = Some(Instant::now());
        self
    }

    /// The answer has begun; the beginning of a plain answer is unknown.
    pub(super) fn began(&self, timer: Option<&FirstTokenTimer>) {
        let first_token = timer.map(FirstTokenTimer::took);
        let mut inner = self.gate.inner.lock();
        let in_flight = inner.in_flight;
        if inner.limit.answered(first_token, in_flight) {
            self.gate.log_limit("by the pace of first tokens", &inner);
        }
        drop(inner);
        self.gate.let_through();
    }

    /// The upstream has too much to do.
    pub(super) fn overloaded(&self) {
        let mut inner = self.gate.inner.lock();
        if inner.limit.overloaded(self.cuts) {
            self.gate.log_limit("rate limited or overloaded", &inner);
        }
    }

    fn give_back(&mut self) {
        let mut inner = self.gate.inner.lock();
        inner.in_flight = inner.in_flight.saturating_sub(1);
        self.given_back = true;
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        if self.given_back {
            return;
        }
        if let Some(took) = self.since.map(|since| since.elapsed()) {
            let takes = &mut self.gate.inner.lock().takes;
            *takes = Some(takes.map_or(took, |takes| takes.mul_f64(1.0 - NEWEST) + took.mul_f64(NEWEST)));
        }
        self.give_back();
        self.gate.let_through();
    }
}
