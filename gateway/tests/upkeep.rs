//! What a gateway does in its ledger from time to time.

use std::time::Duration;

use openrouter_gateway::{commands::start, settings::Config};
use openrouter_simulator::Simulator;
use test_servers::Postgres;
use tokio::time::{sleep, timeout};
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

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn entries_older_than_what_is_kept_are_forgotten() {
    let (simulator, folder) = (Simulator::start().await.unwrap(), Folder::new());
    let file = folder.path("ledger.db");
    let entries = [(100, "a"), (80, "b"), (1, "c")];
    let entries = entries.map(|(days, id)| estimated(days * DAY, Tags::default(), Some(id)));
    recorded(LedgerOptions::sqlite(&file), &entries).await.close().await;
    let rest = format!("storage = {{ sqlite = \"{}\", keep = \"90days\" }}", file.display());
    let running = start(Config::from_toml(&settings(&simulator, &folder, &rest)).unwrap())
        .await
        .unwrap();
    let ledger = running.gateway.ledger().unwrap().clone();
    let forgotten = async {
        while ledger.total(&Filter::new()).await.unwrap().attempts != 2 {
            sleep(Duration::from_millis(20)).await;
        }
    };
    timeout(Duration::from_secs(60), forgotten)
        .await
        .expect("they are forgotten");
    running.drain(std::future::pending()).await;
}
