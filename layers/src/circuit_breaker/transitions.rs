//! How a circuit changes from state to state, and what it reports of that.

use std::sync::atomic::Ordering;

use tokio::time::Instant;

use super::{
    circuit::{Circuit, Inner, counts},
    state::State,
};
use crate::{
    events::{EventKind, emit},
    metering,
    util::Mark,
};

impl Circuit {
    pub(super) fn completeness(&self, inner: &mut Inner, mark: Mark, pending: u32, now: Instant) -> u64 {
        let policy = &self.policy;
        let number = inner
            .window
            .push((mark, ()), now, policy.window_calls, policy.window_time);
        // Only what is bad can open it.
        if mark.failed || mark.slow {
            self.open_if_over(inner, pending, now);
        }
        number
    }

    pub(super) fn open_if_over(&self, inner: &mut Inner, pending: u32, now: Instant) {
        let (calls, failed, slow) = (inner.window.calls(), inner.window.failed(), inner.window.slow());
        let all = f64::from(calls) + f64::from(pending);
        let over = |count: u32, ratio: f64| f64::from(count) >= ratio * all;
        let too_slow = self.policy.slow.is_some_and(|(_, ratio)| over(slow, ratio));
        if calls >= self.policy.min_calls && (over(failed, self.policy.error_ratio) || too_slow) {
            self.open(inner, now);
        }
    }

    pub(super) fn open(&self, inner: &mut Inner, now: Instant) {
        let open_for = self.policy.open_after(inner.failed_probes);
        tracing::warn!(
            model = self.candidate.model(),
            upstream = self.candidate.upstream(),
            attempts = inner.window.calls(),
            failed = inner.window.failed(),
            slow = inner.window.slow(),
            failed_probes = inner.failed_probes,
            ?open_for,
            "circuit opened"
        );
        emit(|| EventKind::CircuitOpened {
            candidate: self.candidate.clone(),
            open_for,
        });
        // A probe that fails changes nothing.
        if inner.window.calls() > 0 {
            inner.opened_by = counts(&inner.window);
        }
        inner.window.clear();
        self.enter(inner, State::Open { until: now + open_for });
    }

    pub(super) fn close(&self, inner: &mut Inner, now: Instant) {
        tracing::info!(
            model = self.candidate.model(),
            upstream = self.candidate.upstream(),
            return_over = ?self.policy.return_over,
            "circuit closed"
        );
        emit(|| EventKind::CircuitClosed {
            candidate: self.candidate.clone(),
        });
        inner.window.clear();
        // The first one passes.
        let credit = 1.0;
        self.enter(inner, State::Returning { since: now, credit });
        if self.policy.return_over.is_zero() {
            self.returned(inner);
        }
    }

    /// All traffic is back, and what was is forgotten.
    pub(super) fn returned(&self, inner: &mut Inner) {
        inner.failed_probes = 0;
        self.enter(inner, State::Closed);
    }

    /// Its candidate is called no more: its metric shows a closed circuit, whatever attempts that are in flight do.
    pub(super) fn hide(&self) {
        let _inner = self.inner.lock();
        if !self.hidden.swap(true, Ordering::Relaxed) && self.route.is_free() {
            metering::circuit_shown(&self.candidate, State::Closed.label_and_level().1);
        }
    }

    /// Its candidate is called again: its metric shows its state.
    pub(super) fn show(&self) {
        let inner = self.inner.lock();
        if self.hidden.swap(false, Ordering::Relaxed) && self.route.is_free() {
            metering::circuit_shown(&self.candidate, inner.state.label_and_level().1);
        }
    }

    pub(super) fn enter(&self, inner: &mut Inner, state: State) {
        if matches!(state, State::HalfOpen(_)) {
            tracing::info!(
                model = self.candidate.model(),
                upstream = self.candidate.upstream(),
                "circuit half-open"
            );
            emit(|| EventKind::CircuitProbed {
                candidate: self.candidate.clone(),
            });
        }
        let (name, level) = state.label_and_level();
        if self.route.is_free() && !self.hidden.load(Ordering::Relaxed) {
            metering::circuit_entered(&self.candidate, name, level);
        }
        inner.state = state;
        inner.era += 1;
        let next = self.next.load(Ordering::Relaxed);
        if matches!(state, State::Open { .. }) {
            inner.first = next;
        }
        inner.in_flight.restart(next);
        self.unguarded.store(matches!(state, State::Closed), Ordering::Release);
    }
}
