//! The end of a gateway: seen by load balancers before it, and at any time.

use std::{
    future::pending,
    net::TcpListener,
    process::{Command, Stdio},
};

use tokio::{
    net::TcpStream,
    sync::oneshot,
    time::{Duration, timeout},
};

use crate::support::{APIS, CLIENT_KEY, Folder, Place, Said, client, key, post};

/// On an address of this machine that no other test has: a port that was given back may be another test's at once.
fn alone(last: u8, rest: &str) -> String {
    format!("listen = \"127.0.0.{last}:0\"\n{rest}")
}

/// The response to a request on a connection of its own.
async fn fresh(place: &str, path: &str) -> Said {
    Said::of(client().get(format!("http://{place}{path}"))).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_gateway_that_leaves_says_so_and_still_answers() {
    let rest = alone(2, "server.leave_delay = \"10m\"\n") + &key("acme", CLIENT_KEY, "");
    let Place { simulator, running, .. } = Place::start(&rest).await;
    let _simulator = simulator;
    let address = running.address.to_string();
    let stages = running.gateway.stages().clone();
    assert_eq!(fresh(&address, "/readyz").await.status, 200);
    let (hurry, hurried) = oneshot::channel::<()>();
    let draining = tokio::spawn(running.drain(async { drop(hurried.await) }));
    stages.reached(openrouter_gateway::server::Stage::Leaving).await;
    let ready = fresh(&address, "/readyz").await;
    assert_eq!(ready.status, 503);
    assert!(ready.text.contains("shutting down"), "{ready:?}");
    assert_eq!(ready.headers["connection"], "close");
    let url = format!("http://{address}{}", APIS[0].0);
    let said = Said::of(post(&client(), &url, CLIENT_KEY, APIS[0].1)).await;
    assert_eq!(
        (said.status, &said.headers["connection"]),
        (200, &"close".parse().unwrap())
    );
    // A second signal does not wait for the delay.
    hurry.send(()).unwrap();
    draining.await.unwrap();
    assert!(TcpStream::connect(&address).await.is_err(), "no connection is accepted");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_delay_has_an_end() {
    let rest = alone(3, "server.leave_delay = \"50ms\"\n") + &key("acme", CLIENT_KEY, "");
    let place = Place::start(&rest).await;
    let address = place.running.address;
    place.running.drain(pending()).await;
    assert!(TcpStream::connect(address).await.is_err());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_signal_ends_a_gateway_that_waits_for_its_database() {
    let folder = Folder::new();
    // It accepts, and never says a word.
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let at = silent.local_addr().unwrap();
    folder.write("key", "sk-or-v1-0");
    let text = format!(
        "listen = \"127.0.0.1:0\"\nrefresh_catalogue = false\nstorage.postgres = \"postgres://{at}/ledger\"\n\
         [[upstream]]\nname = \"openrouter\"\nkey = \"file:key\"\n"
    );
    folder.write("gateway.toml", &text);
    let mut child = Command::new(env!("CARGO_BIN_EXE_openrouter-gateway"))
        .arg("serve")
        .current_dir(folder.path(""))
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let _connection = tokio::task::spawn_blocking(move || silent.accept().unwrap())
        .await
        .unwrap();
    let pid = child.id().to_string();
    assert!(Command::new("kill").args(["-TERM", &pid]).status().unwrap().success());
    let ended = tokio::task::spawn_blocking(move || child.wait().unwrap());
    let status = timeout(Duration::from_secs(30), ended).await.expect("it ends").unwrap();
    assert!(status.success(), "{status}");
}
