//! SIGHUP: the real program reads its settings file again.

use std::time::Duration;

use openrouter_simulator::Simulator;
use sqlx::{Connection, SqliteConnection, sqlite::SqliteConnectOptions};

use crate::support::{
    APIS, Binary, CLIENT_KEY, Folder, OTHER_KEY, Said, client, key, post, settings, streamed, until, within,
};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_hang_up_reads_the_file_again_and_drops_no_stream() {
    let (simulator, folder) = (Simulator::start().await.unwrap(), Folder::new());
    simulator.plan("demo/model", "stall=4s@5").unwrap();
    let write = |rest: &str| folder.write("gateway.toml", &settings(&simulator, &folder, rest));
    write(&key("acme", CLIENT_KEY, ""));
    let gateway = Binary::serve(&[], &folder.path(""));
    let (http, url) = (client(), gateway.url("/v1/chat/completions"));
    let status = async |key: &str| {
        Said::of(post(&http, &url, key, &streamed("demo/small", 20)))
            .await
            .status
    };
    let stream = post(&http, &url, CLIENT_KEY, &streamed("demo/model", 50));
    let stream = stream.send().await.unwrap();
    assert_eq!((stream.status().as_u16(), status(OTHER_KEY).await), (200, 401));

    // The file is as it was, so its changes are not what makes the gateway read it.
    gateway.signal("-HUP");
    gateway.until_logged("settings replaced", 1).await;
    write(&key("other", OTHER_KEY, ""));
    gateway.signal("-HUP");
    gateway.until_logged("settings replaced", 2).await;
    until("the new key is in force", async || status(OTHER_KEY).await == 200).await;
    assert_eq!(status(CLIENT_KEY).await, 401);

    write(&(key("acme", CLIENT_KEY, "") + "\nconcurency = 1\n"));
    gateway.signal("-HUP");
    gateway
        .until_logged("settings refused: the old ones stay in force", 1)
        .await;
    let log = gateway.logged();
    assert!(log.contains("did you mean `key[0].concurrency`?"), "{log}");
    assert_eq!((status(CLIENT_KEY).await, status(OTHER_KEY).await), (401, 200));
    assert!(
        stream.text().await.unwrap().ends_with("data: [DONE]\n\n"),
        "the stream survives"
    );
    gateway.until_logged("SIGHUP: the settings file is read again", 3).await;
    gateway.signal("-TERM");
    let (status, log) = gateway.ended();
    assert!(status.success(), "{log}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_hang_up_of_a_gateway_without_a_file_is_logged() {
    let folder = Folder::new();
    let gateway = Binary::serve(&["--demo", "--listen", "127.0.0.1:0"], &folder.path(""));
    gateway.signal("-HUP");
    gateway.until_logged("there is no settings file to read again", 1).await;
    let said = Said::of(client().get(gateway.url("/healthz"))).await;
    assert_eq!(said.status, 200, "{said:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_termination_does_not_wait_for_a_reload_that_waits_for_the_database() {
    let (simulator, folder) = (Simulator::start().await.unwrap(), Folder::new());
    let write = |budget: &str| {
        let rest = format!("storage.sqlite = \"gateway.db\"\n{budget}");
        folder.write("gateway.toml", &settings(&simulator, &folder, &rest));
    };
    write("");
    let gateway = Binary::serve(&[], &folder.path(""));
    // Another program writes into the file: the entry of the call has to wait, and the new budget for the entry.
    let options = SqliteConnectOptions::new().filename(folder.path("gateway.db"));
    let mut other = SqliteConnection::connect_with(&options).await.unwrap();
    sqlx::query("BEGIN IMMEDIATE").execute(&mut other).await.unwrap();
    let said = Said::of(post(&client(), &gateway.url(APIS[0].0), "", APIS[0].1)).await;
    assert_eq!(said.status, 200, "{said:?}");
    write("budget = [{ name = \"all\", usd = \"5\", per = \"month\" }]");
    gateway.signal("-HUP");
    gateway.until_logged("SIGHUP: the settings file is read again", 1).await;
    gateway.signal("-TERM");
    within(Duration::from_secs(3), "the shutdown begins", async || {
        gateway.logged().contains("shutting down")
    })
    .await;
    sqlx::query("ROLLBACK").execute(&mut other).await.unwrap();
    other.close().await.unwrap();
    let (status, log) = gateway.ended();
    assert!(status.success(), "{log}");
}
