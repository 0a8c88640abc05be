//! Keys in the database: made and revoked while gateways run.

use openrouter_gateway::{
    commands::{Running, start},
    keys::{KeyDatabase, KeyHash},
    settings::{Config, KeyRules},
};
use openrouter_simulator::Simulator;
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
