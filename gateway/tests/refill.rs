//! Budgets whose window or scope a reload changes, or that come back, begin with what the ledger says.

use std::{path::PathBuf, time::Duration};

use openrouter_gateway::{
    commands::{Running, start},
    settings::Config,
};
use openrouter_simulator::{Report, Simulator};
use test_servers::{Postgres, Redis};
use tower_openrouter::{
    Tags, UsdAmount,
    layers::ledger::Ledger,
    ledger::{Filter, LedgerOptions},
};

use crate::support::{APIS, CLIENT_KEY, ESTIMATE, Folder, Said, client, estimated, key, post, raw, settings, until};

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
        call(&self.running, &self.simulator).await;
    }

    /// Waits until what is spent is what was billed, and this much.
    async fn until_spent(&self, name: &str, more: UsdAmount) {
        until_spent(&self.running, &self.simulator, name, more).await;
    }
}

/// Makes a call, and waits until the ledger has its entry beside the one of the start.
async fn call(running: &Running, simulator: &Simulator) {
    let url = format!("http://{}{}", running.address, APIS[0].0);
    let said = Said::of(post(&client(), &url, CLIENT_KEY, APIS[0].1)).await;
    assert_eq!(said.status, 200, "{said:?}");
    let attempts = simulator.report().chats().count() as u64 + 1;
    let ledger = running.gateway.ledger().unwrap();
    until("the ledger has its entry", async || {
        ledger.total(&Filter::new()).await.unwrap().attempts == attempts
    })
    .await;
}

/// What is spent on the budget of this name; nothing if there is none.
async fn spent(running: &Running, name: &str) -> UsdAmount {
    let budgets = running.gateway.settings().budgets();
    let tags = tags();
    let states = running.gateway.accounts().states(&budgets, name, &tags);
    let states = states.await.unwrap();
    states
        .first()
        .map_or(UsdAmount::ZERO, |state| state.spent.parse().unwrap())
}

async fn until_spent(running: &Running, simulator: &Simulator, name: &str, more: UsdAmount) {
    let what = format!("`{name}` has spent all that was billed, and {more}");
    until(&what, async || {
        let billed = simulator.wait_until(Report::idle).await.billed;
        spent(running, name).await == UsdAmount::from_pico(billed.pico().into()).saturating_add(more)
    })
    .await;
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

/// Two gateways over one PostgreSQL, which has an entry that ended two hours ago, and one Redis.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn accounts_in_a_shared_store_have_what_the_ledger_says_once() {
    let Some((redis, postgres)) = Redis::start().zip(Postgres::start()) else {
        return;
    };
    let (simulator, folder) = (Simulator::start().await.unwrap(), Folder::new());
    let ledger = LedgerOptions::postgres(&postgres.url()).open().await.unwrap();
    ledger.record(&estimated(Duration::from_secs(7_200), tags(), None));
    ledger.close().await;
    let url = folder.write("database-url", &postgres.url());
    let places = format!(
        "storage.postgres = \"file:{}\"\nshared = {{ redis = \"{}\", decision_timeout = \"10s\" }}\n",
        url.display(),
        redis.url()
    );
    let write = |budget: &str| {
        let budget = format!("budget = [{{ name = \"all\", usd = \"5\", {budget} }}]\n");
        let rest = places.clone() + &budget + &key("acme", CLIENT_KEY, "");
        folder.write("gateway.toml", &settings(&simulator, &folder, &rest))
    };
    let path = write("rolling = \"1h\"");
    let begin = async || start(Config::from_file(&path).unwrap()).await.unwrap();
    let both_spent = async |gateways: [&Running; 2], more: UsdAmount| {
        for gateway in gateways {
            until_spent(gateway, &simulator, "all", more).await;
        }
    };
    let (one, two) = (begin().await, begin().await);
    call(&one, &simulator).await;
    for (budget, earlier) in [
        ("rolling = \"10h\"", ESTIMATE),
        ("rolling = \"10h\", each = [\"key\"]", ESTIMATE),
        ("rolling = \"1h\", each = [\"key\"]", UsdAmount::ZERO),
        ("per = \"ever\", each = [\"key\"]", ESTIMATE),
    ] {
        write(budget);
        let (first, second) = tokio::join!(one.gateway.reload(&path), two.gateway.reload(&path));
        assert!(first.is_ok() && second.is_ok(), "{first:?} {second:?}");
        both_spent([&one, &two], earlier).await;
        call(&two, &simulator).await;
        both_spent([&one, &two], earlier).await;
    }
    let flush = async || {
        let address = ([127, 0, 0, 1], redis.port()).into();
        assert!(raw(address, b"FLUSHALL\r\nQUIT\r\n").await.starts_with("+OK"));
    };
    for running in [one, two] {
        running.drain(std::future::pending()).await;
    }
    flush().await;
    let (one, two) = (begin().await, begin().await);
    both_spent([&one, &two], ESTIMATE).await;
    // The other gateway has seen what the store has lost, and the ledger has it as well.
    call(&two, &simulator).await;
    both_spent([&one, &two], ESTIMATE).await;
    one.drain(std::future::pending()).await;
    flush().await;
    let one = begin().await;
    call(&two, &simulator).await;
    both_spent([&one, &two], ESTIMATE).await;
    for running in [one, two] {
        running.drain(std::future::pending()).await;
    }
}
