//! One circuit: closed, open, probed, closing again.

use std::{
    sync::{
        Arc, Weak,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::Duration,
};

use tokio::time::Instant;

use super::{
    CircuitPolicy, CircuitReport, CircuitState,
    in_flight::InFlightAttempts,
    pass::Pass,
    state::{State, Trial},
};
use crate::{
    Candidate, Route,
    call::CandidateMap,
    util::{Lock, Mark, Window},
};

/// The least share let through when the return begins.
const FIRST_SHARE: f64 = 0.1;

/// One candidate's circuit.
#[derive(Debug)]
pub(super) struct Circuit {
    pub(super) candidate: Candidate,
    pub(super) route: Route,
    pub(super) policy: CircuitPolicy,
    circuits: Weak<CandidateMap<Self>>,
    /// Closed, and back at full traffic: attempts pass without the lock.
    pub(super) unguarded: AtomicBool,
    /// Its candidate is called no more: metrics show it as closed.
    pub(super) hidden: AtomicBool,
    /// The number of the next attempt.
    pub(super) next: AtomicU64,
    pub(super) inner: Lock<Inner>,
}

#[derive(Debug)]
pub(super) struct Inner {
    pub(super) state: State,
    pub(super) window: Window,
    pub(super) in_flight: InFlightAttempts,
    /// Attempts in flight although it is not closed, because no other candidate was left.
    last_resorts: u32,
    /// Probes that have failed in a row.
    pub(super) failed_probes: u32,
    /// Changes with each change of state: attempts that were let through before it do not count for it.
    pub(super) era: u64,
    /// What it last opened by: attempts, failed, slow.
    pub(super) opened_by: (u32, u32, u32),
    /// The number of the first attempt since it last opened.
    pub(super) first: u64,
    used: Instant,
}

impl Inner {
    /// Whether it was let through before the circuit last opened: those attempts counted then.
    const fn is_stale(&self, pass: Pass) -> bool {
        matches!(pass, Pass::Closed(number) if number < self.first)
    }

    /// An attempt has ended, and its place is free.
    fn end(&mut self, pass: Pass, now: Instant) {
        self.used = now;
        match (pass, &mut self.state) {
            (Pass::LastResort, _) => self.last_resorts = self.last_resorts.saturating_sub(1),
            (Pass::Probe(era), State::HalfOpen(trial)) if era == self.era => {
                trial.probes = trial.probes.saturating_sub(1);
            }
            (Pass::Probe(_) | Pass::Closed(_), _) => {}
        }
    }
}

pub(super) fn counts(window: &Window) -> (u32, u32, u32) {
    (window.calls(), window.failed(), window.slow())
}

impl Circuit {
    pub(super) fn new(
        (candidate, route): (Candidate, Route),
        policy: CircuitPolicy,
        circuits: Weak<CandidateMap<Self>>,
        now: Instant,
    ) -> Self {
        Self {
            candidate,
            route,
            policy,
            circuits,
            unguarded: AtomicBool::new(true),
            hidden: AtomicBool::new(false),
            next: AtomicU64::new(1),
            inner: Lock::new(Inner {
                state: State::Closed,
                window: Window::new(),
                in_flight: InFlightAttempts::new(),
                last_resorts: 0,
                failed_probes: 0,
                era: 0,
                opened_by: (0, 0, 0),
                first: 0,
                used: now,
            }),
        }
    }

    pub(super) const fn candidate(&self) -> &Candidate {
        &self.candidate
    }

    /// From when on an answer begins slowly, if that counts.
    pub(super) fn slow_after(&self) -> Option<Duration> {
        self.policy.slow.map(|(after, _)| after)
    }

    /// Lets one through, or says when to come back.
    pub(super) fn admit(&self, last_resort: bool) -> Result<Pass, Duration> {
        if self.unguarded.load(Ordering::Acquire) {
            return Ok(self.pass());
        }
        let (mut inner, now) = (self.inner.lock(), crate::util::now());
        // As long as it would be open again, had the probe failed.
        let lease = self.policy.open_after(inner.failed_probes);
        let refused = match &mut inner.state {
            State::Closed => return Ok(self.pass()),
            State::Returning { since, credit } => {
                let time = now.saturating_duration_since(*since);
                if time >= self.policy.return_over {
                    self.returned(&mut inner);
                    return Ok(self.pass());
                }
                let share = time.as_secs_f64() / self.policy.return_over.as_secs_f64();
                *credit += share.max(FIRST_SHARE);
                if last_resort || *credit >= 1.0 {
                    *credit = (*credit - 1.0).max(0.0);
                    return Ok(self.pass());
                }
                // The next attempt may be let through.
                Duration::ZERO
            }
            State::Open { until } if now < *until => *until - now,
            State::Open { .. } => {
                let mut trial = Trial::new(now);
                trial.lease(now, lease);
                self.enter(&mut inner, State::HalfOpen(trial));
                return Ok(Pass::Probe(inner.era));
            }
            // One whose lease has ended may never be polled again: the next one takes over.
            State::HalfOpen(trial) if trial.probes < self.policy.probes || trial.leased_until <= now => {
                trial.lease(now, lease);
                trial.probes = trial.probes.min(self.policy.probes);
                return Ok(Pass::Probe(inner.era));
            }
            State::HalfOpen(trial) => trial.leased_until - now,
        };
        if last_resort && inner.last_resorts < self.policy.last_resorts {
            inner.last_resorts += 1;
            return Ok(Pass::LastResort);
        }
        Err(refused)
    }

    fn pass(&self) -> Pass {
        Pass::Closed(self.next.fetch_add(1, Ordering::Relaxed))
    }

    /// An answer began, in time or slowly. Says by which number in the window it may still turn out broken, and whether the circuit
    /// has closed.
    pub(super) fn succeeded(&self, pass: Pass, slow: bool, now: Instant) -> (Option<u64>, bool) {
        let mut inner = self.inner.lock();
        inner.end(pass, now);
        if let Pass::Closed(number) = pass {
            inner.in_flight.succeeded(number);
        }
        let current = inner.era;
        let is_stale = inner.is_stale(pass);
        match (&mut inner.state, pass) {
            (State::Closed | State::Returning { .. }, _) if is_stale => {}
            (State::Closed | State::Returning { .. }, _) => {
                let number = self.completeness(&mut inner, Mark { failed: false, slow }, 0, now);
                return (Some(number), false);
            }
            (State::HalfOpen(trial), Pass::LastResort | Pass::Probe(_)) if pass.is_of(current) => {
                trial.successes += 1;
                if trial.successes >= self.policy.probe_successes {
                    self.close(&mut inner, now);
                    return (None, true);
                }
            }
            // It answers after all: the probes need not wait for their time.
            (State::Open { .. }, Pass::LastResort) => {
                if self.policy.probe_successes <= 1 {
                    self.close(&mut inner, now);
                    return (None, true);
                }
                let mut trial = Trial::new(now);
                trial.successes = 1;
                self.enter(&mut inner, State::HalfOpen(trial));
            }
            (State::HalfOpen(_) | State::Open { .. }, _) => {}
        }
        (None, false)
    }

    /// All circuits that it is one of, while they are there.
    pub(super) fn circuits(&self) -> Option<Arc<CandidateMap<Self>>> {
        self.circuits.upgrade()
    }

    /// Another one of the same upstream is back: this one may be, too, so it is probed at once, and its failed probes are forgiven.
    pub(super) fn probe_now(&self) {
        let (mut inner, now) = (self.inner.lock(), crate::util::now());
        if let State::Open { until } = &mut inner.state {
            *until = now.min(*until);
            inner.failed_probes = 0;
        }
    }

    /// An attempt failed in a way that counts against the candidate. `true` if the circuit would refuse the next one as well.
    pub(super) fn failed(&self, pass: Pass) -> bool {
        let (mut inner, now) = (self.inner.lock(), crate::util::now());
        inner.end(pass, now);
        // Those that began before it and may yet succeed: a failure is often quicker than a first token.
        let pending = match pass {
            Pass::Closed(number) => inner.in_flight.failed(number),
            Pass::Probe(_) | Pass::LastResort => 0,
        };
        match (&inner.state, pass) {
            (State::Closed | State::Returning { .. }, _) if inner.is_stale(pass) => {}
            (State::Closed | State::Returning { .. }, _) => {
                self.completeness(&mut inner, Mark::FAILED, pending, now);
            }
            (State::HalfOpen(_), Pass::Probe(era)) if era == inner.era => {
                inner.failed_probes = inner.failed_probes.saturating_add(1);
                self.open(&mut inner, now);
            }
            (State::HalfOpen(_) | State::Open { .. }, _) => {}
        }
        matches!(inner.state, State::Open { .. } | State::HalfOpen(_))
    }

    /// An answer that had begun was interrupted.
    pub(super) fn interrupted(&self, pass: Pass, number: Option<u64>) {
        let (mut inner, now) = (self.inner.lock(), crate::util::now());
        inner.used = now;
        match (&inner.state, pass) {
            (State::Closed | State::Returning { .. }, _) if inner.is_stale(pass) => return,
            (State::Closed | State::Returning { .. }, _) => {}
            // A probe that began well has failed after all.
            (State::HalfOpen(_), Pass::Probe(era)) if era == inner.era => {
                inner.failed_probes = inner.failed_probes.saturating_add(1);
                self.open(&mut inner, now);
                return;
            }
            (State::HalfOpen(_) | State::Open { .. }, _) => return,
        }
        inner.window.forget_stale(now, self.policy.window_time);
        if number.is_some_and(|number| inner.window.fail(number)) {
            self.open_if_over(&mut inner, 0, now);
        } else {
            self.completeness(&mut inner, Mark::FAILED, 0, now);
        }
    }

    /// An attempt ended without a word on the upstream's health.
    pub(super) fn ended_without_result(&self, pass: Pass) {
        let mut inner = self.inner.lock();
        match pass {
            Pass::Closed(number) => inner.in_flight.ended_without_result(number),
            Pass::Probe(_) | Pass::LastResort => inner.end(pass, crate::util::now()),
        }
    }

    pub(super) fn report(&self) -> CircuitReport {
        let (inner, now) = (self.inner.lock(), crate::util::now());
        let state = match inner.state {
            State::Closed => CircuitState::Closed,
            State::Returning { since, .. } if now.saturating_duration_since(since) >= self.policy.return_over => {
                CircuitState::Closed
            }
            State::Returning { .. } => CircuitState::Returning,
            State::Open { until } => CircuitState::Open {
                probes_in: until.saturating_duration_since(now),
            },
            State::HalfOpen(_) => CircuitState::HalfOpen,
        };
        let is_open = matches!(inner.state, State::Open { .. } | State::HalfOpen(_));
        let by_now = counts(&inner.window);
        let (attempts, failed, slow) = if is_open { inner.opened_by } else { by_now };
        CircuitReport {
            candidate: self.candidate.clone(),
            state,
            attempts,
            failed,
            slow,
            is_pinned: !self.route.is_free(),
        }
    }

    /// When it was last used, if it may be forgotten: a closed one, and one that was unused for longer than it may be open.
    pub(super) fn spare_since(&self, now: Instant) -> Option<Instant> {
        let inner = self.inner.lock();
        let unused = now.saturating_duration_since(inner.used);
        let is_closed = matches!(inner.state, State::Closed);
        (is_closed || unused > self.policy.longest_state()).then_some(inner.used)
    }
}
