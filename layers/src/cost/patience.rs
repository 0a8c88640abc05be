//! What becomes of an attempt that a budget refuses at first: it waits for reservations to end, then takes a shorter answer, if it may.

use std::time::Duration;

use tokio::time::Instant;

use super::plan::Plan;
use crate::{
    LlmRequest, UtcTime,
    budget::{Budgets, Decision, Refusal, ReserveRequest},
    call::Preparing,
};

/// The first pause before the reservation is requested again, if the store does not serve in turn. Each is twice as long as the one before, up to [`LONGEST_PAUSE`].
const FIRST_PAUSE: Duration = Duration::from_millis(10);

/// So long may reserved money lie free before a waiting attempt takes it.
const LONGEST_PAUSE: Duration = Duration::from_millis(250);

/// How an attempt requests its reservation.
#[derive(Debug)]
pub(super) struct Patience {
    /// Whether a part of the answer will do.
    takes_less: bool,
    may_shorten: bool,
    /// How long it may wait in all.
    limit: Duration,
    until: Option<Instant>,
    pause: Duration,
    /// How long it paused before it asked again.
    paused: Duration,
    /// When it began to wait for its turn.
    in_turn: Option<Instant>,
}

/// The longest wait for reservations to end that can be set: a day.
pub(super) const LONGEST_WAIT: Duration = Duration::from_secs(24 * 60 * 60);

/// What to do after a refusal.
pub(super) enum Next {
    /// Ask again at once.
    Ask,
    /// Ask again after this long.
    Pause(Duration),
    Refuse,
}

impl Patience {
    /// Waits only if the attempt may be shortened, too: otherwise another candidate is tried sooner than this one waits.
    pub(super) fn new(may_shorten: bool, limit: Duration) -> Self {
        let limit = if may_shorten { limit } else { Duration::ZERO };
        Self {
            takes_less: may_shorten && limit.is_zero(),
            may_shorten,
            limit,
            until: None,
            pause: FIRST_PAUSE,
            paused: Duration::ZERO,
            in_turn: None,
        }
    }

    /// How long it has waited for other reservations to end.
    pub(super) fn waited(&self) -> Duration {
        self.in_turn.map_or(Duration::ZERO, |since| since.elapsed()) + self.paused
    }

    /// What it waits for while a decision is not there.
    pub(super) const fn prepares(&self) -> Preparing {
        match self.in_turn {
            Some(_) => Preparing::Turn,
            None => Preparing::Reservation,
        }
    }

    /// When it waits no more; by the deadline the answer must have begun.
    fn until(&mut self, deadline: Option<Instant>) -> Instant {
        let limit = self.limit;
        *self.until.get_or_insert_with(|| {
            let limit = Instant::now() + limit;
            deadline.map_or(limit, |deadline| deadline.min(limit))
        })
    }

    /// Whether anything but the refusal can follow one.
    pub(super) fn ends_here(&self) -> bool {
        self.limit.is_zero() && (self.takes_less || !self.may_shorten)
    }

    /// Asks the budgets: for the whole first, later for what they have.
    pub(super) fn ask<R: LlmRequest>(
        &mut self,
        budgets: &Budgets,
        request: &R,
        plan: &mut Plan,
        at: UtcTime,
    ) -> Decision {
        let lines = plan.lines(budgets, request);
        let ask = ReserveRequest {
            lines,
            want: plan.want,
            at_least: plan.at_least(self.takes_less),
            at,
        };
        if self.limit.is_zero() {
            return budgets.reserve(ask);
        }
        let until = self.until(request.call().first_token_deadline());
        let decision = budgets.reserve_queued(ask, until);
        if matches!(decision, Decision::Later(_)) && budgets.has_queue() {
            self.in_turn.get_or_insert_with(Instant::now);
        }
        decision
    }

    /// What follows from a refusal; by the deadline the answer must have begun.
    pub(super) fn after(&mut self, refusal: &Refusal, deadline: Option<Instant>) -> Next {
        if refusal.is_reserved() && !self.limit.is_zero() {
            let until = self.until(deadline);
            let pause = self.pause.min(until.saturating_duration_since(Instant::now()));
            if !pause.is_zero() {
                self.pause = (self.pause * 2).min(LONGEST_PAUSE);
                self.paused += pause;
                return Next::Pause(pause);
            }
            self.limit = Duration::ZERO;
        }
        if self.may_shorten && !self.takes_less {
            self.takes_less = true;
            return Next::Ask;
        }
        Next::Refuse
    }
}
