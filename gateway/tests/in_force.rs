//! What is in force, and what a gateway reports of it: keys that cannot be used, keys that are revoked while other settings wait, and settings that are
//! refused.

use crate::support::{APIS, CLIENT_KEY, Folder, OTHER_KEY, Said, client, key, post, settings, until};
use openrouter_gateway::{
    commands::{Running, start},
    keys::{KeyDatabase, KeyHash},
    settings::{Config, KeyRules},
};
use openrouter_simulator::Simulator;
use sqlx::Connection;
use test_servers::Postgres;

async fn status(running: &Running, key: &str) -> u16 {
    let url = format!("http://{}{}", running.address, APIS[0].0);
    Said::of(post(&client(), &url, key, APIS[0].1)).await.status
}

async fn get(running: &Running, path: &str) -> Said {
    Said::of(client().get(format!("http://{}{path}", running.address))).await
}

async fn add(database: &KeyDatabase, name: &str, key: &str, rules: &str) {
    let rules: KeyRules = serde_json::from_str(rules).unwrap();
    let hash = KeyHash::of(key.as_bytes());
    database.add(name, &hash, &rules).await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_key_of_the_database_that_cannot_be_used_is_left_out_and_reported_until_it_is_revoked() {
    let (simulator, folder) = (Simulator::start().await.unwrap(), Folder::new());
    let file = folder.path("gateway.db");
    let database = KeyDatabase::sqlite(&file);
    database.prepare().await.unwrap();
    add(
        &database,
        "zero",
        "sk-gw-zero",
        r#"{"budget":[{"usd":"0","per":"day"}]}"#,
    )
    .await;
    let five = r#"{"budget":[{"usd":"5","per":"day"}]}"#;
    add(&database, "acme", CLIENT_KEY, five).await;
    let text = settings(&simulator, &folder, &format!("storage.sqlite = \"{}\"", file.display()));
    let running = start(Config::from_toml(&text).unwrap()).await.unwrap();
    assert_eq!(
        (status(&running, CLIENT_KEY).await, status(&running, "sk-gw-zero").await),
        (200, 401)
    );
    add(&database, "other", OTHER_KEY, five).await;
    until("a key that was made after it", async || {
        status(&running, OTHER_KEY).await == 200
    })
    .await;
    let ready = get(&running, "/readyz").await;
    let said = ready.json();
    assert_eq!((ready.status, said["status"].as_str()), (200, Some("degraded")));
    assert!(said["reason"].as_str().unwrap().contains("left out"), "{said}");
    database.revoke("zero").await.unwrap();
    until("nothing is left out", async || {
        get(&running, "/readyz").await.json()["status"] == "ready"
    })
    .await;
    assert_eq!(status(&running, CLIENT_KEY).await, 200);
    running.drain(std::future::pending()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_key_of_the_database_that_cannot_be_read_is_reported_until_it_is_revoked() {
    let (simulator, folder) = (Simulator::start().await.unwrap(), Folder::new());
    let file = folder.path("gateway.db");
    let database = KeyDatabase::sqlite(&file);
    database.prepare().await.unwrap();
    add(&database, "acme", CLIENT_KEY, "{}").await;
    add(&database, "other", OTHER_KEY, "{}").await;
    sqlx::any::install_default_drivers();
    let url = format!("sqlite://{}", file.display());
    let mut connection = sqlx::AnyConnection::connect(&url).await.unwrap();
    let sql = "UPDATE gateway_keys SET rules = '{\"concurrency\":\"many\"}' WHERE name = 'other'";
    sqlx::query(sql).execute(&mut connection).await.unwrap();
    connection.close().await.unwrap();
    let text = settings(&simulator, &folder, &format!("storage.sqlite = \"{}\"", file.display()));
    let running = start(Config::from_toml(&text).unwrap()).await.unwrap();
    assert_eq!(
        (status(&running, CLIENT_KEY).await, status(&running, OTHER_KEY).await),
        (200, 401)
    );
    let ready = get(&running, "/readyz").await.json();
    assert_eq!(ready["status"], "degraded", "{ready}");
    assert!(ready["reason"].as_str().unwrap().contains("left out"), "{ready}");
    database.revoke("other").await.unwrap();
    until("nothing is left out", async || {
        get(&running, "/readyz").await.json()["status"] == "ready"
    })
    .await;
    assert_eq!(database.all().await.unwrap().len(), 2, "it is shown as revoked");
    running.drain(std::future::pending()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_key_is_revoked_while_other_settings_wait_for_the_ledger() {
    let Some(server) = Postgres::start() else { return };
    let (simulator, folder) = (Simulator::start().await.unwrap(), Folder::new());
    let place = folder.write("database-url", &server.url());
    let text = |budget: &str| {
        let storage = format!("storage.postgres = \"file:{}\"", place.display());
        settings(&simulator, &folder, &format!("{storage}\n{budget}\n"))
    };
    let running = start(Config::from_toml(&text("")).unwrap()).await.unwrap();
    let database = KeyDatabase::postgres(server.url().into());
    for (name, key) in [("acme", CLIENT_KEY), ("other", OTHER_KEY)] {
        add(&database, name, key, "{}").await;
        // Until one is on the ring, a gateway on loopback needs none.
        until("the key is in force", async || running.gateway.ring().has(name)).await;
        assert_eq!(status(&running, key).await, 200);
    }
    let ledger = running.gateway.ledger().unwrap().clone();
    until("all entries are written", async || ledger.waiting() == 0).await;

    sqlx::any::install_default_drivers();
    let mut other = sqlx::AnyConnection::connect(&server.url()).await.unwrap();
    let mut lock = other.begin().await.unwrap();
    let sql = "LOCK TABLE entries IN ACCESS EXCLUSIVE MODE";
    sqlx::query(sql).execute(&mut *lock).await.unwrap();
    let path = folder.write(
        "gateway.toml",
        &text("budget = [{ name = \"all\", usd = \"5\", per = \"month\" }]"),
    );
    let revoked = async {
        let mut looking = sqlx::AnyConnection::connect(&server.url()).await.unwrap();
        until("the new budget waits for the ledger", async || {
            let sql = "SELECT COUNT(*) FROM pg_locks WHERE NOT granted";
            let waiting: i64 = sqlx::query_scalar(sql).fetch_one(&mut looking).await.unwrap();
            waiting > 0
        })
        .await;
        database.revoke("acme").await.unwrap();
        until("the key is refused", async || status(&running, CLIENT_KEY).await == 401).await;
        let budgets = running.gateway.settings().settings().budget;
        assert!(budgets.is_empty(), "the other settings wait");
        lock.rollback().await.unwrap();
    };
    let (reloaded, ()) = tokio::join!(running.gateway.reload(&path), revoked);
    reloaded.unwrap();
    assert_eq!(
        (status(&running, CLIENT_KEY).await, status(&running, OTHER_KEY).await),
        (401, 200),
        "settings that were read before the key was revoked do not give it back"
    );
    running.drain(std::future::pending()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn settings_that_are_refused_are_reported_until_good_ones_are_in_force() {
    let (simulator, folder) = (Simulator::start().await.unwrap(), Folder::new());
    let text = |rest: &str| settings(&simulator, &folder, &(key("acme", CLIENT_KEY, rest) + "\n"));
    // Of a file that is followed, a reading could come between.
    let running = start(Config::from_toml(&text("")).unwrap()).await.unwrap();
    let path = folder.path("gateway.toml");
    let reported = async || {
        let ready = get(&running, "/readyz").await.json();
        assert_eq!(ready["status"], "ready", "the settings before are in force: {ready}");
        let refused = running.gateway.reload_error();
        assert_eq!(ready["warning"].is_string(), refused.is_some(), "{ready}");
        let metrics = get(&running, "/metrics").await.text;
        let gauge = format!("\ngateway_settings_refused {}\n", u8::from(refused.is_some()));
        assert!(metrics.contains(&gauge), "{metrics}");
        refused
    };
    assert_eq!(reported().await, None);
    for wrong in ["concurency = 1", "budget = [{ usd = \"0\", per = \"day\" }]"] {
        folder.write("gateway.toml", &text(wrong));
        let error = running.gateway.reload(&path).await.unwrap_err().to_string();
        let refused = reported().await.unwrap();
        assert_eq!(*refused, *error);
        assert!(
            error.contains("concurency") || error.contains("zero refuses every call"),
            "{error}"
        );
    }
    folder.write("gateway.toml", &text("concurrency = 1"));
    running.gateway.reload(&path).await.unwrap();
    assert_eq!(reported().await, None);
    running.drain(std::future::pending()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_key_may_do_is_shown_while_the_ledger_does_not_answer() {
    let (simulator, folder) = (Simulator::start().await.unwrap(), Folder::new());
    let file = folder.path("gateway.db");
    let budget = "budget = [{ usd = \"1.50\", per = \"day\" }]\nconcurrency = 3";
    let rest = format!(
        "storage.sqlite = \"{}\"\n{}",
        file.display(),
        key("acme", CLIENT_KEY, budget)
    );
    let running = start(Config::from_toml(&settings(&simulator, &folder, &rest)).unwrap())
        .await
        .unwrap();
    sqlx::any::install_default_drivers();
    let mut other = sqlx::AnyConnection::connect(&format!("sqlite://{}", file.display()))
        .await
        .unwrap();
    let sql = "ALTER TABLE entries RENAME TO away";
    sqlx::query(sql).execute(&mut other).await.unwrap();
    let url = format!("http://{}/v1/key", running.address);
    let said = Said::of(client().get(&url).bearer_auth(CLIENT_KEY)).await;
    let own = said.json()["data"].clone();
    assert_eq!((said.status, &own["limit"]), (200, &1.5.into()), "{own}");
    assert_eq!(own["limits"]["concurrency"], 3, "{own}");
    assert_eq!(own["budgets"][0]["spent"], "0.00", "{own}");
    for usage in ["usage", "usage_daily", "usage_weekly", "usage_monthly"] {
        assert!(own[usage].is_null() && own.get(usage).is_some(), "{usage}: {own}");
    }
    running.drain(std::future::pending()).await;
}
