//! Budgets that come while the gateway runs, that come back, or whose window or scope changes: with accounts in this process they begin with what
//! the ledger says was spent in their windows.

use std::{
    collections::{BTreeMap, HashMap},
    sync::Arc,
    time::Duration,
};

use tokio::time::{Instant, sleep};
use tower_openrouter::{
    layers::budget::{Budget, Budgets, InMemoryBudgetStore, MAX_PER_HOUR},
    ledger::{DatabaseLedger, Filter},
    settings::{BudgetSettings, Settings},
};

use super::{Gateway, OpenError, emptied::empty, sums::Sums};
use crate::{accounts::Accounts, keys::TAG};

/// How long the entries of calls that have ended may take to be written.
const WRITTEN: Duration = Duration::from_secs(5);

/// The tags of the scope of each budget, by its name.
pub(super) type Scopes = HashMap<String, Vec<String>>;

/// The scopes of these settings' budgets.
pub(super) fn scopes(settings: &Settings) -> Scopes {
    let scope = |budget: &BudgetSettings| {
        let tags = budget.each.iter().chain(budget.only.keys()).cloned();
        (budget.name.clone(), tags.collect::<Vec<_>>())
    };
    let hour = settings.max_per_hour.map(|_| (MAX_PER_HOUR.to_owned(), Vec::new()));
    settings.budget.iter().map(scope).chain(hour).collect()
}

/// What budgets begin with.
#[derive(Default)]
pub(super) struct Refill {
    store: InMemoryBudgetStore,
    /// Of which budgets, and what the ledger says of them.
    scopes: Scopes,
    sums: Vec<Sums>,
}

impl Refill {
    /// Empties the accounts that there were under the names of the budgets, and spends on them what the ledger says. `known` are all that were ever
    /// opened, by the scope that they were opened with last.
    pub(super) fn put(self, known: &mut Scopes) {
        for (name, tags) in self.scopes {
            if let Some(before) = known.get(&name) {
                empty(&self.store, &name, before);
            }
            known.insert(name, tags);
        }
        for sums in self.sums {
            sums.spend_in(&self.store);
        }
    }
}

impl Gateway {
    /// What the budgets of these settings begin with whose accounts do not have it: of those whose names are not in force, to be put before the
    /// settings are, and of those that replace one of their name, to be put after it.
    ///
    /// Calls in progress keep the settings that they were made with: they are counted on these budgets after the next start.
    pub(super) async fn refill(&self, settings: &Settings) -> Result<(Refill, Refill), OpenError> {
        let (Accounts::InMemory(store), Some(ledger)) = (&self.0.accounts, &self.0.ledger) else {
            return Ok((Refill::default(), Refill::default()));
        };
        let before = self.0.handle.settings();
        let mut begin = settings.budgets()?;
        begin.retain(|budget| !counts_alike(budget.name(), &before, settings));
        let mut tags = scopes(settings);
        let refill = || Refill {
            store: store.clone(),
            ..Refill::default()
        };
        let (mut new, mut changed) = (refill(), refill());
        if begin.is_empty() {
            return Ok((new, changed));
        }
        let in_force = self.0.handle.budgets();
        // What has ended by now is counted, and its late bills are.
        in_force.with(begin.clone())?.refill([]);
        written(ledger).await;
        let mut groups = BTreeMap::<(bool, Option<String>), Vec<Budget>>::new();
        for budget in begin {
            let is_change = in_force.iter().any(|other| other.name() == budget.name());
            let key = budget.name().strip_prefix("key/");
            let key = key
                .and_then(|name| name.rsplit_once('/'))
                .map(|(key, _)| key.to_owned());
            groups.entry((is_change, key)).or_default().push(budget);
        }
        for ((is_change, key), budgets) in groups {
            let refill = if is_change { &mut changed } else { &mut new };
            let names = budgets.iter().map(|budget| budget.name().to_owned());
            let scopes = names.map(|name| tags.remove_entry(&name).unwrap_or((name, Vec::new())));
            refill.scopes.extend(scopes);
            // Of a client key's budgets, only its entries are read.
            let filter = key.map_or_else(Filter::new, |key| Filter::new().tag(TAG, &key));
            refill.sums.push(self.sums(ledger, budgets, &filter).await?);
        }
        Ok((new, changed))
    }

    /// What the ledger says was spent in the windows of these budgets.
    async fn sums(&self, ledger: &DatabaseLedger, budgets: Vec<Budget>, filter: &Filter) -> Result<Sums, OpenError> {
        let sums = Sums::default();
        let budgets = Budgets::in_store(budgets, Arc::new(sums.clone()))?;
        if let Some(prices) = self.0.catalogue.prices() {
            budgets.name_models_by(prices);
        }
        ledger.restore_of(&budgets, filter).await?;
        Ok(sums)
    }
}

/// Whether what the budget of this name has counted by one of these settings stands on its accounts by the other.
fn counts_alike(name: &str, before: &Settings, after: &Settings) -> bool {
    match (named(before, name), named(after, name)) {
        (Some(before), Some(after)) => {
            let mut same = before.clone();
            (same.usd, same.soft) = (after.usd, after.soft);
            same == *after
        }
        // The most within an hour: its window and its scope are always the same.
        (None, None) => before.max_per_hour.is_some(),
        _ => false,
    }
}

fn named<'a>(settings: &'a Settings, name: &str) -> Option<&'a BudgetSettings> {
    settings.budget.iter().find(|budget| budget.name == name)
}

/// Waits until what was recorded so far is written.
async fn written(ledger: &DatabaseLedger) {
    let until = Instant::now() + WRITTEN;
    while ledger.waiting() > 0 && Instant::now() < until {
        sleep(Duration::from_millis(20)).await;
    }
}
