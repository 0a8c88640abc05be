use std::{
    collections::VecDeque,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use tokio::{sync::oneshot, time::Instant};

use super::{ConcurrencyPolicy, ConcurrencyReport, limit::Limit};
use crate::{Candidate, LayerError, Priority, call::FirstTokenTimer, metering};

/// How much the newest attempt weighs in how long one takes.
const NEWEST: f64 = 0.1;

/// One candidate's gate: so many pass at once, and the others wait.
#[derive(Debug)]
pub(super) struct Gate {
    candidate: Candidate,
    policy: ConcurrencyPolicy,
    inner: Mutex<Inner>,
}

#[derive(Debug)]
struct Inner {
    limit: Limit,
    under_way: u32,
    /// Who waits: the interactive, the batches. Whoever has left is passed over.
    waiting: [VecDeque<oneshot::Sender<Permit>>; 2],
    /// How long an attempt takes, in seconds.
    takes: f64,
}

/// One attempt that has passed. Dropped, it lets the next one through.
#[derive(Debug)]
pub(super) struct Permit {
    gate: Arc<Gate>,
    since: Instant,
    /// How often the limit had gone down by then.
    cuts: u64,
    given_back: bool,
}

/// What became of a wish to pass.
pub(super) enum Entry {
    Passed(Permit),
    Waits(oneshot::Receiver<Permit>),
}

impl Gate {
    pub(super) fn new(candidate: Candidate, policy: ConcurrencyPolicy) -> Self {
        let limit = Limit::new(policy);
        metering::concurrency_limit(&candidate, limit.get());
        Self {
            candidate,
            policy,
            inner: Mutex::new(Inner {
                limit,
                under_way: 0,
                waiting: Default::default(),
                takes: 0.0,
            }),
        }
    }

    pub(super) fn is_idle(&self) -> bool {
        let inner = self.lock();
        inner.under_way == 0 && inner.waiting.iter().all(VecDeque::is_empty)
    }

    pub(super) fn report(&self) -> ConcurrencyReport {
        let inner = self.lock();
        ConcurrencyReport {
            candidate: self.candidate.clone(),
            limit: inner.limit.get(),
            under_way: inner.under_way,
            waiting: inner
                .waiting
                .iter()
                .flatten()
                .filter(|waiter| !waiter.is_closed())
                .count(),
        }
    }

    /// Passes, waits, or is refused at once where the queue is full or the wait would outlast the time that is left.
    pub(super) fn enter(self: &Arc<Self>, priority: Priority, left: Option<Duration>) -> Result<Entry, LayerError> {
        let mut inner = self.lock();
        if inner.under_way < inner.limit.get() {
            inner.under_way += 1;
            return Ok(Entry::Passed(self.permit(&inner)));
        }
        let inner = &mut *inner;
        for queue in &mut inner.waiting {
            queue.retain(|waiter| !waiter.is_closed());
        }
        let [interactive, batches] = &mut inner.waiting;
        let all = interactive.len() + batches.len();
        let (queue, ahead) = match priority {
            Priority::Interactive => {
                let ahead = interactive.len();
                (interactive, ahead)
            }
            Priority::Batch => (batches, all),
        };
        let limit = inner.limit.get();
        let rounds = f64::from(u32::try_from(ahead + 1).unwrap_or(u32::MAX)) / f64::from(limit.max(1));
        let wait = Duration::try_from_secs_f64(inner.takes * rounds).unwrap_or(Duration::MAX);
        if all >= self.policy.queue || left.is_some_and(|left| wait >= left) {
            return Err(LayerError::ConcurrencyLimited {
                model: self.candidate.model().to_owned(),
                upstream: self.candidate.upstream().to_owned(),
                limit,
                waiting: all,
                retry_after: Some(wait),
            });
        }
        let (turn, waits) = oneshot::channel();
        queue.push_back(turn);
        Ok(Entry::Waits(waits))
    }

    fn permit(self: &Arc<Self>, inner: &Inner) -> Permit {
        Permit {
            gate: Arc::clone(self),
            since: Instant::now(),
            cuts: inner.limit.cuts(),
            given_back: false,
        }
    }

    /// Lets through whoever may pass now. With no lock held: a turn that nobody takes comes back as a dropped permit.
    fn let_through(self: &Arc<Self>) {
        loop {
            let mut inner = self.lock();
            if inner.under_way >= inner.limit.get() {
                return;
            }
            let next = inner.waiting.iter_mut().find_map(VecDeque::pop_front);
            let Some(next) = next else { return };
            if next.is_closed() {
                continue;
            }
            inner.under_way += 1;
            let permit = self.permit(&inner);
            drop(inner);
            if let Err(mut permit) = next.send(permit) {
                // It left just now. Given back without a word, so that one turn is not given within another.
                permit.give_back();
            }
        }
    }

    fn say(&self, why: &str, inner: &Inner) {
        metering::concurrency_limit(&self.candidate, inner.limit.get());
        tracing::debug!(
            model = self.candidate.model(),
            upstream = self.candidate.upstream(),
            limit = inner.limit.get(),
            under_way = inner.under_way,
            why,
            "concurrency limit"
        );
    }

    /// The state, whatever a panicking holder left behind: each change is whole.
    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Permit {
    /// The answer has begun; of a plain one nobody knows when.
    pub(super) fn began(&self, timer: Option<&FirstTokenTimer>) {
        let first_token = timer.map(FirstTokenTimer::took);
        let mut inner = self.gate.lock();
        let under_way = inner.under_way;
        if inner.limit.answered(first_token, under_way) {
            self.gate.say("by the pace of first tokens", &inner);
        }
        drop(inner);
        self.gate.let_through();
    }

    /// The upstream has too much to do.
    pub(super) fn overloaded(&self) {
        let mut inner = self.gate.lock();
        if inner.limit.overloaded(self.cuts) {
            self.gate.say("throttled or overloaded", &inner);
        }
    }

    fn give_back(&mut self) {
        let mut inner = self.gate.lock();
        inner.under_way = inner.under_way.saturating_sub(1);
        self.given_back = true;
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        if self.given_back {
            return;
        }
        let took = self.since.elapsed().as_secs_f64();
        let mut inner = self.gate.lock();
        inner.takes = if inner.takes > 0.0 {
            inner.takes + (took - inner.takes) * NEWEST
        } else {
            took
        };
        drop(inner);
        self.give_back();
        self.gate.let_through();
    }
}
