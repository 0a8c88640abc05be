//! Late bills reach the budgets that came while the gateway runs, and are requested with the key that came.

use std::{path::Path, time::Duration};

use openrouter_gateway::{
    calls::Filter,
    commands::{Running, start},
    keys::{KeyDatabase, KeyHash},
    settings::Config,
};
use openrouter_simulator::{Report, Simulator};
use tower_openrouter::{Tags, UsdAmount};

use crate::support::{CLIENT_KEY, Folder, OTHER_KEY, UPSTREAM_KEY, client, key, post, settings, streamed, until};

const MODEL: &str = "anthropic/claude-sonnet-4.5";

/// Prices of a token, by which less is recorded than the simulator bills, and more.
const PRICES: [&str; 2] = ["0.000000001", "0.0001"];

/// Answers word by word, and knows of a bill only when its entry is recorded.
async fn slow() -> Simulator {
    let simulator = Simulator::builder()
        .generation_lag(Duration::from_secs(1))
        .start()
        .await
        .unwrap();
    simulator.plan(MODEL, "delay=50ms;words=200").unwrap();
    simulator
}

/// Settings with a ledger, these prices and this budget.
fn text(simulator: &Simulator, folder: &Folder, price: &str, budget: &str) -> String {
    let rest = format!(
        "storage.sqlite = \"{}\"\nprices = [{{ model = \"{MODEL}\", prompt = \"{price}\", completion = \"{price}\" }}]\n{budget}\n{}",
        folder.path("gateway.db").display(),
        key("other", OTHER_KEY, "")
    );
    settings(simulator, folder, &rest)
}

/// Leaves an answer after its first words.
async fn leave(running: &Running, key: &str) {
    let url = format!("http://{}/v1/chat/completions", running.address);
    let request = post(&client(), &url, key, &streamed(MODEL, 300));
    let mut response = request.send().await.unwrap();
    assert_eq!(response.status(), 200);
    for _ in 0..3 {
        response.chunk().await.unwrap().expect("the stream continues");
    }
}

/// What is spent on the one budget whose name begins so.
async fn spent(running: &Running, prefix: &str, tags: &Tags) -> UsdAmount {
    let budgets = running.gateway.settings().budgets();
    let states = running.gateway.accounts().states(&budgets, prefix, tags).await.unwrap();
    let [state] = &states[..] else {
        panic!("one budget: {states:?}")
    };
    state.spent.parse().unwrap()
}

async fn until_billed(running: &Running, simulator: &Simulator, prefix: &str, tags: &Tags) {
    let billed = async || {
        let seen = simulator.wait_until(Report::idle).await;
        UsdAmount::from_pico(seen.billed.pico().into())
    };
    assert!(billed().await > UsdAmount::ZERO);
    until("the bills are on the budget", async || {
        spent(running, prefix, tags).await == billed().await
    })
    .await;
    until("the bills are on the calls", async || {
        let calls = running.gateway.calls().recent(&Filter::default(), usize::MAX);
        let costs = calls.iter().filter_map(|call| call.cost);
        costs.fold(UsdAmount::ZERO, UsdAmount::saturating_add) == billed().await
            && calls.iter().all(|call| !call.cost_is_estimate)
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_key_that_was_added_after_the_start_pays_what_is_billed_later() {
    for price in PRICES {
        let (simulator, folder) = (slow().await, Folder::new());
        let config = Config::from_toml(&text(&simulator, &folder, price, "")).unwrap();
        let running = start(config).await.unwrap();
        let rules = serde_json::from_str(r#"{"budget":[{"usd":"5","per":"day"}]}"#).unwrap();
        let database = KeyDatabase::sqlite(&folder.path("gateway.db"));
        let hash = KeyHash::of(CLIENT_KEY.as_bytes());
        database.add("acme", &hash, &rules).await.unwrap();
        until("the key is in force", async || {
            let own = client()
                .get(format!("http://{}/v1/key", running.address))
                .bearer_auth(CLIENT_KEY);
            own.send().await.unwrap().status() == 200
        })
        .await;
        for _ in 0..2 {
            leave(&running, CLIENT_KEY).await;
        }
        let tags = Tags::new([("key", "acme")]).unwrap();
        until_billed(&running, &simulator, "key/acme/", &tags).await;
        running.drain(std::future::pending()).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_budget_that_was_added_by_a_reload_pays_what_is_billed_later() {
    for price in PRICES {
        let (simulator, folder) = (slow().await, Folder::new());
        let path = folder.write("gateway.toml", &text(&simulator, &folder, price, ""));
        let running = start(Config::from_file(&path).unwrap()).await.unwrap();
        // Its bill comes after the budget, which begins with what was recorded.
        leave(&running, OTHER_KEY).await;
        until("it is recorded", async || {
            recorded(&folder.path("gateway.db")).await == 1
        })
        .await;
        let budget = "budget = [{ name = \"all\", usd = \"5\", per = \"day\" }]";
        std::fs::write(&path, text(&simulator, &folder, price, budget)).unwrap();
        running.gateway.reload(&path).await.unwrap();
        leave(&running, OTHER_KEY).await;
        until_billed(&running, &simulator, "all", &Tags::default()).await;
        running.drain(std::future::pending()).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_late_bill_is_requested_with_the_key_that_a_reload_brought() {
    const NEW_KEY: &str = "sk-or-v1-3b9dROTATEDSECRET77e5";
    let simulator = Simulator::builder()
        .key(UPSTREAM_KEY)
        .key(NEW_KEY)
        .generation_lag(Duration::from_secs(3))
        .start()
        .await
        .unwrap();
    simulator.plan(MODEL, "delay=50ms;words=200").unwrap();
    let folder = Folder::new();
    let path = folder.write("gateway.toml", &text(&simulator, &folder, PRICES[0], ""));
    let running = start(Config::from_file(&path).unwrap()).await.unwrap();
    leave(&running, OTHER_KEY).await;
    folder.write("upstream-key", NEW_KEY);
    running.gateway.reload(&path).await.unwrap();
    let bill = || {
        let mut attempts = simulator.report().attempts.into_iter();
        attempts.find(|attempt| attempt.path.contains("/generation?") && attempt.status == Some(200))
    };
    until("the bill is reported", async || bill().is_some()).await;
    let bill = bill().unwrap();
    let shown = bill.header("authorization").unwrap();
    assert!(shown.ends_with("77e5"), "{shown}");
    running.drain(std::future::pending()).await;
}

/// How many attempts stand in the ledger.
async fn recorded(file: &Path) -> u64 {
    use tower_openrouter::ledger::{Filter, LedgerOptions};
    let reader = LedgerOptions::sqlite(file).open_to_read().await.unwrap();
    reader.total(&Filter::new()).await.unwrap().attempts
}
