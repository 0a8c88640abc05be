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
        budget::{AccountRef, BudgetStore, Decision, Hold, Refusal, RefusalReason, Reservation, ReserveRequest},
    },
};

use super::Weather;
use crate::setup::StoreMood;

/// One account, in millionths of a millionth of a dollar.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Account {
    /// The start of its window.
    pub(crate) window: u64,
    pub(crate) reserved: i128,
    /// What was spent out of reservations.
    pub(crate) covered: i128,
    /// What was spent beyond them.
    pub(crate) beyond: i128,
}

impl Account {
    /// Spends more, or less: what did not fit goes first.
    fn adjust(&mut self, by: i128) {
        let over = by.max(-self.beyond.max(0));
        self.beyond += over;
        self.covered += by - over;
    }
}

#[derive(Debug)]
struct Watch {
    accounts: Mutex<HashMap<Box<str>, Account>>,
    weather: Weather,
}

/// The store that is watched.
#[derive(Clone)]
pub(crate) struct WatchedStore {
    inner: Arc<dyn BudgetStore>,
    watch: Arc<Watch>,
}

impl WatchedStore {
    pub(crate) fn new(inner: Arc<dyn BudgetStore>, weather: Weather) -> Self {
        let accounts = Mutex::default();
        let watch = Arc::new(Watch { accounts, weather });
        Self { inner, watch }
    }

    /// How every account stands now.
    pub(crate) fn accounts(&self) -> HashMap<Box<str>, Account> {
        self.watch.accounts.lock().unwrap().clone()
    }
}

impl Watch {
    fn change(&self, lines: &[AccountRef], change: impl Fn(&mut Account)) {
        let now = UtcTime::now();
        let mut accounts = self.accounts.lock().unwrap();
        for line in lines {
            let account = accounts.entry(line.account.clone()).or_default();
            let window = line.budget.window().start(now).millis();
            if window > account.window {
                (account.window, account.covered, account.beyond) = (window, 0, 0);
            }
            change(account);
            let taken = account.reserved + account.covered;
            let cap = line.budget.cap().pico();
            if taken > cap && !line.budget.is_soft() {
                let told = format!("budget {:?}: {taken} of {cap} settled and reserved", line.account);
                self.weather.record.wrong(told);
            }
        }
    }

    fn hold(self: &Arc<Self>, lines: Vec<AccountRef>, inner: Reservation) -> Reservation {
        let amount = inner.amount();
        self.change(&lines, |account| account.reserved += amount.pico());
        let watch = Arc::clone(self);
        let inner = Some(inner);
        Reservation::new(amount, Box::new(WatchedHold { watch, lines, inner }))
    }
}

impl BudgetStore for WatchedStore {
    fn reserve(&self, ask: ReserveRequest) -> Decision {
        let lines = ask.lines.clone();
        let (inner, watch) = (Arc::clone(&self.inner), Arc::clone(&self.watch));
        if self.watch.weather.mood == StoreMood::Local {
            return match inner.reserve(ask) {
                Decision::Now(verdict) => Decision::Now(verdict.map(|inner| watch.hold(lines, inner))),
                later @ Decision::Later(_) => later,
            };
        }
        Decision::Later(Box::pin(async move {
            if let (Err(cause), Some(line)) = (watch.weather.pass().await, lines.first()) {
                let reason = RefusalReason::StoreDown { cause };
                let refusal = Refusal::new(&line.budget, &line.account, reason, ask.at_least, ask.at);
                return Err(Box::new(refusal));
            }
            let verdict = match inner.reserve(ask) {
                Decision::Now(verdict) => verdict,
                Decision::Later(later) => later.await,
            };
            verdict.map(|inner| watch.hold(lines, inner))
        }))
    }

    fn serves_in_turn(&self) -> bool {
        self.watch.weather.mood == StoreMood::Local && self.inner.serves_in_turn()
    }

    fn reserve_in_turn(&self, ask: ReserveRequest, until: Instant) -> Decision {
        if !self.serves_in_turn() {
            return self.reserve(ask);
        }
        let (lines, watch) = (ask.lines.clone(), Arc::clone(&self.watch));
        match self.inner.reserve_in_turn(ask, until) {
            Decision::Now(verdict) => Decision::Now(verdict.map(|inner| watch.hold(lines, inner))),
            Decision::Later(later) => {
                Decision::Later(Box::pin(
                    async move { later.await.map(|inner| watch.hold(lines, inner)) },
                ))
            }
        }
    }

    fn adjust(&self, lines: &[AccountRef], by: UsdAmount, at: UtcTime) {
        let now = UtcTime::now();
        for line in lines {
            if line.budget.window().start(at) == line.budget.window().start(now) {
                let by = by.pico();
                self.watch
                    .change(std::slice::from_ref(line), |account| account.adjust(by));
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

impl Hold for WatchedHold {
    fn settle(mut self: Box<Self>, spent: UsdAmount) {
        let Some(inner) = self.inner.take() else { return };
        let (held, spent_pico) = (inner.amount().pico(), spent.pico());
        self.watch.change(&self.lines, |account| {
            account.reserved -= held;
            let covered = spent_pico.min(held);
            account.covered += covered;
            account.beyond += spent_pico - covered;
        });
        inner.settle(spent);
    }
}
