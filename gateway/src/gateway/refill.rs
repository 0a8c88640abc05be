//! Budgets begin with what the ledger says was spent in their windows: at the start, and if they come while the gateway runs, come back, or change
//! their window or scope.

use std::{collections::BTreeMap, slice::from_ref, sync::Arc, time::Duration};

use tokio::time::{Instant, sleep};
use tower_openrouter::{
    UsdAmount,
    layers::{
        PriceList, UtcTime,
        budget::{AccountRef, Budget, BudgetStore, Budgets},
    },
    ledger::{DatabaseLedger, Filter},
    settings::{BudgetSettings, Settings},
};

use super::{Gateway, OpenError, sums::Sums};
use crate::{accounts::Accounts, keys::TAG};

/// How long the entries of calls that have ended may take to be written.
const WRITTEN: Duration = Duration::from_secs(5);

/// How soon other gateways have written the entries of calls that have ended.
const WRITTEN_ELSEWHERE: Duration = Duration::from_millis(200);

/// What budgets begin with.
pub(super) struct Refill {
    accounts: Accounts,
    /// What stood on accounts of their names in this process before the ledger was read: it is in the ledger as well.
    before: Vec<Before>,
    /// What the ledger says.
    sums: Vec<Sums>,
}

/// What had been spent on an account.
struct Before {
    line: AccountRef,
    spent: UsdAmount,
    at: UtcTime,
}

impl Refill {
    fn of(accounts: &Accounts) -> Self {
        Self {
            accounts: accounts.clone(),
            before: Vec::new(),
            sums: Vec::new(),
        }
    }

    /// Notes what stands on the accounts of a budget.
    fn note(&mut self, budget: &str) {
        let Accounts::InMemory(store) = &self.accounts else {
            return;
        };
        let at = UtcTime::now();
        let accounts = store.accounts_of(budget).into_iter();
        self.before.extend(accounts.map(|(line, state)| Before {
            line,
            spent: state.spent(),
            at,
        }));
    }

    /// Puts what the ledger says in the place of what stood on the accounts. What was settled on them meanwhile stays: what the ledger had of it
    /// is counted twice until the next start, and nothing is lost.
    ///
    /// Accounts in the shared store are also those of other gateways, which refill them as well: what stands there becomes at least what the ledger
    /// says, and is not taken away.
    ///
    /// It is no reset by hand: bills that come later still take back what was recorded too high.
    pub(super) async fn put(self) {
        match &self.accounts {
            Accounts::InMemory(store) => {
                for Before { line, spent, at } in self.before {
                    store.adjust(from_ref(&line), UsdAmount::ZERO.saturating_sub(spent), at);
                }
                for sums in self.sums {
                    sums.spend_in(store);
                }
            }
            Accounts::Redis(shared) => {
                for sums in self.sums {
                    sums.refill_to(shared.store()).await;
                }
            }
        }
    }
}

/// Puts what the ledger says was spent on the accounts of these budgets, at the start of a gateway.
pub(super) async fn refill_all(
    ledger: &DatabaseLedger,
    budgets: &Budgets,
    accounts: &Accounts,
    prices: Option<Arc<dyn PriceList>>,
) -> Result<(), OpenError> {
    match accounts {
        Accounts::InMemory(_) => {
            ledger.restore(budgets).await?;
        }
        Accounts::Redis(shared) => {
            let all = budgets.iter().cloned().collect();
            let sums = sums_of(ledger, all, &Filter::new(), prices).await?;
            sums.refill_to(shared.store()).await;
        }
    }
    // Also without a budget: one that comes later is refilled when it does.
    budgets.refill([]);
    Ok(())
}

/// What the ledger says was spent in the windows of these budgets.
async fn sums_of(
    ledger: &DatabaseLedger,
    budgets: Vec<Budget>,
    filter: &Filter,
    prices: Option<Arc<dyn PriceList>>,
) -> Result<Sums, OpenError> {
    let sums = Sums::default();
    let budgets = Budgets::in_store(budgets, Arc::new(sums.clone()))?;
    if let Some(prices) = prices {
        budgets.use_model_names_of(prices);
    }
    ledger.restore_of(&budgets, filter).await?;
    Ok(sums)
}

