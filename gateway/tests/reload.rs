//! Settings that change while calls are in progress.

use std::{fs, path::Path};

use openrouter_gateway::{commands::start, settings::Config};
use openrouter_simulator::Simulator;
use tokio::time::{Duration, sleep};

use crate::support::{CLIENT_KEY, Folder, OTHER_KEY, Said, client, key, post, settings, streamed};

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
    while status(OTHER_KEY).await != 200 {
        sleep(Duration::from_millis(20)).await;
    }
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
