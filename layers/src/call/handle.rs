//! What the layers below an attempt write on its line.

use std::{fmt, sync::Arc, time::Duration};

use tokio::time::Instant;

use super::{Attempt, Candidate, Outcome, RouterAttempt, line::Sending, state::CallState};
use crate::{UsdAmount, util::bounded_name};

/// The line of one attempt, for whatever stands below [`AttemptLayer`](crate::attempt::AttemptLayer). It writes; it does not close the line.
///
/// A service of your own that refuses a request before it sends it calls [`not_sent`](Self::not_sent). One that sends requests itself, and knows
/// when the first byte is written, calls [`connecting`](Self::connecting) and then [`sending`](Self::sending): an attempt that ends between
/// the two was not sent. A service that calls neither has sent the request when it is called.
#[derive(Clone)]
pub struct AttemptHandle {
    pub(super) state: Arc<CallState>,
    pub(super) index: usize,
    /// The attempt's number in its call, from 1.
    pub(super) number: u32,
    /// Whether this exchange is not the first one of its attempt, so that nothing but this handle ends its line.
    pub(super) is_repeat: bool,
}

/// What an attempt waits for on our side before it is sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Preparing {
    /// The budgets' store decides on its reservation.
    Reservation,
    /// It is its turn to take reserved money only after others: it waits for a bounded time, which no time limit counts.
    Turn,
    /// A provider fetches its key.
    Key,
}

/// How an exchange ended.
pub(crate) struct ExchangeEnd {
    pub(crate) outcome: Outcome,
    pub(crate) is_sent: bool,
    /// What it cost, and whether that is an estimate.
    pub(crate) cost: Option<(UsdAmount, bool)>,
    pub(crate) first_token: Option<Duration>,
    pub(crate) duration: Duration,
}

impl AttemptHandle {
    /// Which attempt of its call this is, from 1.
    #[must_use]
    pub const fn number(&self) -> u32 {
        self.number
    }

    /// The attempt was refused on our side: it counts nowhere as sent, it costs nothing, and no ledger entry is written. Call it before you return the error.
    pub fn not_sent(&self) {
        self.state.change(self.index, |line| line.is_sent = false);
    }

    /// The request waits for a connection, and no byte of its body is written before [`sending`](Self::sending) is called. If the attempt ends
    /// before that, by a timeout, a deadline or a caller that leaves, it counts nowhere as sent, it costs nothing, and no ledger entry is written.
    ///
    /// If the service fails by itself without a connection, it calls `sending` before it returns the error: an upstream that cannot be reached
    /// is an attempt that counts.
    pub fn connecting(&self) {
        self.state.change(self.index, |line| {
            if line.sending == Sending::Untold {
                line.sending = Sending::Connecting;
            }
        });
    }

    /// The request may have been sent from now on. Returns `false` if the attempt ended while it waited for a connection: it is recorded as not
    /// sent, so the service must not send it.
    pub fn sending(&self) -> bool {
        let mut may_send = true;
        self.state.change(self.index, |line| match line.sending {
            Sending::Withdrawn => may_send = false,
            Sending::Untold | Sending::Connecting | Sending::Begun => line.sending = Sending::Begun,
        });
        may_send
    }

    /// The attempt waits for this before it is sent.
    #[cfg(any(feature = "auth", feature = "cost"))]
    pub(crate) fn prepares(&self, what: Preparing) {
        let now = crate::util::now();
        self.state.change(self.index, |line| {
            line.is_sent = false;
            line.preparing = Some((what, now, line.local_wait));
        });
    }

    /// What it prepares is a wait in turn from now on: the time since it began to prepare counts as that wait.
    #[cfg(feature = "cost")]
    pub(crate) fn waits_in_turn(&self) {
        self.state.change(self.index, |line| {
            if let Some((what, ..)) = &mut line.preparing {
                *what = Preparing::Turn;
            }
        });
    }

    /// What it waited for is there, and it is sent now.
    #[cfg(any(feature = "auth", feature = "cost"))]
    pub(crate) fn sent(&self) {
        let now = crate::util::now();
        self.state.change(self.index, |line| {
            line.is_sent = true;
            if let Some((_, since, before)) = line.preparing.take() {
                let waited = before + now.saturating_duration_since(since);
                line.local_wait = line.local_wait.max(waited);
            }
        });
    }

    /// What the attempt waits for now, before it is sent, and the candidate it is for. If a service below sent it again, what counts is its
    /// latest exchange.
    pub(crate) fn preparing(&self) -> Option<(Preparing, Option<Candidate>)> {
        let lines = self.state.lines();
        let line = CallState::exchanges(&lines, self.index).next_back()?;
        Some((line.preparing?.0, line.candidate.clone()))
    }

    /// Whether it was sent, now that it ends: nothing below has refused to send it, or is still preparing it, or waits for a connection. In the
    /// last case it is withdrawn: it must not be sent any more.
    pub(crate) fn was_sent(&self) -> bool {
        let mut was_sent = true;
        self.state.change(self.index, |line| {
            line.withdraw();
            was_sent = line.is_sent;
        });
        was_sent
    }