impl Gateway {
    /// What the budgets of these settings begin with whose accounts do not have it: of those whose names are not in force, to be put before the
    /// settings are, and of those that replace one of their name, to be put after it.
    ///
    /// Calls in progress keep the settings that they were made with: what they settle on an account that the new budget has as well is counted, and the
    /// rest after the next start.
    pub(super) async fn refill(&self, settings: &Settings) -> Result<(Refill, Refill), OpenError> {
        let accounts = &self.0.accounts;
        let (mut new, mut changed) = (Refill::of(accounts), Refill::of(accounts));
        let Some(ledger) = &self.0.ledger else {
            return Ok((new, changed));
        };
        let before = self.0.handle.settings();
        let mut begin = settings.budgets()?;
        begin.retain(|budget| !counts_alike(budget.name(), &before, settings));
        if begin.is_empty() {
            return Ok((new, changed));
        }
        let in_force = self.0.handle.budgets();
        // What has ended by now is counted, and its late bills are.
        in_force.with(begin.clone())?.refill([]);
        let mut groups = BTreeMap::<(bool, Option<String>), Vec<Budget>>::new();
        for budget in begin {
            let is_change = in_force.iter().any(|other| other.name() == budget.name());
            let refill = if is_change { &mut changed } else { &mut new };
            refill.note(budget.name());
            let key = budget.name().strip_prefix("key/");
            let key = key
                .and_then(|name| name.rsplit_once('/'))
                .map(|(key, _)| key.to_owned());
            groups.entry((is_change, key)).or_default().push(budget);
        }
        // All that was noted is in the ledger then.
        written(ledger).await;
        if matches!(accounts, Accounts::Redis(_)) {
            sleep(WRITTEN_ELSEWHERE).await;
        }
        for ((is_change, key), budgets) in groups {
            let refill = if is_change { &mut changed } else { &mut new };
            // Of a client key's budgets, only its entries are read.
            let filter = key.map_or_else(Filter::new, |key| Filter::new().tag(TAG, &key));
            let prices = self.0.catalogue.prices();
            refill.sums.push(sums_of(ledger, budgets, &filter, prices).await?);
        }
        Ok((new, changed))
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

/// Waits until what was recorded so far is written, and what was settled just now, whose entry follows at once.
async fn written(ledger: &DatabaseLedger) {
    let until = Instant::now() + WRITTEN;
    loop {
        sleep(Duration::from_millis(20)).await;
        if ledger.waiting() == 0 || Instant::now() >= until {
            return;
        }
    }
}

#[cfg(test)]
mod tests {
    use tower_openrouter::{Tags, layers::budget::InMemoryBudgetStore};

    use super::*;

    fn tags() -> Tags {
        Tags::new([("team", "x"), ("user", "y")]).unwrap()
    }

    /// The accounts of such a budget, and what is spent on each of them now.
    fn spend(store: &InMemoryBudgetStore, budget: Budget, pico: i128) -> Vec<AccountRef> {
        let budgets = Budgets::in_store([budget], Arc::new(store.clone())).unwrap();
        let lines = budgets.lines(&tags(), "openrouter", "m");
        assert_eq!(lines.len(), 1);
        store.adjust(&lines, UsdAmount::from_pico(pico), UtcTime::now());
        lines
    }

    fn settled(store: &InMemoryBudgetStore, lines: &[AccountRef]) -> i128 {
        store.account(lines.first().unwrap()).unwrap().settled.pico()
    }

    #[tokio::test]
    async fn what_is_settled_while_the_ledger_is_read_is_not_lost() {
        let store = InMemoryBudgetStore::new();
        let budget = |name: &str| Budget::usd(name, "1").unwrap();
        let scopes = [
            budget("a"),
            budget("a").each("team"),
            budget("a").each("user"),
            budget("b"),
        ];
        let lines = scopes.clone().map(|budget| spend(&store, budget, 7));
        let mut refill = Refill::of(&Accounts::InMemory(store.clone()));
        refill.note("a");
        let sums = Sums::default();
        sums.adjust(&lines[0], UsdAmount::from_pico(5), UtcTime::now());
        refill.sums.push(sums);
        for budget in scopes {
            spend(&store, budget, 3);
        }
        refill.put().await;
        let settled = lines.map(|lines| settled(&store, &lines));
        assert_eq!(settled, [8, 3, 3, 10], "of any scope, and of no other budget");
    }
}
