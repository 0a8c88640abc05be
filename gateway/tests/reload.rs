//! Settings that change while calls are in progress.

use std::{fs, path::Path};

use openrouter_gateway::{
    commands::{Running, start},
    keys::{KeyDatabase, KeyHash},
    settings::{Config, KeyRules},
};
use openrouter_simulator::Simulator;
use tokio::time::{Duration, sleep};

use crate::support::{APIS, CLIENT_KEY, Folder, OTHER_KEY, Said, UPSTREAM_KEY, client, key, post, settings, streamed};

fn write(path: &Path, text: &str) {
    // As editors and orchestrators do.
    let new = path.with_extension("new");
    fs::write(&new, text).unwrap();
    fs::rename(&new, path).unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_changed_file_is_in_force_without_dropping_a_stream_and_a_bad_one_is_not() {
    let (simulator, folder) = (Simulator::start().await.unwrap(), Folder::new());
    simulator.plan("demo/model", "stall=2s@5").unwrap();
    let text = |rest: &str| settings(&simulator, &folder, rest);
    let path = folder.write("gateway.toml", &text(&key("acme", CLIENT_KEY, "")));
    let running = start(Config::from_file(&path).unwrap()).await.unwrap();
    let url = format!("http://{}/v1/chat/completions", running.address);
    let http = client();
    let status = async |key: &str| {
        Said::of(post(&http, &url, key, &streamed("demo/small", 20)))
            .await
            .status
    };
    let stream = post(&http, &url, CLIENT_KEY, &streamed("demo/model", 50))
        .send()
        .await
        .unwrap();
    assert_eq!(stream.status(), 200);
    assert_eq!(status(OTHER_KEY).await, 401);

    // The key of the stream is gone, and another one is there.
    write(&path, &text(&key("other", OTHER_KEY, "")));
    crate::support::until("the other key", async || status(OTHER_KEY).await == 200).await;
    assert_eq!(status(CLIENT_KEY).await, 401);
    assert!(
        stream.text().await.unwrap().ends_with("data: [DONE]\n\n"),
        "the stream went on"
    );

    // What is wrong with a file, and nothing of it is in force.
    let error = {
        write(&path, &text(&(key("acme", CLIENT_KEY, "") + "\nconcurency = 1\n")));
        running.gateway.reload(&path).await.unwrap_err().to_string()
    };
    assert!(
        error.contains("gateway.toml:") && error.contains("did you mean `key[0].concurrency`?"),
        "{error}"
    );
    assert_eq!((status(CLIENT_KEY).await, status(OTHER_KEY).await), (401, 200));
    running.drain(std::future::pending()).await;
}

/// Asks until the gateway says so.
async fn until(running: &Running, key: &str, wanted: u16) {
    let url = format!("http://{}{}", running.address, APIS[0].0);
    crate::support::until(&format!("{wanted} for {key}"), async || {
        Said::of(post(&client(), &url, key, APIS[0].1)).await.status == wanted
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_refused_file_is_tried_again_once_its_secret_is_there() {
    let (simulator, folder) = (Simulator::start().await.unwrap(), Folder::new());
    let text = |rest: &str| settings(&simulator, &folder, rest);
    let path = folder.write("gateway.toml", &text(&key("acme", CLIENT_KEY, "")));
    let running = start(Config::from_file(&path).unwrap()).await.unwrap();
    until(&running, CLIENT_KEY, 200).await;
    let secret = folder.path("upstream-key");
    let budgeted = text(&key("other", OTHER_KEY, ""));
    fs::rename(&secret, folder.path("away")).unwrap();
    write(&path, &budgeted);
    sleep(Duration::from_millis(2_500)).await;
    until(&running, OTHER_KEY, 401).await;
    // The settings file stays as it is; only the place of the secret is filled again, as a mount does that comes late.
    fs::rename(folder.path("away"), &secret).unwrap();
    until(&running, OTHER_KEY, 200).await;
    running.drain(std::future::pending()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_key_added_while_a_secret_is_away_is_in_force_once_it_is_back() {
    let (simulator, folder) = (Simulator::start().await.unwrap(), Folder::new());
    let file = folder.path("gateway.db");
    let text = settings(&simulator, &folder, &format!("storage.sqlite = \"{}\"", file.display()));
    let running = start(Config::from_toml(&text).unwrap()).await.unwrap();
    let database = KeyDatabase::sqlite(&file);
    let (secret, away) = (folder.path("upstream-key"), folder.path("away"));
    fs::rename(&secret, &away).unwrap();
    let rules = serde_json::from_str(r#"{"budget":[{"usd":"5","per":"day"}]}"#).unwrap();
    for (name, key, rules) in [("acme", CLIENT_KEY, &rules), ("other", OTHER_KEY, &KeyRules::default())] {
        database.add(name, &KeyHash::of(key.as_bytes()), rules).await.unwrap();
    }
    until(&running, OTHER_KEY, 200).await;
    sleep(Duration::from_millis(1_500)).await;
    until(&running, CLIENT_KEY, 401).await;
    database.revoke("other").await.unwrap();
    until(&running, OTHER_KEY, 401).await;
    fs::rename(&away, &secret).unwrap();
    until(&running, CLIENT_KEY, 200).await;
    running.drain(std::future::pending()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_secret_that_changes_is_read_again() {
    let simulator = Simulator::builder().key(UPSTREAM_KEY).start().await.unwrap();
    let folder = Folder::new();
    let path = folder.write("gateway.toml", &settings(&simulator, &folder, ""));
    let secret = folder.path("upstream-key");
    let running = start(Config::from_file(&path).unwrap()).await.unwrap();
    let url = format!("http://{}{}", running.address, APIS[0].0);
    let is_answered = async || Said::of(post(&client(), &url, "", APIS[0].1)).await.status == 200;
    assert!(is_answered().await);
    // The upstream does not know the new key.
    write(&secret, "sk-or-v1-0a1b");
    crate::support::until("the new key is refused", async || !is_answered().await).await;
    write(&secret, UPSTREAM_KEY);
    crate::support::until("the old key is back", is_answered).await;
    running.drain(std::future::pending()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_change_between_reading_and_starting_is_not_lost() {
    let (simulator, folder) = (Simulator::start().await.unwrap(), Folder::new());
    let text = |rest: &str| settings(&simulator, &folder, rest);
    let path = folder.write("gateway.toml", &text(&key("acme", CLIENT_KEY, "")));
    let config = Config::from_file(&path).unwrap();
    write(&path, &text(&key("other", OTHER_KEY, "")));
    let running = start(config).await.unwrap();
    until(&running, OTHER_KEY, 200).await;
    running.drain(std::future::pending()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_file_is_not_read_while_it_is_written() {
    let (simulator, folder) = (Simulator::start().await.unwrap(), Folder::new());
    let text = |rest: &str| settings(&simulator, &folder, rest);
    let path = folder.write("gateway.toml", &text(&key("acme", CLIENT_KEY, "")));
    let running = start(Config::from_file(&path).unwrap()).await.unwrap();
    until(&running, CLIENT_KEY, 200).await;
    // Each state is valid, and none but the last has the key.
    let mut written = text("");
    for line in 0..20 {
        written.push_str(&format!("# {line}\n"));
        fs::write(&path, &written).unwrap();
        sleep(Duration::from_millis(100)).await;
        let url = format!("http://{}{}", running.address, APIS[0].0);
        assert_eq!(
            Said::of(post(&client(), &url, OTHER_KEY, APIS[0].1)).await.status,
            401,
            "half of it is in force"
        );
    }
    fs::write(&path, text(&key("other", OTHER_KEY, ""))).unwrap();
    until(&running, OTHER_KEY, 200).await;
    running.drain(std::future::pending()).await;
}
