//! Keys in the database: made and revoked while gateways run.

use openrouter_gateway::{
    commands::{Running, start},
    keys::{KeyDatabase, KeyHash},
    settings::{Config, KeyRules},
};
use openrouter_simulator::Simulator;
use sqlx::Connection;
use test_servers::Postgres;

use crate::support::{APIS, CLIENT_KEY, Folder, OTHER_KEY, Said, client, post, settings};

async fn status(running: &Running, key: &str) -> u16 {
    let url = format!("http://{}{}", running.address, APIS[0].0);
    Said::of(post(&client(), &url, key, APIS[0].1)).await.status
}

/// Asks until the gateway says so.
async fn until(running: &Running, key: &str, wanted: u16) {
    crate::support::until(&format!("{wanted} for {key}"), async || {
        status(running, key).await == wanted
    })
    .await;
}

fn rules(json: &str) -> KeyRules {
    serde_json::from_str(json).unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_key_of_the_database_is_in_force_until_it_is_revoked() {
    let (simulator, folder) = (Simulator::start().await.unwrap(), Folder::new());
    let file = folder.path("gateway.db");
    let database = KeyDatabase::sqlite(&file);
    database.prepare().await.unwrap();
    database
        .add("first", &KeyHash::of(CLIENT_KEY.as_bytes()), &KeyRules::default())
        .await
        .unwrap();
    let text = settings(&simulator, &folder, &format!("storage.sqlite = \"{}\"", file.display()));
    let running = start(Config::from_toml(&text).unwrap()).await.unwrap();
    assert_eq!(
        (status(&running, CLIENT_KEY).await, status(&running, OTHER_KEY).await),
        (200, 401)
    );

    let limited = rules(r#"{"budget":[{"usd":"0.0000001","per":"day"}]}"#);
    database
        .add("second", &KeyHash::of(OTHER_KEY.as_bytes()), &limited)
        .await
        .unwrap();
    until(&running, OTHER_KEY, 402).await;
    assert!(
        database.add("second", &KeyHash::of(b"x"), &limited).await.is_err(),
        "its name is taken"
    );
    assert!(database.revoke("third").await.is_err(), "there is none");
    database.revoke("first").await.unwrap();
    until(&running, CLIENT_KEY, 401).await;
    assert_eq!(status(&running, OTHER_KEY).await, 402);
    database.revoke("second").await.unwrap();
    until(&running, OTHER_KEY, 401).await;
    assert_eq!(status(&running, "").await, 401, "without a key in force no call passes");
    running.drain(std::future::pending()).await;
}

/// A gauge that stays would keep an alert on its budget firing until the gateway restarts.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_budget_of_a_revoked_key_leaves_the_metrics() {
    let (simulator, folder) = (Simulator::start().await.unwrap(), Folder::new());
    let file = folder.path("gateway.db");
    let database = KeyDatabase::sqlite(&file);
    database.prepare().await.unwrap();
    let limited = rules(r#"{"budget":[{"usd":"0.05","per":"month"}]}"#);
    for (name, key) in [("job", CLIENT_KEY), ("other", OTHER_KEY)] {
        database
            .add(name, &KeyHash::of(key.as_bytes()), &limited)
            .await
            .unwrap();
    }
    let text = settings(&simulator, &folder, &format!("storage.sqlite = \"{}\"", file.display()));
    let running = start(Config::from_toml(&text).unwrap()).await.unwrap();
    let scraped = async || {
        Said::of(client().get(format!("http://{}/metrics", running.address)))
            .await
            .text
    };
    assert_eq!(
        (status(&running, CLIENT_KEY).await, status(&running, OTHER_KEY).await),
        (200, 200)
    );
    let before = scraped().await;
    for gauge in ["cap", "spent", "reserved", "left"] {
        let line = format!("\nllm_budget_{gauge}{{llm_budget=\"key/job/month\"}} ");
        assert!(before.contains(&line), "{line}: {before}");
    }
    database.revoke("job").await.unwrap();
    until(&running, CLIENT_KEY, 401).await;
    crate::support::until("a scrape without the key", async || {
        !scraped().await.contains("key/job/")
    })
    .await;
    let after = scraped().await;
    assert!(
        after.contains("llm_budget_left{llm_budget=\"key/other/month\"}"),
        "{after}"
    );
    running.drain(std::future::pending()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_revoked_key_is_refused_by_both_of_two_gateways() {
    let Some(server) = Postgres::start() else { return };
    let (simulator, folder) = (Simulator::start().await.unwrap(), Folder::new());
    let place = folder.write("database-url", &server.url());
    let text = settings(
        &simulator,
        &folder,
        &format!("storage.postgres = \"file:{}\"", place.display()),
    );
    let one = start(Config::from_toml(&text).unwrap()).await.unwrap();
    let two = start(Config::from_toml(&text).unwrap()).await.unwrap();
    let database = KeyDatabase::postgres(server.url().into());
    database
        .add("acme", &KeyHash::of(CLIENT_KEY.as_bytes()), &KeyRules::default())
        .await
        .unwrap();
    database
        .add("other", &KeyHash::of(OTHER_KEY.as_bytes()), &KeyRules::default())
        .await
        .unwrap();
    for running in [&one, &two] {
        until(running, CLIENT_KEY, 200).await;
        until(running, OTHER_KEY, 200).await;
        until(running, "sk-gw-unknown", 401).await;
    }
    database.revoke("acme").await.unwrap();
    for running in [&one, &two] {
        until(running, CLIENT_KEY, 401).await;
        assert_eq!(status(running, OTHER_KEY).await, 200);
    }
    for running in [one, two] {
        running.drain(std::future::pending()).await;
    }
}

/// The role is renamed in place of a password that is replaced: the server of the tests asks for none.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_login_that_is_replaced_in_its_file_is_read_again() {
    let Some(server) = Postgres::start() else { return };
    sqlx::any::install_default_drivers();
    let mut other = sqlx::AnyConnection::connect(&server.url()).await.unwrap();
    let mut sql = async |sql: &'static str| {
        sqlx::query(sql).execute(&mut other).await.unwrap();
    };
    sql("CREATE ROLE first_login SUPERUSER LOGIN").await;
    let (simulator, folder) = (Simulator::start().await.unwrap(), Folder::new());
    let login = |role: &str| folder.write("database-url", &server.url().replace("postgres@", &format!("{role}@")));
    let rest = format!("storage.postgres = \"file:{}\"", login("first_login").display());
    let running = start(Config::from_toml(&settings(&simulator, &folder, &rest)).unwrap())
        .await
        .unwrap();
    let database = KeyDatabase::postgres(server.url().into());
    for (name, key) in [("acme", CLIENT_KEY), ("other", OTHER_KEY)] {
        let hash = KeyHash::of(key.as_bytes());
        database.add(name, &hash, &KeyRules::default()).await.unwrap();
        until(&running, key, 200).await;
    }
    sql("ALTER ROLE first_login RENAME TO second_login").await;
    sql("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'second_login'").await;
    login("second_login");
    database.revoke("acme").await.unwrap();
    until(&running, CLIENT_KEY, 401).await;
    assert_eq!(status(&running, OTHER_KEY).await, 200);
    let ledger = running.gateway.ledger().unwrap().clone();
    running.drain(std::future::pending()).await;
    assert_eq!((ledger.waiting(), ledger.lost()), (0, 0));
}
