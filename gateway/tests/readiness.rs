//! Whether a gateway says that it takes calls, while what it depends on is away.

use std::time::Duration;

use serde_json::Value;
use sqlx::Connection;
use test_servers::Redis;
use tokio::time::sleep;

use crate::support::{APIS, CLIENT_KEY, Folder, OTHER_KEY, Place, key, raw};

fn over(server: &Redis, rest: &str) -> String {
    format!(
        "shared = {{ redis = \"{}\", decision_timeout = \"200ms\" }}\n{rest}",
        server.url()
    )
}

async fn readiness(place: &Place) -> (u16, Value) {
    let said = place.get("/readyz", "").await;
    (said.status, said.json()["status"].clone())
}

/// Asks until it says so.
async fn until(place: &Place, wanted: &str) -> u16 {
    let mut status = 0;
    crate::support::until(wanted, async || {
        let word;
        (status, word) = readiness(place).await;
        word == wanted
    })
    .await;
    status
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_store_that_hangs_makes_a_gateway_unready_only_if_no_call_passes() {
    let Some(server) = Redis::start() else { return };
    let budgeted = key("acme", CLIENT_KEY, "budget = [{ usd = \"5\", per = \"day\" }]");
    let free = key("other", OTHER_KEY, "requests = { amount = 100, per = \"1m\" }");
    let one = Place::start(&over(&server, &budgeted)).await;
    let both = Place::start(&over(&server, &(budgeted.clone() + &free))).await;
    let (path, body) = APIS[0];
    assert_eq!(one.post(path, CLIENT_KEY, body).await.status, 200);
    server.pause();
    for place in [&one, &both] {
        assert_eq!(place.post(path, CLIENT_KEY, body).await.status, 503);
    }
    assert_eq!(until(&one, "unready").await, 503);
    assert_eq!(until(&both, "degraded").await, 200);
    assert_eq!(
        both.post(path, OTHER_KEY, body).await.status,
        200,
        "it passes uncounted"
    );
    server.resume();
    // Nothing is called from here on.
    for place in [&one, &both] {
        assert_eq!(until(place, "ready").await, 200);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_store_that_hangs_makes_no_gateway_unready_whose_budgets_only_warn() {
    let Some(server) = Redis::start() else { return };
    let alert = "max_per_hour = { usd = \"20\", action = \"alert\" }\n";
    let place = Place::start(&over(&server, alert)).await;
    let (path, body) = APIS[0];
    assert_eq!(place.post(path, "", body).await.status, 200);
    server.pause();
    let status = place.post(path, "", body).await.status;
    assert_eq!(until(&place, "degraded").await, 200);
    assert_eq!(
        status, 200,
        "an alert refuses no call, so the gateway is ready for all of them"
    );
    server.resume();
    assert_eq!(until(&place, "ready").await, 200);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_store_without_memory_keeps_a_gateway_unready_although_it_answers() {
    let Some(server) = Redis::start() else { return };
    let budgeted = key("acme", CLIENT_KEY, "budget = [{ usd = \"5\", per = \"day\" }]");
    let place = Place::start(&over(&server, &budgeted)).await;
    let address = ([127, 0, 0, 1], server.port()).into();
    let memory = async |bytes: &str| {
        let commands = format!("CONFIG SET maxmemory {bytes}\r\nQUIT\r\n");
        assert!(raw(address, commands.as_bytes()).await.starts_with("+OK"));
    };
    memory("1").await;
    let (path, body) = APIS[0];
    assert_eq!(place.post(path, CLIENT_KEY, body).await.status, 503);
    for _ in 0..50 {
        sleep(Duration::from_millis(100)).await;
        assert_eq!(place.get("/metrics", "").await.status, 200);
        assert_eq!(readiness(&place).await, (503, "unready".into()));
    }
    memory("0").await;
    assert_eq!(until(&place, "ready").await, 200);
    assert_eq!(place.post(path, CLIENT_KEY, body).await.status, 200);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_database_of_keys_that_fails_is_reported_within_seconds() {
    let folder = Folder::new();
    let file = folder.path("gateway.db");
    let place = Place::start(&format!("storage.sqlite = \"{}\"", file.display())).await;
    assert_eq!(until(&place, "ready").await, 200);
    sqlx::any::install_default_drivers();
    let mut other = sqlx::AnyConnection::connect(&format!("sqlite://{}", file.display()))
        .await
        .unwrap();
    let mut rename = async |from: &str, to: &str| {
        let sql = format!("ALTER TABLE {from} RENAME TO {to}");
        sqlx::query(&sql).execute(&mut other).await.unwrap();
    };
    rename("gateway_keys_version", "away").await;
    assert_eq!(until(&place, "degraded").await, 200);
    let reason = place.get("/readyz", "").await.json()["reason"].to_string();
    assert!(
        reason.contains("client keys") && reason.contains("revoked ones stay in force"),
        "{reason}"
    );
    rename("away", "gateway_keys_version").await;
    assert_eq!(until(&place, "ready").await, 200);
}
