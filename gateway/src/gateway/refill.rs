//! Budgets begin with what the ledger says was spent in their windows: at the start, and if they come while the gateway runs, come back, or change
//! their window or scope.

use std::{
    collections::{BTreeMap, HashMap, HashSet},
    pin::pin,
    sync::Arc,
    time::Duration,
};

use tokio::time::{Instant, sleep, timeout};
use tower_openrouter::{
    layers::{
        PriceList,
        budget::{Budget, Budgets, SpentBefore},
    },
    ledger::{DatabaseLedger, Filter},
    settings::{BudgetSettings, Settings},
};

use super::{Gateway, OpenError, sums::Sums};
use crate::{accounts::Accounts, keys::TAG};

/// How long the entries of calls that have ended may take to be written.
const WRITTEN: Duration = Duration::from_secs(5);

/// How often it is logged at a start that the ledger is still read.
const PROGRESS: Duration = Duration::from_secs(5);

/// How soon other gateways have written the entries of calls that have ended.
const WRITTEN_ELSEWHERE: Duration = Duration::from_millis(200);

/// What budgets begin with.
pub(super) struct Refill {
    accounts: Accounts,
    /// The same budgets, made with those in force.
    budgets: Budgets,
    /// What stood on accounts of their names in this process before the ledger was read: it is in the ledger as well.
    before: Vec<SpentBefore>,
    /// What the ledger says.
    sums: Vec<Sums>,
}

impl Refill {
    fn of(accounts: &Accounts, budgets: &Budgets) -> Self {
        Self {
            accounts: accounts.clone(),
            budgets: budgets.clone(),
            before: Vec::new(),
            sums: Vec::new(),
        }
    }

    /// Notes what stands on the accounts of a budget.
    fn note(&mut self, budget: &str) {
        if let Accounts::InMemory(store) = &self.accounts {
            self.before.extend(store.spent_before(budget));
        }
    }

