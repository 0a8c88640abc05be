//! Bugs in a budget store and in a ledger.

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};

use tower_openrouter::{
    UsdAmount,
    layers::{
        UtcTime,
        budget::{AccountRef, BudgetStore, Decision, Reservation, ReservationHandle, ReserveRequest},
        ledger::{Correction, Entry, Ledger},
    },
};

/// Forgets what each so many-th reservation cost; with zero, reservations that end for nothing stay.
#[derive(Debug)]
pub(super) struct Forgetful {
    store: Arc<dyn BudgetStore>,
    each: u64,
    count: AtomicU64,
}

impl Forgetful {
    pub(super) fn new(store: Arc<dyn BudgetStore>, each: u64) -> Self {
        let count = AtomicU64::new(0);
        Self { store, each, count }
    }
}

impl BudgetStore for Forgetful {
    fn reserve(&self, ask: ReserveRequest) -> Decision {
        let count = self.count.fetch_add(1, Ordering::Relaxed) + 1;
        match self.store.reserve(ask) {
            Decision::Now(Ok(inner)) => {
                let hold = ForgetfulHold {
                    forgets: self.each > 0 && count.is_multiple_of(self.each),
                    leaks: self.each == 0,
                    inner: Some(inner),
                };
                let amount = hold.inner.as_ref().map_or(UsdAmount::ZERO, Reservation::amount);
                Decision::Now(Ok(Reservation::new(amount, Box::new(hold))))
            }
            other => other,
        }
    }

    fn adjust(&self, lines: &[AccountRef], by: UsdAmount, at: UtcTime) {
        self.store.adjust(lines, by, at);
    }

    fn is_durable(&self) -> bool {
        self.store.is_durable()
    }
}

#[derive(Debug)]
struct ForgetfulHold {
    forgets: bool,
    leaks: bool,
    inner: Option<Reservation>,
}

impl ReservationHandle for ForgetfulHold {
    fn settle(mut self: Box<Self>, spent: UsdAmount) {
        let Some(inner) = self.inner.take() else { return };
        if self.leaks && spent == UsdAmount::ZERO {
            // It is never dropped, as by a store that counts on its caller.
            std::thread_local! { static LEAKED: std::cell::RefCell<Vec<Reservation>> = const { std::cell::RefCell::new(Vec::new()) }; }
            LEAKED.with_borrow_mut(|leaked| leaked.push(inner));
            return;
        }
        inner.settle(if self.forgets { UsdAmount::ZERO } else { spent });
    }
}

/// Forgets what was spent when the clock goes back.
#[derive(Debug)]
pub(super) struct Unsettled {
    store: Arc<dyn BudgetStore>,
    last: AtomicU64,
}

impl Unsettled {
    pub(super) fn new(store: Arc<dyn BudgetStore>) -> Self {
        let last = AtomicU64::new(0);
        Self { store, last }
    }
}

impl BudgetStore for Unsettled {
    fn reserve(&self, ask: ReserveRequest) -> Decision {
        let at = ask.at.millis();
        if at < self.last.swap(at, Ordering::Relaxed) {
            self.store.reset(&ask.lines);
        }
        self.store.reserve(ask)
    }

    fn adjust(&self, lines: &[AccountRef], by: UsdAmount, at: UtcTime) {
        self.store.adjust(lines, by, at);
    }

    fn is_durable(&self) -> bool {
        self.store.is_durable()
    }
}

/// Loses each fifth entry.
#[derive(Debug)]
pub(super) struct Lossy<L> {
    ledger: Arc<L>,
    count: AtomicU64,
}

impl<L> Lossy<L> {
    pub(super) fn new(ledger: Arc<L>) -> Self {
        let count = AtomicU64::new(0);
        Self { ledger, count }
    }
}

impl<L: Ledger> Ledger for Lossy<L> {
    fn record(&self, entry: &Entry) {
        if !(self.count.fetch_add(1, Ordering::Relaxed) + 1).is_multiple_of(5) {
            self.ledger.record(entry);
        }
    }

    fn correct(&self, correction: &Correction) {
        self.ledger.correct(correction);
    }
}
