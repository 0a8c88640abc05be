//! What a gateway does in its ledger from time to time.

use std::time::Duration;

use openrouter_gateway::{commands::start, settings::Config};
use openrouter_simulator::Simulator;
use test_servers::Postgres;
use tokio::time::{advance, pause, resume, sleep, timeout};
use tower_openrouter::{
    Tags,
    layers::ledger::{Entry, EntryState, Ledger},
    ledger::{DatabaseLedger, Filter, LedgerOptions},
};

use crate::support::{APIS, Folder, Said, client, estimated, post, settings, until};

const DAY: Duration = Duration::from_secs(24 * 3600);

async fn recorded(options: LedgerOptions, entries: &[Entry]) -> DatabaseLedger {
    let ledger = options.open().await.unwrap();
    for entry in entries {
        ledger.record(entry);
    }
    until("the entries are written", async || ledger.waiting() == 0).await;
    ledger
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_bill_that_a_gateway_left_is_requested_over_postgres_too() {
    let Some(server) = Postgres::start() else { return };
    let (simulator, folder) = (Simulator::start().await.unwrap(), Folder::new());
    let chat = format!("{}/chat/completions", simulator.base_url());
    let said = Said::of(post(&client(), &chat, "sk-or-v1-0", APIS[0].1)).await;
    let id = said.json()["id"].as_str().unwrap().to_owned();
    let entries = [estimated(Duration::from_secs(7_200), Tags::default(), Some(&id))];
    let ledger = recorded(LedgerOptions::postgres(&server.url()), &entries).await;
    let place = folder.write("database-url", &server.url());
    let rest = format!("storage.postgres = \"file:{}\"", place.display());
    let text = settings(&simulator, &folder, &rest);
    let one = start(Config::from_toml(&text).unwrap()).await.unwrap();
    let two = start(Config::from_toml(&text).unwrap()).await.unwrap();
    let billed = async {
        loop {
            let entry = ledger.recent(&Filter::new(), 1).await.unwrap().remove(0);
            if entry.state == EntryState::Reconciled {
                return entry.bill;
            }
            sleep(Duration::from_millis(50)).await;
        }
    };
    let bill = timeout(Duration::from_secs(60), billed)
        .await
        .expect("a gateway asks for it");
    assert_eq!(bill.unwrap().pico(), i128::from(simulator.billed_total().pico()));
    for running in [one, two] {
        running.drain(std::future::pending()).await;
    }
    ledger.close().await;
}

/// A gateway over a ledger with entries that ended so many days ago, an hour and a second after its start: how many it still has once it has so many.
async fn forgets(days: [u32; 3], kept: u64) {
    let (simulator, folder) = (Simulator::start().await.unwrap(), Folder::new());
    let file = folder.path("ledger.db");
    let entries = days.map(|days| estimated(days * DAY, Tags::default(), Some(&days.to_string())));
    recorded(LedgerOptions::sqlite(&file), &entries).await.close().await;
    let rest = format!("storage = {{ sqlite = \"{}\", keep = \"90days\" }}", file.display());
    let running = start(Config::from_toml(&settings(&simulator, &folder, &rest)).unwrap())
        .await
        .unwrap();
    let ledger = running.gateway.ledger().unwrap().clone();
    let attempts = async || ledger.total(&Filter::new()).await.unwrap().attempts;
    for _ in 0..5 {
        assert_eq!(attempts().await, 3, "none is forgotten at the start");
    }
    pause();
    advance(Duration::from_secs(3_601)).await;
    resume();
    until("old entries are forgotten", async || attempts().await <= kept).await;
    assert_eq!(attempts().await, kept);
    running.drain(std::future::pending()).await;
}

#[tokio::test]
async fn entries_older_than_what_is_kept_are_forgotten_an_hour_after_the_start() {
    Box::pin(forgets([100, 80, 1], 2)).await;
}

/// As if the machine had started with a clock that is more than a year ahead.
#[tokio::test]
async fn a_clock_that_is_ahead_of_the_ledger_does_not_empty_it() {
    Box::pin(forgets([500, 480, 400], 2)).await;
}