    /// Puts what the ledger says in the place of what stood on the accounts. What was settled on them meanwhile stays, also on one that has begun
    /// empty: what the ledger had of it is counted twice until the next start, and nothing is lost.
    ///
    /// Accounts in the shared store are also those of other gateways, which refill them as well: what stands there becomes at least what the ledger
    /// says, and is not taken away.
    ///
    /// It is no reset by hand: bills that come later still take back what was recorded too high.
    pub(super) async fn put(self) {
        match &self.accounts {
            Accounts::InMemory(store) => {
                self.before.into_iter().for_each(SpentBefore::take_back);
                for sums in self.sums {
                    sums.spend_in(store, &self.budgets);
                }
            }
            Accounts::Redis(shared) => {
                for sums in self.sums {
                    sums.refill_to(shared.store(), &self.budgets).await;
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
    let reading = async {
        match accounts {
            Accounts::InMemory(_) => {
                ledger.restore(budgets).await?;
            }
            Accounts::Redis(shared) => {
                let all = budgets.iter().cloned().collect();
                let sums = sums_of(ledger, all, &Filter::new(), prices).await?;
                sums.refill_to(shared.store(), budgets).await;
            }
        }
        Ok::<_, OpenError>(())
    };
    with_progress(reading).await?;
    // Also without a budget: one that comes later is refilled when it does.
    budgets.refill([]);
    Ok(())
}

/// Waits for it, and logs from time to time that it lasts.
async fn with_progress<T>(reading: impl Future<Output = T>) -> T {
    let begun = Instant::now();
    let mut reading = pin!(reading);
    loop {
        if let Ok(read) = timeout(PROGRESS, reading.as_mut()).await {
            return read;
        }
        let lasts = begun.elapsed();
        tracing::info!(target: "gateway", ?lasts, "what budgets have spent is read from the ledger: calls are taken after that");
    }
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
    /// settings are, and of those that replace one of their name or have accounts in the shared store, to be put after the settings are in force.
    ///
    /// Calls in progress keep the settings that they were made with: what they settle on an account that the new budget has as well is counted, and the
    /// rest after the next start.
    pub(super) async fn refill(&self, settings: &Settings) -> Result<(Refill, Refill), OpenError> {
        let (accounts, in_force) = (&self.0.accounts, self.0.handle.budgets());
        let of = |budgets: &Budgets| (Refill::of(accounts, budgets), Refill::of(accounts, budgets));
        let Some(ledger) = &self.0.ledger else {
            return Ok(of(&in_force));
        };
        // What is wrong with them is reported when they are put in force.
        let Ok(mut begin) = settings.budgets() else {
            return Ok(of(&in_force));
        };
        let known = self.0.handle.settings();
        let (before, after) = (ByName::of(&known), ByName::of(settings));
        begin.retain(|budget| !counts_alike(budget.name(), &before, &after));
        if begin.is_empty() {
            return Ok(of(&in_force));
        }
        let beginning = in_force.with(begin.clone())?;
        // What has ended by now is counted, and its late bills are.
        beginning.refill([]);
        let (mut new, mut changed) = of(&beginning);
        let names: HashSet<&str> = in_force.iter().map(Budget::name).collect();
        let mut groups = BTreeMap::<(bool, Option<String>), Vec<Budget>>::new();
        for budget in begin {
            // Accounts in the shared store may be in force at other gateways: settings that are refused leave them as they are.
            let is_change = names.contains(budget.name()) || matches!(accounts, Accounts::Redis(_));
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

/// The budgets of settings by name: there are as many as client keys, or more.
struct ByName<'a> {
    budgets: HashMap<&'a str, &'a BudgetSettings>,
    has_most_per_hour: bool,
}

impl<'a> ByName<'a> {
    fn of(settings: &'a Settings) -> Self {
        let budgets = settings.budget.iter();
        Self {
            budgets: budgets.map(|budget| (budget.name.as_str(), budget)).collect(),
            has_most_per_hour: settings.max_per_hour.is_some(),
        }
    }
}

/// Whether what the budget of this name has counted by one of these settings stands on its accounts by the other.
fn counts_alike(name: &str, before: &ByName<'_>, after: &ByName<'_>) -> bool {
    match (before.budgets.get(name), after.budgets.get(name)) {
        (Some(before), Some(after)) => {
            let mut same = (*before).clone();
            (same.usd, same.soft) = (after.usd, after.soft);
            same == **after
        }
        // The most within an hour: its window and its scope are always the same.
        (None, None) => before.has_most_per_hour,
        _ => false,
    }
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
    use tower_openrouter::{
        Tags, UsdAmount,
        layers::{
            UtcTime,
            budget::{AccountRef, BudgetStore, InMemoryBudgetStore, Window},
        },
    };

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

    fn over(store: &InMemoryBudgetStore, budget: Budget) -> Budgets {
        Budgets::in_store([budget], Arc::new(store.clone())).unwrap()
    }

    fn sums_of_5(lines: &[AccountRef]) -> Sums {
        let sums = Sums::default();
        sums.adjust(lines, UsdAmount::from_pico(5), UtcTime::now());
        sums
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
        let beginning = over(&store, budget("a"));
        let mut refill = Refill::of(&Accounts::InMemory(store.clone()), &beginning);
        refill.note("a");
        refill.sums.push(sums_of_5(&lines[0]));
        for budget in scopes {
            spend(&store, budget, 3);
        }
        refill.put().await;
        let settled = lines.map(|lines| settled(&store, &lines));
        assert_eq!(settled, [8, 3, 3, 10], "of any scope, and of no other budget");
    }

    #[tokio::test]
    async fn what_is_settled_on_an_account_that_begins_empty_is_not_lost() {
        let store = InMemoryBudgetStore::new();
        let budget = || Budget::usd("a", "1").unwrap();
        let first = over(&store, budget());
        first.activate();
        store.adjust(
            &first.lines(&tags(), "openrouter", "m"),
            UsdAmount::from_pico(7),
            UtcTime::now(),
        );
        // With another window, as the settings have it.
        let made = || first.with([budget().per(Window::Hour)]).unwrap();
        let mut refill = Refill::of(&Accounts::InMemory(store.clone()), &made());
        refill.note("a");
        let in_force = made();
        in_force.activate();
        let lines = in_force.lines(&tags(), "openrouter", "m");
        store.adjust(&lines, UsdAmount::from_pico(3), UtcTime::now());
        refill.sums.push(sums_of_5(&lines));
        refill.put().await;
        assert_eq!(settled(&store, &lines), 8);
    }

    /// Nothing is spent since, and its cap alone is changed.
    #[tokio::test]
    async fn an_account_that_was_refilled_has_the_cap_in_force() {
        let store = InMemoryBudgetStore::new();
        let budget = |usd: &str| Budget::usd("a", usd).unwrap();
        let before = Budgets::in_store([], Arc::new(store.clone())).unwrap();
        let mut refill = Refill::of(&Accounts::InMemory(store.clone()), &before.with([budget("1")]).unwrap());
        let elsewhere = over(&InMemoryBudgetStore::new(), budget("1"));
        refill
            .sums
            .push(sums_of_5(&elsewhere.lines(&tags(), "openrouter", "m")));
        refill.put().await;
        for usd in ["1", "2"] {
            let in_force = before.with([budget(usd)]).unwrap();
            in_force.activate();
            let caps: Vec<_> = store.accounts().iter().map(|state| state.budget.cap()).collect();
            assert_eq!(caps, [usd.parse::<UsdAmount>().unwrap()]);
        }
    }
}
