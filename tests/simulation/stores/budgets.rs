//! A budget store in front of the stack's own: keeps its own account of every reservation, and compares at every instant.

use std::{
    collections::HashMap,
    fmt,
    sync::{Arc, Mutex},
};

use tokio::time::Instant;
use tower_openrouter::{
    UsdAmount,
    layers::{
        UtcTime,
        budget::{
            AccountRef, Budget, BudgetStore, Decision, Refusal, RefusalReason, Reservation, ReservationHandle,
            ReserveRequest, Window,
        },
    },
};

use super::{Account, Wall, Weather};
use crate::setup::StoreMood;

#[derive(Debug)]
struct Watch {
    accounts: Mutex<HashMap<Box<str>, Account>>,
    weather: Weather,
    wall: Wall,
    /// When an account was last looked at.
    looked: Mutex<UtcTime>,
}

/// The store that is watched.
#[derive(Clone)]
pub(crate) struct WatchedStore {
    inner: Arc<dyn BudgetStore>,
    watch: Arc<Watch>,
}

impl WatchedStore {
    pub(crate) fn new(inner: Arc<dyn BudgetStore>, weather: Weather, wall: Wall) -> Self {
        let watch = Arc::new(Watch {
            accounts: Mutex::default(),
            weather,
            wall,
            looked: Mutex::new(UtcTime::now()),
        });
        Self { inner, watch }
    }

    /// How every account stands now.
    pub(crate) fn accounts(&self) -> HashMap<Box<str>, Account> {
        self.watch.accounts.lock().unwrap().clone()
    }
}

impl Watch {
    /// The store may have looked at these accounts: at any time since the last change, if one waits in its queue, and at this one.
    fn look(&self, lines: &[AccountRef], at: UtcTime) {
        let now = UtcTime::now();
        let before = std::mem::replace(&mut *self.looked.lock().unwrap(), now);
        let mut accounts = self.accounts.lock().unwrap();
        for line in lines {
            let account = accounts.entry(line.account.clone()).or_default();
            for at in [before, now, at] {
                account.look(&line.budget, at, false);
            }
        }
    }

    /// Changes the accounts as the store does at this time.
    fn change(&self, lines: &[AccountRef], at: UtcTime, change: impl Fn(&mut Account, &Budget)) {
        self.look(lines, at);
        let mut accounts = self.accounts.lock().unwrap();
        for line in lines {
            let account = accounts.entry(line.account.clone()).or_default();
            account.look(&line.budget, at, true);
            change(account, &line.budget);
            let (taken, cap) = (account.taken(), line.budget.cap().pico());
            if taken > cap && !line.budget.is_soft() {
                let told = format!(
                    "invariant 5: budget {:?}: {taken} of {cap} settled and reserved",
                    line.account
                );
                self.weather.record.wrong(told);
            }
        }
    }

    fn hold(self: &Arc<Self>, lines: Vec<AccountRef>, at: UtcTime, inner: Reservation) -> Reservation {
        let amount = inner.amount();
        self.change(&lines, at, |account, _| account.reserved += amount.pico());
        let watch = Arc::clone(self);
        let inner = Some(inner);
        Reservation::new(amount, Box::new(WatchedHold { watch, lines, inner }))
    }

    /// The request with the time that the clock shows.
    fn stepped(&self, mut ask: ReserveRequest) -> ReserveRequest {
        ask.at = self.wall.shows(ask.at);
        self.look(&ask.lines, ask.at);
        ask
    }
}

impl BudgetStore for WatchedStore {
    fn reserve(&self, ask: ReserveRequest) -> Decision {
        let lines = ask.lines.clone();
        let (inner, watch) = (Arc::clone(&self.inner), Arc::clone(&self.watch));
        if self.watch.weather.mood == StoreMood::Local {
            let ask = watch.stepped(ask);
            let at = ask.at;
            return match inner.reserve(ask) {
                Decision::Now(verdict) => Decision::Now(verdict.map(|inner| watch.hold(lines, at, inner))),
                later @ Decision::Later(_) => later,
            };
        }
        Decision::Later(Box::pin(async move {
            if let (Err(cause), Some(line)) = (watch.weather.pass().await, ask.first_hard_line()) {
                let reason = RefusalReason::StoreDown { cause };
                let refusal = Refusal::new(&line.budget, &line.account, reason, ask.at_least, ask.at);
                return Err(Box::new(refusal));
            }
            let ask = watch.stepped(ask);
            let at = ask.at;
            let verdict = match inner.reserve(ask) {
                Decision::Now(verdict) => verdict,
                Decision::Later(later) => later.await,
            };
            verdict.map(|inner| watch.hold(lines, at, inner))
        }))
    }

    fn has_queue(&self) -> bool {
        self.watch.weather.mood == StoreMood::Local && self.inner.has_queue()
    }

    fn reserve_queued(&self, ask: ReserveRequest, until: Instant) -> Decision {
        if !self.has_queue() {
            return self.reserve(ask);
        }
        let (lines, watch) = (ask.lines.clone(), Arc::clone(&self.watch));
        let ask = watch.stepped(ask);
        let at = ask.at;
        match self.inner.reserve_queued(ask, until) {
            Decision::Now(verdict) => Decision::Now(verdict.map(|inner| watch.hold(lines, at, inner))),
            Decision::Later(later) => Decision::Later(Box::pin(async move {
                // In its turn it asks at the time of day as it is.
                later.await.map(|inner| watch.hold(lines, UtcTime::now(), inner))
            })),
        }
    }

    fn adjust(&self, lines: &[AccountRef], by: UsdAmount, at: UtcTime) {
        let (now, at) = (UtcTime::now(), self.watch.wall.shows(at));
        for line in lines {
            let budget = &line.budget;
            let counts = match budget.window() {
                Window::Rolling(span) => at.after(span) > now,
                _ => budget.window_start(at) == budget.window_start(now),
            };
            if counts {
                let line = std::slice::from_ref(line);
                self.watch.change(line, now, |account, budget| {
                    account.adjust(budget, at.min(now), by.pico());
                });
            }
        }
        self.inner.adjust(lines, by, at);
    }

    fn is_durable(&self) -> bool {
        false
    }
}

impl fmt::Debug for WatchedStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("WatchedStore")
    }
}

#[derive(Debug)]
struct WatchedHold {
    watch: Arc<Watch>,
    lines: Vec<AccountRef>,
    inner: Option<Reservation>,
}

impl ReservationHandle for WatchedHold {
    fn settle(mut self: Box<Self>, spent: UsdAmount) {
        let Some(inner) = self.inner.take() else { return };
        let (held, spent_pico, now) = (inner.amount().pico(), spent.pico(), UtcTime::now());
        self.watch.change(&self.lines, now, |account, budget| {
            account.settle(budget, now, held, spent_pico);
        });
        inner.settle(spent);
    }
}
