//! Late bills count on the budgets in force when they come, also on those of settings that came after the start.

use std::{sync::Arc, time::Duration};

use tokio::{runtime::Handle, time::sleep};
use tower_openrouter::{
    ChatServiceExt, UsdAmount,
    layers::{
        budget::{Budgets, InMemoryBudgetStore},
        ledger::Entry,
        reconcile::{Bill, BillFuture, BillSource, Reconciler},
    },
    settings::{ReloadableStack, Settings, SettingsHandle},
};

use super::key;
use crate::support::{FIRST, World, ask, call, ledger::Kept};

const BUDGET: &str = "budget = [{ name = 'all', usd = '1', per = 'month' }]";

/// Says this of every answer.
#[derive(Debug)]
struct Says(UsdAmount);

impl BillSource for Says {
    fn bill(&self, _: &Entry) -> BillFuture {
        let bill = Bill::new(self.0, None);
        Box::pin(async move { Ok(Some(bill)) })
    }
}

/// A stack whose settings can be replaced, its ledger, and the accounts of its budgets.
struct Place {
    world: World,
    handle: SettingsHandle,
    kept: Arc<Kept>,
    store: InMemoryBudgetStore,
}

impl Place {
    async fn new(bill: &str) -> Self {
        let world = World::new("delay=1s;words=10").await;
        let (store, kept) = (InMemoryBudgetStore::new(), Kept::new());
        let accounts = Budgets::in_store([], Arc::new(store.clone())).unwrap();
        // As after a restart: what was spent before is on the accounts of the start, and on no later one.
        accounts.refill([]);
        let reconciler = Reconciler::builder(Arc::new(Says(bill.parse().unwrap())))
            .ledger(kept.clone())
            .budgets(accounts.clone())
            .spawn_on(Handle::current())
            .unwrap();
        let ledger = Arc::clone(&kept);
        let handle = SettingsHandle::builder(settings(&world, ""))
            .budgets(accounts)
            .extend(move |builder| builder.ledger(ledger.clone()).reconciler(reconciler.clone()))
            .build()
            .unwrap();
        Self {
            world,
            handle,
            kept,
            store,
        }
    }

    fn replace(&self, lines: &str) {
        self.handle.replace(settings(&self.world, lines)).unwrap();
    }

    /// What is spent and what is reserved.
    fn account(&self) -> (UsdAmount, UsdAmount) {
        let [state] = &self.store.accounts()[..] else {
            panic!("one account")
        };
        (state.settled.saturating_add(state.overrun), state.reserved)
    }
}

fn settings(world: &World, lines: &str) -> Settings {
    let text = format!(
        "chain = ['{FIRST}']\nprices = [{{ model = '{FIRST}', prompt = '0.00001', completion = '0.0001' }}]\ndefault_output_tokens = 100\n\
         {lines}\nupstream = [{{ name = 'openrouter', key = '{}', base_url = '{}' }}]\n",
        key(),
        world.simulator.base_url()
    );
    Settings::from_toml(&text).unwrap_or_else(|error| panic!("{error}"))
}

async fn leave_after_three_words(service: &ReloadableStack) {
    let mut answer = service.stream(ask()).await.unwrap();
    for _ in 0..3 {
        answer.next_text().await.unwrap().unwrap();
    }
}

#[tokio::test(start_paused = true)]
async fn a_budget_that_came_by_other_settings_pays_what_is_billed_later() {
    for bill in ["0.5", "0.000001"] {
        let place = Place::new(bill).await;
        place.replace(BUDGET);
        leave_after_three_words(&place.handle.service()).await;
        let recorded = place.kept.entries()[0].recorded;
        assert_eq!(place.account(), (recorded, UsdAmount::ZERO));
        sleep(Duration::from_secs(60)).await;
        let bill: UsdAmount = bill.parse().unwrap();
        assert_ne!(recorded, bill);
        assert_eq!(place.kept.entries()[0].bill, Some(bill));
        assert_eq!(place.account(), (bill, UsdAmount::ZERO));

        // Its definition is replaced while the bill is on its way.
        leave_after_three_words(&place.handle.service()).await;
        place.replace(&BUDGET.replace("'1'", "'2'"));
        sleep(Duration::from_secs(60)).await;
        assert_eq!(place.account(), (bill.saturating_add(bill), UsdAmount::ZERO));
    }
}

#[tokio::test(start_paused = true)]
async fn a_budget_that_did_not_count_an_answer_gets_no_money_back_for_it() {
    let place = Place::new("0.000001").await;
    let service = place.handle.service();
    let mut answer = service.stream(ask()).await.unwrap();
    answer.next_text().await.unwrap().unwrap();
    place.replace(BUDGET);
    assert!(call(&service, true, ask()).await.error.is_none());
    let spent = place.account().0;
    answer.next_text().await.unwrap().unwrap();
    drop(answer);
    sleep(Duration::from_secs(60)).await;
    let entries = place.kept.entries();
    let late = entries.iter().find(|entry| entry.bill == "0.000001".parse().ok());
    assert!(late.is_some(), "{entries:?}");
    assert_eq!(place.account(), (spent, UsdAmount::ZERO));
}

#[tokio::test(start_paused = true)]
async fn nor_does_one_that_came_after_the_answer_had_ended() {
    let place = Place::new("0.000001").await;
    let service = place.handle.service();
    leave_after_three_words(&service).await;
    sleep(Duration::from_millis(10)).await;
    place.replace(BUDGET);
    assert!(call(&service, true, ask()).await.error.is_none());
    let spent = place.account().0;
    sleep(Duration::from_secs(60)).await;
    let entries = place.kept.entries();
    assert!(entries.iter().any(|entry| entry.bill.is_some()), "{entries:?}");
    assert_eq!(place.account(), (spent, UsdAmount::ZERO));
}
