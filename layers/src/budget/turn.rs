//! An attempt that waits for reservations to end, and takes its money in its turn.

use std::{
    future::Future,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
    time::Duration,
};

use tokio::time::{Instant, Sleep, sleep_until};

use super::{
    Decision, InMemoryBudgetStore, MAX_QUEUED_RESERVATIONS, Refusal, RefusalReason, Reservation, ReserveRequest,
    book::{refused, refused_by},
    slot::{Full, Share, Slot},
};
use crate::UtcTime;

const QUEUE_FULL: RefusalReason = RefusalReason::QueueFull {
    most: MAX_QUEUED_RESERVATIONS,
};

/// The clock of the windows counts in milliseconds: a wait for the next window is that long at least.
const LEAST_WAIT: Duration = Duration::from_millis(1);

/// Waits in the queue of the account that cannot carry it yet.
///
/// Dropped, it leaves the queue, and the next one is woken.
pub(super) struct QueuedReserve {
    store: InMemoryBudgetStore,
    ask: ReserveRequest,
    /// Its number among all that ever waited: it keeps its place if another account is in its way.
    number: u64,
    place: Arc<Slot>,
    until: Instant,
    /// Ends when the wait is over, when a window does that settles for it, or when it is to look at the queue again. Made when it is first
    /// polled, as that needs a runtime.
    timer: Option<Pin<Box<Sleep>>>,
}

impl QueuedReserve {
    /// Decides at once, if no other waits before and the money is there, or never will be; otherwise in its turn.
    pub(super) fn take(store: &InMemoryBudgetStore, mut ask: ReserveRequest, until: Instant) -> Decision {
        let decided = match store.shares(&mut ask.lines, ask.at) {
            Ok(shares) => {
                let spent = shares
                    .iter()
                    .enumerate()
                    .find_map(|(index, share)| never_fits(index, share, &ask));
                if let Some(full) = spent {
                    return Decision::Now(refused_by(ask, full, None).map_err(|(_, denied)| denied.refusal));
                }
                let is_busy = |share: &Share| !share.soft && share.slot.queue().is_busy();
                match shares.iter().position(is_busy).filter(|_| until > Instant::now()) {
                    Some(index) => {
                        let place = shares.get(index).map(|share| Arc::clone(&share.slot));
                        refused(ask, index, QUEUE_FULL, place)
                    }
                    None => InMemoryBudgetStore::decide_on(shares, ask),
                }
            }
            Err(index) => store.no_room(ask, index),
        };
        let (ask, denied) = match decided {
            Ok(reservation) => return Decision::Now(Ok(reservation)),
            Err(denied) => denied,
        };
        let waits = (denied.refusal.is_reserved() || denied.refusal.reason == QUEUE_FULL) && until > Instant::now();
        let Some(place) = denied.at.filter(|_| waits) else {
            return Decision::Now(Err(denied.refusal));
        };
        let Some(number) = store.begin_wait() else {
            let full = Refusal {
                reason: QUEUE_FULL,
                ..*denied.refusal
            };
            return Decision::Now(Err(Box::new(full)));
        };
        // It takes its place now, and not when it is first polled.
        place.queue().reserve_place(number, until);
        Decision::Later(Box::pin(Self {
            store: store.clone(),
            ask,
            number,
            place,
            until,
            timer: None,
        }))
    }

    /// What is there now.
    fn ask_now(&self) -> Result<Reservation, (Box<Refusal>, Option<Arc<Slot>>)> {
        let at = UtcTime::now();
        let ask = ReserveRequest {
            lines: self.ask.lines.clone(),
            at,
            ..self.ask
        };
        self.store
            .decide(ask)
            .map_err(|(_, denied)| (denied.refusal, denied.at))
    }

    /// Another of its accounts, if one that came before it waits there.
    fn earlier(&mut self) -> Option<Arc<Slot>> {
        if self.ask.lines.len() < 2 {
            return None;
        }
        let shares = self.store.shares(&mut self.ask.lines, UtcTime::now()).ok()?;
        let others = shares
            .iter()
            .filter(|share| !share.soft && !Arc::ptr_eq(&share.slot, &self.place));
        let mut before = others.filter(|share| share.slot.queue().has_before(self.number));
        before.next().map(|share| Arc::clone(&share.slot))
    }

    fn leave(&self) {
        self.place.queue().leave(self.number);
    }
}

/// Why this account never carries it in this window, whatever ends.
fn never_fits(index: usize, share: &Share, ask: &ReserveRequest) -> Option<Full> {
    let mut account = share.slot.lock();
    account.roll(share.period);
    // What needs nothing fits although more than the cap is spent.
    let fits = share.soft || account.unspent(share.cap) >= ask.at_least;
    (!fits).then(|| share.full(index, &account, ask.at_least))
}

impl Future for QueuedReserve {
    type Output = Result<Reservation, Box<Refusal>>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = &mut *self;
        loop {
            if Instant::now() >= this.until {
                // What is free is taken, as by any attempt that does not wait.
                let verdict = this.ask_now().map_err(|(refusal, _)| refusal);
                this.leave();
                return Poll::Ready(verdict);
            }
            // It enters before it asks, so that it is woken by what becomes free in between.
            let look = match this.place.queue().enter(this.number, cx.waker(), this.until) {
                Some(look) => Some(look),
                None => {
                    // The numbers are of all queues, so that two never wait for each other.
                    if let Some(place) = this.earlier() {
                        this.leave();
                        this.place = place;
                        continue;
                    }
                    match this.ask_now() {
                        Ok(reservation) => {
                            this.leave();
                            return Poll::Ready(Ok(reservation));
                        }
                        Err((refusal, Some(place))) if refusal.is_reserved() => {
                            if !Arc::ptr_eq(&place, &this.place) {
                                this.leave();
                                this.place = place;
                                continue;
                            }
                            // With the window, what is spent ends, too; in a rolling one some of it.
                            refusal.resets_in().map(|wait| Instant::now() + wait.max(LEAST_WAIT))
                        }
                        Err((refusal, _)) => {
                            this.leave();
                            return Poll::Ready(Err(refusal));
                        }
                    }
                }
            };
            let at = look.map_or(this.until, |look| look.min(this.until));
            let timer = this.timer.get_or_insert_with(|| Box::pin(sleep_until(at)));
            if timer.deadline() != at {
                timer.as_mut().reset(at);
            }
            ready!(timer.as_mut().poll(cx));
        }
    }
}

impl Drop for QueuedReserve {
    fn drop(&mut self) {
        self.leave();
        self.store.end_wait();
    }
}
