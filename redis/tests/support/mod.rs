//! Budgets in a store, and calls of them.

use std::{
    io,
    sync::{Arc, Mutex},
};

use redis::aio::MultiplexedConnection;
use tower_llm_layers::{
    Tags, UsdAmount, UtcTime,
    budget::{AccountRef, Budget, BudgetStore, Budgets, Decision, Refusal, Reservation, ReserveRequest},
};
use tower_llm_redis::{RedisBudgets, Store};
use tracing_subscriber::fmt::MakeWriter;

pub(crate) fn usd(text: &str) -> UsdAmount {
    text.parse().unwrap()
}

/// One budget over everything.
pub(crate) fn budgets(store: &Store, cap: &str) -> (Budgets, RedisBudgets) {
    let shared = store.budgets();
    let budget = Budget::usd("all", cap).unwrap();
    (Budgets::in_store([budget], Arc::new(shared.clone())).unwrap(), shared)
}

/// Asks for exactly this much on every budget.
pub(crate) async fn ask(store: &RedisBudgets, budgets: &Budgets, amount: &str) -> Result<Reservation, Box<Refusal>> {
    ask_between(store, budgets, amount, amount).await
}

pub(crate) async fn ask_between(
    store: &RedisBudgets,
    budgets: &Budgets,
    want: &str,
    at_least: &str,
) -> Result<Reservation, Box<Refusal>> {
    let ask = ReserveRequest::new(
        budgets.lines(&Tags::default(), "openrouter", "a/b"),
        usd(want),
        UtcTime::now(),
    )
    .at_least(usd(at_least));
    match store.reserve(ask) {
        Decision::Now(decision) => decision,
        Decision::Later(decision) => decision.await,
    }
}

/// The only account of one budget.
pub(crate) fn line(budgets: &Budgets) -> AccountRef {
    budgets.lines(&Tags::default(), "openrouter", "a/b").remove(0)
}

/// Settled, reserved, overrun, once all is delivered.
pub(crate) async fn stands(shared: &RedisBudgets, line: &AccountRef) -> [String; 3] {
    shared.flush().await;
    let state = shared.account(line).await.unwrap().unwrap();
    [state.settled, state.reserved, state.overrun].map(|amount| amount.to_string())
}

/// What is logged.
#[derive(Clone, Default)]
pub(crate) struct Logged(Arc<Mutex<Vec<u8>>>);

impl Logged {
    pub(crate) fn text(&self) -> String {
        String::from_utf8(self.0.lock().unwrap().clone()).unwrap()
    }
}

impl io::Write for Logged {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl MakeWriter<'_> for Logged {
    type Writer = Self;

    fn make_writer(&self) -> Self {
        self.clone()
    }
}

/// Listens to the log of this thread, until the guard is dropped.
pub(crate) fn listen() -> (Logged, tracing::subscriber::DefaultGuard) {
    let told = Logged::default();
    let subscriber = tracing_subscriber::fmt()
        .with_ansi(false)
        .with_writer(told.clone())
        .finish();
    (told, tracing::subscriber::set_default(subscriber))
}

/// How often the server has read from a client; once is for this question.
pub(crate) async fn reads(connection: &mut MultiplexedConnection) -> u64 {
    let info: String = redis::cmd("INFO").arg("stats").query_async(connection).await.unwrap();
    let line = info
        .lines()
        .find_map(|line| line.strip_prefix("total_reads_processed:"));
    line.unwrap().trim().parse().unwrap()
}
