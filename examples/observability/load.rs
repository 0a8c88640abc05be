//! The load of the example: a stack over a simulator whose first model fails, and calls of three teams. The test of the dashboards uses it, too.

use std::{error::Error, path::Path, sync::Arc, time::Duration};

use futures_util::{StreamExt, stream};
use openrouter_simulator::Simulator;
use tokio::time::Instant;
use tower_openrouter::{
    Account, ApiKey, Catalogue, ChatRequest, ChatServiceExt, Stack, Tags, Transport,
    degrade::CannedReply,
    layers::{
        adaptive_concurrency::{ConcurrencyLimits, ConcurrencyPolicy},
        budget::{Budget, Budgets, InMemoryBudgetStore, Window},
        cache::Cache,
        observe::{ObserveLayer, record_budgets, record_ledger},
        rate_limit::{Limits, Rate},
        resume::ResumeLayer,
        retry::Exponential,
    },
    ledger::{DatabaseLedger, LedgerOptions},
    request::Effort,
    stack::{ChatCache, StackBuilder, TenantKey},
    transport::{Dialect, OPENROUTER, Upstream},
};

/// It fails, until its circuit opens.
pub(crate) const FAILING: &str = "anthropic/claude-sonnet-4.5";
/// It asks for a pause now and then.
const LIMITED: &str = "openai/gpt-5";
/// Its first streams are interrupted.
pub(crate) const GOOD: &str = "openai/gpt-4o-mini";

/// Calls at once.
const AT_ONCE: usize = 6;

/// The simulator, and what stands over it.
pub(crate) struct Service {
    pub(crate) simulator: Simulator,
    /// The whole chain.
    pub(crate) stack: Stack,
    /// The model that fails, and a canned reply in its place.
    degrading: Stack,
    /// The model that fails, and nothing else.
    failing: Stack,
    accounts: InMemoryBudgetStore,
    ledger: DatabaseLedger,
}

impl Service {
    /// Starts it; the ledger is in this file.
    pub(crate) async fn start(ledger: &Path) -> Result<Self, Box<dyn Error>> {
        let simulator = Simulator::builder()
            .seed(7)
            .piece_delay(Duration::from_millis(5))
            .start()
            .await?;
        simulator.plan(FAILING, "503;no-hint")?;
        simulator.plan(LIMITED, "2xok,30%429;retry-after=1")?;
        simulator.plan(GOOD, "4xcut@6,ok")?;
        let upstream = Upstream::new(OPENROUTER, &simulator.base_url(), Dialect::OpenRouter)?;
        let key = ApiKey::new("sk-or-v1-simulated")?;
        let transport = Transport::builder().upstream(upstream.clone()).build()?;
        let account = Account::new(transport, upstream.clone(), Some(key.clone()));
        let catalogue = Arc::new(Catalogue::new(account.models().await?));
        let ledger = LedgerOptions::sqlite(ledger).open().await?;
        let accounts = InMemoryBudgetStore::new();
        let budgets = Budgets::in_store(
            [
                Budget::usd("tenant-day", "5.00")?.per(Window::Day).each("tenant"),
                // The trial's money is gone with the first calls.
                Budget::usd("trial", "0.002")?.only("tenant", "trial"),
                Budget::max_per_hour("20".parse()?)?.soft(),
            ],
            Arc::new(accounts.clone()),
        )?;
        ledger.restore(&budgets).await?;
        // One for all three stacks, so that its labels are the same.
        let observe = ObserveLayer::new().tags(["team"]);
        let base = || -> StackBuilder {
            Stack::builder()
                .upstream(upstream.clone(), key.clone())
                .backoff(Exponential::new(Duration::from_millis(5), Duration::from_millis(20)))
                .observe(observe.clone())
        };
        let stack = base()
            .chain([FAILING, LIMITED, GOOD])
            .prices(catalogue)
            .budgets(budgets)
            .ledger(Arc::new(ledger.clone()))
            .resume(ResumeLayer::new())
            .cache(ChatCache::new(Cache::new(1 << 20), TenantKey::tag("tenant")))
            .adaptive_concurrency(ConcurrencyLimits::new(ConcurrencyPolicy::new())?)
            .tenant_limits(
                Limits::new().requests(Rate::new(40, Duration::from_secs(1))?.burst(4)?),
                TenantKey::global(),
                Duration::from_secs(2),
            )
            .build()?;
        let degrading = base()
            .chain([FAILING])
            .canned_reply(CannedReply::text("Later."))
            .build()?;
        let failing = base().chain([FAILING]).build()?;
        Ok(Self {
            simulator,
            stack,
            degrading,
            failing,
            accounts,
            ledger,
        })
    }

    /// Calls of three teams, for so long.
    pub(crate) async fn load(&self, time: Duration) {
        let ends = Instant::now() + time;
        let numbers = stream::iter(0..).take_while(|_| std::future::ready(Instant::now() < ends));
        numbers
            .for_each_concurrent(AT_ONCE, |number: usize| self.call(number))
            .await;
    }

    async fn call(&self, number: usize) {
        let team = match number % 3 {
            0 => "search",
            1 => "support",
            _ => "billing",
        };
        let tenant = if number.is_multiple_of(7) { "trial" } else { "acme" };
        let stack = match number % 10 {
            8 => &self.degrading,
            9 => &self.failing,
            _ => &self.stack,
        };
        // One in five is the same question.
        let question = if number.is_multiple_of(5) { 0 } else { number };
        let Ok(tags) = Tags::new([("team", team), ("tenant", tenant)]) else {
            return;
        };
        let request = ChatRequest::user(format!("Question {question}: why is the sky blue?"))
            .max_tokens(400)
            .reasoning_effort(Effort::Low)
            .tags(tags);
        // How it ends is what the metrics are to show.
        if number.is_multiple_of(3) {
            drop(stack.complete(request).await);
        } else if let Ok(answer) = stack.stream(request).await {
            drop(answer.text().await);
        }
    }

    /// Sets the gauges of what stands by itself: before each scrape.
    pub(crate) fn record(&self) {
        record_budgets(&self.accounts.accounts());
        record_ledger(self.ledger.waiting(), self.ledger.lost());
    }

    /// Writes what waits for the ledger: entries written, entries lost.
    pub(crate) async fn close(&self) -> (u64, u64) {
        let closed = self.ledger.close().await;
        (closed.written, closed.lost)
    }
}
