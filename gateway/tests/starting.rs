//! What a gateway answers while it starts.

use std::net::{SocketAddr, TcpListener};

use openrouter_gateway::{commands::start, settings::Config};
use openrouter_simulator::Simulator;

use crate::support::{APIS, Folder, Said, client, post, settings, until};

/// Why a gateway with a database is not ready.
const STARTING: &str = "read from the ledger";

/// What a gateway answers on this address while it starts.
async fn look_at(http: &reqwest::Client, address: SocketAddr) {
    let url = |path: &str| format!("http://{address}{path}");
    until("it accepts connections", async || {
        http.get(url("/healthz"))
            .send()
            .await
            .is_ok_and(|said| said.status() == 200)
    })
    .await;
    let ready = Said::of(http.get(url("/readyz"))).await;
    assert_eq!((ready.status, &ready.json()["status"]), (503, &"unready".into()));
    assert!(ready.text.contains(STARTING), "{ready:?}");
    for (path, body) in APIS {
        let said = Said::of(post(http, &url(path), "", body)).await;
        assert_eq!(
            (said.status, said.headers["retry-after"].to_str().unwrap()),
            (503, "1"),
            "{said:?}"
        );
        assert!(said.text.contains("starting"), "{said:?}");
    }
}

/// The start waits for a database that takes connections and never answers.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_gateway_that_starts_is_alive_and_takes_no_calls_and_one_that_does_not_open_is_gone() {
    let (simulator, folder) = (Simulator::start().await.unwrap(), Folder::new());
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let database = format!("postgres://gateway@{}/llm", silent.local_addr().unwrap());
    let place = folder.write("database-url", &database);
    let text = settings(
        &simulator,
        &folder,
        &format!("storage.postgres = \"file:{}\"", place.display()),
    );
    let http = client();
    let address = loop {
        let free = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        let text = text.replace("127.0.0.1:0", &free.to_string());
        tokio::select! {
            biased;
            started = start(Config::from_toml(&text).unwrap()) => {
                // Another test has taken the port meanwhile.
                let why = started.unwrap_err().to_string();
                assert!(why.contains("cannot listen on"), "it does not wait: {why}");
            }
            () = look_at(&http, free) => break free,
        }
    };
    until("a start that was dropped answers nothing", async || {
        match http.get(format!("http://{address}/readyz")).send().await {
            Ok(said) => !said.text().await.unwrap_or_default().contains(STARTING),
            Err(_) => true,
        }
    })
    .await;
}
