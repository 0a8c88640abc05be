//! Budgets whose window or scope a reload changes, or that come back, begin with what the ledger says.

use std::{path::PathBuf, time::Duration};

use openrouter_gateway::{
    commands::{Running, start},
    settings::Config,
};
use openrouter_simulator::{Report, Simulator};
use tower_openrouter::{
    Tags, UsdAmount,
    layers::ledger::Ledger,
    ledger::{Filter, LedgerOptions},
};

use crate::support::{APIS, CLIENT_KEY, ESTIMATE, Folder, Said, client, estimated, key, post, settings, until};

fn tags() -> Tags {
    Tags::new([("key", "acme")]).unwrap()
}

/// A gateway over a ledger with an entry that ended two hours ago.
struct World {
    simulator: Simulator,
    folder: Folder,
    path: PathBuf,
    running: Running,
}

impl World {
    async fn start(budget: &str) -> Self {
        let (simulator, folder) = (Simulator::start().await.unwrap(), Folder::new());
        let ledger = LedgerOptions::sqlite(folder.path("gateway.db")).open().await.unwrap();
        ledger.record(&estimated(Duration::from_secs(7_200), tags(), None));
        ledger.close().await;
        let path = folder.write("gateway.toml", &text(&simulator, &folder, budget));
        let running = start(Config::from_file(&path).unwrap()).await.unwrap();
        Self {
            simulator,
            folder,
            path,
            running,
        }
    }

    async fn reload(&self, budget: &str) {
        self.folder
            .write("gateway.toml", &text(&self.simulator, &self.folder, budget));
        self.running.gateway.reload(&self.path).await.unwrap();
    }

    async fn call(&self) {
        let url = format!("http://{}{}", self.running.address, APIS[0].0);
        let said = Said::of(post(&client(), &url, CLIENT_KEY, APIS[0].1)).await;
        assert_eq!(said.status, 200, "{said:?}");
        let attempts = self.simulator.report().chats().count() as u64 + 1;
        let ledger = self.running.gateway.ledger().unwrap();
        until("the ledger has its entry", async || {
            ledger.total(&Filter::new()).await.unwrap().attempts == attempts
        })
        .await;
    }

    async fn billed(&self) -> UsdAmount {
        let seen = self.simulator.wait_until(Report::idle).await;
        UsdAmount::from_pico(seen.billed.pico().into())
    }

    /// What is spent on the budget of this name; nothing if there is none.
    async fn spent(&self, name: &str) -> UsdAmount {
        let budgets = self.running.gateway.settings().budgets();
        let tags = tags();
        let states = self.running.gateway.accounts().states(&budgets, name, &tags);
        let states = states.await.unwrap();
        states
            .first()
            .map_or(UsdAmount::ZERO, |state| state.spent.parse().unwrap())
    }

    /// Waits until what is spent is what was billed, and this much.
    async fn until_spent(&self, name: &str, more: UsdAmount) {
        let what = format!("`{name}` has spent all that was billed, and {more}");
        until(&what, async || {
            self.spent(name).await == self.billed().await.saturating_add(more)
        })
        .await;
    }
}

fn text(simulator: &Simulator, folder: &Folder, budget: &str) -> String {
    let storage = format!("storage.sqlite = \"{}\"", folder.path("gateway.db").display());
    let rest = format!("{storage}\n{budget}\n{}", key("acme", CLIENT_KEY, ""));
    settings(simulator, folder, &rest)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_budget_whose_window_changes_counts_what_was_spent_in_the_new_one() {
    let budget = |window: &str| format!("budget = [{{ name = \"all\", usd = \"5\", {window} }}]");
    let world = World::start(&budget("rolling = \"1h\"")).await;
    world.call().await;
    world.until_spent("all", UsdAmount::ZERO).await;
    for (window, earlier) in [
        ("rolling = \"10h\"", ESTIMATE),
        ("rolling = \"1h\"", UsdAmount::ZERO),
        ("per = \"ever\"", ESTIMATE),
        ("rolling = \"90m\"", UsdAmount::ZERO),
        ("rolling = \"90m\", soft = true", UsdAmount::ZERO),
    ] {
        world.reload(&budget(window)).await;
        world.until_spent("all", earlier).await;
        world.call().await;
        world.until_spent("all", earlier).await;
    }
    world.running.drain(std::future::pending()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_budget_whose_scope_changes_counts_what_its_new_accounts_have_spent() {
    let budget = |scope: &str| format!("budget = [{{ name = \"all\", usd = \"5\", rolling = \"10h\"{scope} }}]");
    let world = World::start(&budget(", each = [\"key\"]")).await;
    for scope in [
        "",
        ", only = { key = \"acme\" }",
        ", each = [\"key\", \"upstream\"]",
        ", each = [\"key\"]",
    ] {
        world.call().await;
        world.reload(&budget(scope)).await;
        if !scope.contains("upstream") {
            world.until_spent("all", ESTIMATE).await;
        }
    }
    world.running.drain(std::future::pending()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_budget_that_comes_back_counts_once_what_was_spent_before_and_meanwhile() {
    for (name, budget) in [
        ("all", "budget = [{ name = \"all\", usd = \"5\", rolling = \"10h\" }]"),
        ("max-per-hour", "max_per_hour = { usd = \"5\" }"),
    ] {
        let earlier = if name == "all" { ESTIMATE } else { UsdAmount::ZERO };
        let world = World::start(budget).await;
        world.call().await;
        world.until_spent(name, earlier).await;
        world.reload("").await;
        world.call().await;
        world.reload(budget).await;
        world.until_spent(name, earlier).await;
        world.running.drain(std::future::pending()).await;
    }
}
