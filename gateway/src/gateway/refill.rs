//! Budgets that come while the gateway runs: with accounts in this process they begin with what the ledger says was spent in their windows.

use std::{
    collections::{BTreeMap, HashSet},
    time::Duration,
};

use tokio::time::{Instant, sleep};
use tower_openrouter::{
    Tags,
    layers::budget::{Budget, BudgetStore},
    ledger::{DatabaseLedger, Filter},
    settings::Settings,
};

use super::{Gateway, OpenError};
use crate::{accounts::Accounts, keys::TAG};

/// How long the entries of calls that have ended may take to be written.
const WRITTEN: Duration = Duration::from_secs(5);

impl Gateway {
    /// Fills the accounts of budgets that are not in force yet. Those whose names are among `known` have accounts already, and only a client key's
    /// are filled again.
    ///
    /// Calls in progress keep the settings that they were made with: they are counted on these budgets after the next start.
    pub(super) async fn refill_new_budgets(
        &self,
        known: &HashSet<String>,
        settings: &Settings,
    ) -> Result<(), OpenError> {
        let (Accounts::InMemory(store), Some(ledger)) = (&self.0.accounts, &self.0.ledger) else {
            return Ok(());
        };
        let in_force = self.0.handle.budgets();
        let is_new = |budget: &Budget| in_force.iter().all(|other| other.name() != budget.name());
        let (mut of_keys, mut others) = (BTreeMap::<String, Vec<Budget>>::new(), Vec::new());
        for budget in settings.budgets()?.into_iter().filter(is_new) {
            let key = budget
                .name()
                .strip_prefix("key/")
                .and_then(|name| name.rsplit_once('/'));
            if let Some((key, _)) = key {
                of_keys.entry(key.to_owned()).or_default().push(budget);
            } else if !known.contains(budget.name()) {
                others.push(budget);
            }
        }
        if of_keys.is_empty() && others.is_empty() {
            return Ok(());
        }
        written(ledger).await;
        ledger.restore(&in_force.with(others)?).await?;
        for (key, budgets) in of_keys {
            let budgets = in_force.with(budgets)?;
            // One that was in force earlier does not count twice.
            if let Ok(tags) = Tags::new([(TAG, &*key)]) {
                store.reset(&budgets.lines(&tags, "", ""));
            }
            ledger.restore_of(&budgets, &Filter::new().tag(TAG, &key)).await?;
        }
        Ok(())
    }
}

/// Waits until what was recorded so far is written.
async fn written(ledger: &DatabaseLedger) {
    let until = Instant::now() + WRITTEN;
    while ledger.waiting() > 0 && Instant::now() < until {
        sleep(Duration::from_millis(20)).await;
    }
}
