//! What was spent with a client key, in the windows that OpenRouter's SDKs read.

use std::{collections::HashMap, sync::Arc, time::Duration};

use tokio::{
    sync::{Mutex, Semaphore},
    time::{Instant, timeout},
};
use tower_openrouter::{
    UsdAmount,
    layers::{UtcTime, budget::Window, ledger::Spend},
    ledger::{DatabaseLedger, Filter, LedgerError},
};

use crate::{accounts::BudgetState, keys};

/// How long an answer of the ledger is good for: a client that asks again and again costs the database nothing.
const FRESH: Duration = Duration::from_secs(5);
/// Keys whose answers are kept.
const MOST_KEPT: usize = 1_000;
/// Keys that are summed at once.
const AT_ONCE: usize = 2;
/// How long the ledger may take.
const PATIENCE: Duration = Duration::from_secs(2);

/// What was spent with a key: ever, and in the current day, week and month of UTC.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Usage {
    pub(super) ever: UsdAmount,
    pub(super) day: UsdAmount,
    pub(super) week: UsdAmount,
    pub(super) month: UsdAmount,
}

impl Usage {
    /// With what budgets say that the ledger has not written yet, or that no ledger keeps.
    pub(super) fn with(mut self, budgets: &[BudgetState]) -> Self {
        for budget in budgets {
            let spent = budget.spent.parse().unwrap_or(UsdAmount::ZERO);
            let window = match budget.per {
                "day" => &mut self.day,
                "week" => &mut self.week,
                "month" => &mut self.month,
                _ => &mut self.ever,
            };
            *window = spent.max(*window);
        }
        let parts = [self.day, self.week, self.month];
        self.ever = parts.into_iter().fold(self.ever, Ord::max);
        self
    }
}

/// The sums of the ledger by key, kept for some seconds.
#[derive(Debug, Clone)]
pub(super) struct Usages(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    kept: Mutex<HashMap<Box<str>, (Instant, Usage)>>,
    places: Semaphore,
}

impl Usages {
    pub(super) fn new() -> Self {
        Self(Arc::new(Shared {
            kept: Mutex::default(),
            places: Semaphore::new(AT_ONCE),
        }))
    }

    /// What the ledger has of the key of this name.
    ///
    /// # Errors
    ///
    /// If it does not answer in time.
    pub(super) async fn of(&self, ledger: &DatabaseLedger, name: &str) -> Result<Usage, String> {
        if let Some((at, usage)) = self.0.kept.lock().await.get(name)
            && at.elapsed() < FRESH
        {
            return Ok(*usage);
        }
        let summed = timeout(PATIENCE, async {
            // It is never closed.
            let _place = self.0.places.acquire().await;
            summed(ledger, name).await
        });
        let usage = match summed.await {
            Ok(usage) => usage.map_err(|error| error.to_string())?,
            Err(_) => return Err(format!("no answer within {PATIENCE:?}")),
        };
        let mut kept = self.0.kept.lock().await;
        if kept.len() >= MOST_KEPT {
            kept.clear();
        }
        kept.insert(name.into(), (Instant::now(), usage));
        Ok(usage)
    }
}

async fn summed(ledger: &DatabaseLedger, name: &str) -> Result<Usage, LedgerError> {
    let now = UtcTime::now();
    let own = || Filter::new().tag(keys::TAG, name);
    let cost = |spend: Spend| spend.cost;
    Ok(Usage {
        ever: ledger.total(&own()).await.map(cost)?,
        month: ledger.total(&own().from(Window::Month.start(now))).await.map(cost)?,
        week: ledger.total(&own().from(Window::Week.start(now))).await.map(cost)?,
        day: ledger.total(&own().from(Window::Day.start(now))).await.map(cost)?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_budget_knows_what_no_ledger_has_written() {
        let usd = |text: &str| text.parse::<UsdAmount>().unwrap();
        let budget = |per, spent: &str| BudgetState {
            name: "key/acme".to_owned(),
            usd: "5.00".to_owned(),
            per,
            spent: spent.to_owned(),
            reserved: "0.00".to_owned(),
            free: "1.00".to_owned(),
            resets: None,
        };
        let ledger = Usage {
            ever: usd("3"),
            day: usd("1"),
            ..Usage::default()
        };
        let usage = ledger.with(&[budget("day", "0.50"), budget("month", "4.00")]);
        assert_eq!(
            (usage.ever, usage.day, usage.week, usage.month),
            (usd("4"), usd("1"), usd("0"), usd("4"))
        );
    }
}