    /// The same of all exchanges of the attempt, if a service below sent the request again.
    pub(crate) fn was_ever_sent(&self) -> bool {
        let mut lines = self.state.lines();
        let own = |(at, line): &(usize, &mut Attempt)| *at == self.index || line.repeats == Some(self.index);
        let own = lines.iter_mut().enumerate().filter(own);
        own.fold(false, |was_sent, (_, line)| {
            line.withdraw();
            was_sent | line.is_sent
        })
    }

    /// Notes why the request or the call was changed, in a few words.
    pub fn note(&self, note: &str) {
        self.state.change(self.index, |line| line.note = Some(note.into()));
    }

    /// This provider behind the upstream serves the attempt. Of a name longer than 256 bytes the beginning is kept.
    pub fn served_by(&self, provider: &str) {
        let provider = bounded_name(provider);
        self.state.change(self.index, |line| line.provider = Some(provider));
    }

    /// The candidate that the attempt is for.
    pub(crate) fn candidate(&self) -> Option<Candidate> {
        self.state.lines().get(self.index)?.candidate.clone()
    }

    /// The provider that serves the attempt, if the router has named it by now.
    pub(crate) fn provider(&self) -> Option<Box<str>> {
        let lines = self.state.lines();
        CallState::exchanges(&lines, self.index).next_back()?.provider.clone()
    }

    /// Bytes of a plain answer have come: a silence after them is limited like that of a stream.
    pub fn received(&self) {
        let now = crate::util::now();
        self.state.change(self.index, |line| line.received = Some(now));
    }

    /// When they came last.
    pub(crate) fn received_last(&self) -> Option<Instant> {
        let lines = self.state.lines();
        CallState::exchanges(&lines, self.index).next_back()?.received
    }

    /// The attempt waits this long for something of ours before it is sent.
    #[cfg(feature = "cost")]
    pub(crate) fn waits(&self, pause: Duration) {
        self.state.change(self.index, |line| line.local_wait += pause);
    }

    /// How long it has waited for something of ours in all its exchanges, a wait that has begun included.
    pub(crate) fn local_wait(&self) -> Duration {
        let now = crate::util::now();
        let lines = self.state.lines();
        let waits = CallState::exchanges(&lines, self.index).map(|line| match line.preparing {
            Some((Preparing::Turn, since, before)) => {
                line.local_wait.max(before + now.saturating_duration_since(since))
            }
            _ => line.local_wait,
        });
        waits.sum()
    }

    #[cfg(feature = "cost")]
    pub(crate) fn call_id(&self, at: crate::UtcTime) -> super::CallId {
        self.state.id(at)
    }

    /// The answer of this exchange has begun. Recorded by the guard, unless this is a repeated exchange.
    pub(crate) fn exchange_began(&self, after: Duration) {
        if self.is_repeat {
            self.state.change(self.index, |line| {
                line.outcome = Outcome::Answering;
                line.first_token = Some(after);
            });
        }
    }

    /// This exchange has failed. If a service below the attempt repeats it, this is how its line ends.
    pub(crate) fn exchange_failed(&self, status: Option<u16>, retry_after: Option<Duration>, summary: String) {
        self.state.change(self.index, |line| {
            line.status = status;
            line.retry_after = retry_after;
            line.summary = Some(summary.into());
        });
    }

    /// The answer of the attempt has begun, so long after its start. Of an attempt that was sent again below, each exchange writes that itself.
    pub(crate) fn began(&self, after: Duration) {
        self.change_whole(|line| {
            line.outcome = Outcome::Answering;
            line.first_token = Some(after.saturating_sub(line.local_wait));
        });
    }

    /// What the router tried by itself.
    pub(crate) fn routed(&self, attempts: Vec<RouterAttempt>) {
        self.change_whole(|line| line.router_attempts = attempts.into());
    }

    /// The attempt has ended: `end` writes how, unless a service below sent the request again. `ended` reads the line as it ended.
    pub(crate) fn close(&self, end: impl FnOnce(&mut Attempt), ended: impl FnOnce(&Attempt)) {
        self.state.change(self.index, |line| {
            line.withdraw();
            if line.exchanges <= 1 {
                end(line);
            }
            ended(line);
        });
    }

    /// Writes, unless a service below sent the request again: then each exchange writes its own line.
    fn change_whole(&self, change: impl FnOnce(&mut Attempt)) {
        self.state.change(self.index, |line| {
            if line.exchanges <= 1 {
                change(line);
            }
        });
    }

    /// This exchange has ended so, and cost so much. The guard of the attempt writes its own end after this, unless the exchange was
    /// repeated: then `ended` reads the line as it ended.
    pub(crate) fn exchange_ended(&self, end: &ExchangeEnd, ended: impl FnOnce(&Attempt)) {
        self.state.change(self.index, |line| {
            line.outcome = end.outcome;
            line.first_token = line.first_token.or(end.first_token);
            line.duration = Some(end.duration);
            line.withdraw();
            line.is_sent &= end.is_sent;
            if let Some((cost, is_estimate)) = end.cost {
                line.cost = Some(cost);
                line.cost_is_estimate = is_estimate;
            }
            if self.is_repeat {
                ended(line);
            }
        });
    }
}

impl fmt::Debug for AttemptHandle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AttemptHandle")
            .field("number", &self.number)
            .finish_non_exhaustive()
    }
}
