//! Each setting of the gateway does what it says: those that no other test sets.

use std::{collections::BTreeMap, fs, future::pending, net::SocketAddr, path::Path};

use openrouter_gateway::server::Stage;
use openrouter_simulator::Simulator;
use test_servers::{Postgres, Redis};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    sync::oneshot,
    time::{Duration, timeout},
};
use tower_openrouter::ledger::{Filter, LedgerOptions};

use crate::{
    settings::own_keys,
    support::{APIS, Binary, CLIENT_KEY, Folder, Place, Said, key, post, raw, settings, streamed, until},
};

/// The texts of all tests but those of the settings file.
fn sources(folder: &Path, text: &mut String) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            sources(&path, text);
        } else if path.extension().is_some_and(|ending| ending == "rs") && !path.ends_with("settings.rs") {
            text.push_str(&fs::read_to_string(&path).unwrap().replace("\\n", "\n"));
        }
    }
}

#[test]
fn each_key_of_the_gateway_is_set_by_a_test() {
    let mut text = String::new();
    sources(&Path::new(env!("CARGO_MANIFEST_DIR")).join("tests"), &mut text);
    // In a text of a test, and no variable.
    let is_set = |key: &str| {
        let name = key.rsplit('.').next().unwrap_or(key);
        text.match_indices(&format!("{name} = ")).any(|(at, found)| {
            let before = text.get(..at).unwrap_or_default();
            let value = text.get(at + found.len()..).unwrap_or_default();
            let is_whole = !before.ends_with(|letter: char| letter.is_ascii_alphanumeric() || letter == '_');
            let is_variable = before.ends_with("let ") || before.ends_with("mut ");
            let is_value = value.starts_with(['\\', '[', '{', 't', 'f'])
                || value.starts_with(|digit: char| digit.is_ascii_digit());
            is_whole && !is_variable && is_value
        })
    };
    let unset: Vec<_> = own_keys().into_iter().filter(|key| !is_set(key)).collect();
    assert!(unset.is_empty(), "no test sets {unset:?}");
    assert!(!is_set("server.no_such_key"));
}

/// What the server announces over HTTP/2, by the numbers of the settings.
async fn announced(address: SocketAddr) -> BTreeMap<u16, u32> {
    let mut stream = TcpStream::connect(address).await.unwrap();
    // With an empty frame of settings.
    let preface = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0";
    stream.write_all(preface).await.unwrap();
    let mut head = [0; 9];
    stream.read_exact(&mut head).await.unwrap();
    assert_eq!(head[3], 4, "the first frame is that of its settings: {head:?}");
    let mut payload = vec![0; usize::from(u16::from_be_bytes([head[1], head[2]]))];
    stream.read_exact(&mut payload).await.unwrap();
    let setting = |bytes: &[u8]| {
        let value = u32::from_be_bytes([bytes[2], bytes[3], bytes[4], bytes[5]]);
        (u16::from_be_bytes([bytes[0], bytes[1]]), value)
    };
    payload.chunks_exact(6).map(setting).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_limits_of_heads_and_streams_hold() {
    let limits = "server.max_streams = 7\nserver.max_headers = 20\nserver.max_header_bytes = 8192\n";
    let place = Place::start(&(limits.to_owned() + &key("acme", CLIENT_KEY, ""))).await;
    let announced = announced(place.running.address).await;
    // SETTINGS_MAX_CONCURRENT_STREAMS and SETTINGS_MAX_HEADER_LIST_SIZE.
    assert_eq!((announced.get(&3), announced.get(&6)), (Some(&7), Some(&8192)));
    let many = |headers: usize| {
        (0..headers)
            .map(|number| format!("x-{number}: a\r\n"))
            .collect::<String>()
    };
    let long = |bytes: usize| format!("x: {}\r\n", "a".repeat(bytes));
    for (headers, status) in [
        (many(10), 200),
        (many(30), 431),
        (long(2_000), 200),
        (long(20_000), 431),
    ] {
        let head = format!("GET /healthz HTTP/1.1\r\nhost: a\r\nconnection: close\r\n{headers}\r\n");
        let answer = raw(place.running.address, head.as_bytes()).await;
        assert!(
            answer.starts_with(&format!("HTTP/1.1 {status} ")),
            "{} bytes: {answer}",
            head.len()
        );
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_outlasts_the_drain_ends_with_an_error_and_is_in_the_ledger() {
    let folder = Folder::new();
    let file = folder.path("ledger.db");
    let rest = format!(
        "server.drain_timeout = \"300ms\"\nstorage.sqlite = \"{}\"\n{}",
        file.display(),
        key("acme", CLIENT_KEY, "")
    );
    let Place {
        simulator,
        running,
        http,
        ..
    } = Place::start(&rest).await;
    simulator.plan("openai/gpt-4o-mini", "stall=100s@3").unwrap();
    simulator.plan("demo/small", "hang").unwrap();
    let call = |path: &str, body: &str| {
        let url = format!("http://{}{path}", running.address);
        tokio::spawn(Said::of(post(&http, &url, CLIENT_KEY, body)))
    };
    let mut streams = Vec::new();
    for (path, body) in APIS.into_iter().take(3) {
        streams.push((path, call(path, &body.replacen('{', "{\"stream\":true,", 1))));
    }
    let waiting = call(APIS[0].0, &APIS[0].1.replace("openai/gpt-4o-mini", "demo/small"));
    simulator
        .wait_until(|seen| {
            let stalled = seen.attempts.iter().filter(|attempt| attempt.pieces >= 3);
            stalled.count() == 3 && seen.of("demo/small").count() == 1
        })
        .await;
    let drained = timeout(Duration::from_secs(15), running.drain(pending())).await;
    assert!(drained.is_ok(), "the drain ends");
    for (path, stream) in streams {
        let said = stream.await.unwrap();
        assert_eq!(said.status, 200, "{path}");
        assert!(
            said.text.contains("the gateway shuts down") && !said.text.contains("[DONE]"),
            "{path}: {}",
            said.text
        );
        let event = if path.ends_with("completions") {
            "\"error\":"
        } else {
            "event: error\n"
        };
        assert!(said.text.contains(event), "{path}: {}", said.text);
    }
    let said = waiting.await.unwrap();
    assert_eq!(said.status, 503, "{said:?}");
    let ledger = LedgerOptions::sqlite(file).open_to_read().await.unwrap();
    let all = Filter::new().tag("key", "acme").model("openai/gpt-4o-mini");
    assert_eq!(ledger.total(&all).await.unwrap().attempts, 3);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_second_signal_ends_a_drain_at_once() {
    let rest = "server.drain_timeout = \"10m\"\n".to_owned() + &key("acme", CLIENT_KEY, "");
    let Place {
        simulator,
        running,
        http,
        ..
    } = Place::start(&rest).await;
    simulator.plan("demo/model", "stall=100s@3").unwrap();
    let url = format!("http://{}{}", running.address, APIS[0].0);
    let stream = tokio::spawn(Said::of(post(&http, &url, CLIENT_KEY, &streamed("demo/model", 100))));
    simulator
        .wait_until(|seen| seen.chats().any(|chat| chat.pieces >= 3))
        .await;
    let stages = running.gateway.stages().clone();
    let (hurry, hurried) = oneshot::channel::<()>();
    let draining = tokio::spawn(running.drain(async { drop(hurried.await) }));
    stages.reached(Stage::Draining).await;
    assert!(!stream.is_finished() && !draining.is_finished());
    hurry.send(()).unwrap();
    let drained = timeout(Duration::from_secs(15), draining).await;
    drained.expect("it does not wait for the stream").unwrap();
    let said = stream.await.unwrap();
    assert!(said.text.contains("the gateway shuts down"), "{}", said.text);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_database_that_hangs_holds_up_the_end_for_the_close_timeout_alone() {
    let Some(server) = Postgres::start() else { return };
    let folder = Folder::new();
    let url = folder.write("database-url", &server.url());
    let rest = format!(
        "storage.postgres = \"file:{}\"\nstorage.close_timeout = \"500ms\"\n{}",
        url.display(),
        key("acme", CLIENT_KEY, "")
    );
    let place = Place::start(&rest).await;
    assert_eq!(place.running.gateway.close_timeout(), Duration::from_millis(500));
    server.pause();
    assert_eq!(place.post(APIS[0].0, CLIENT_KEY, APIS[0].1).await.status, 200);
    // Less than the default, which is 8 s.
    let drained = timeout(Duration::from_secs(6), place.running.drain(pending())).await;
    server.resume();
    assert!(drained.is_ok(), "it waits for longer");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn all_keys_in_the_shared_store_begin_with_the_prefix() {
    let Some(server) = Redis::start() else { return };
    let rules = "requests = { amount = 100, per = \"1m\" }\nbudget = [{ usd = \"1.00\", per = \"month\" }]";
    let shared = format!(
        "shared = {{ redis = \"{}\", prefix = \"{{other}}\", decision_timeout = \"10s\" }}\n",
        server.url()
    );
    let place = Place::start(&(shared + &key("acme", CLIENT_KEY, rules))).await;
    assert_eq!(place.post(APIS[0].0, CLIENT_KEY, APIS[0].1).await.status, 200);
    let address = SocketAddr::from(([127, 0, 0, 1], server.port()));
    let answer = raw(address, b"KEYS *\r\nQUIT\r\n").await;
    let keys: Vec<_> = answer
        .lines()
        .filter(|line| !line.starts_with(['*', '$', '+']))
        .collect();
    assert!(keys.iter().any(|key| key.contains("acme")), "{answer}");
    assert!(keys.iter().all(|key| key.starts_with("{other}:")), "{answer}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_log_has_what_its_filter_lets_through() {
    let (simulator, folder) = (Simulator::start().await.unwrap(), Folder::new());
    for (filter, is_logged) in [("error", false), ("info", true), ("error,gateway=info", true)] {
        let rest = format!("log.filter = \"{filter}\"\n");
        folder.write("gateway.toml", &settings(&simulator, &folder, &rest));
        let gateway = Binary::serve(&[], &folder.path(""));
        gateway.signal("-TERM");
        let (status, log) = gateway.ended();
        assert!(status.success(), "{log}");
        assert_eq!(log.contains("shutting down"), is_logged, "{filter}: {log}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn models_and_prices_are_read_unless_that_is_off() {
    let budget = key("acme", CLIENT_KEY, "budget = [{ usd = \"1.00\", per = \"month\" }]");
    for refresh in [true, false] {
        // With a budget the start waits for them.
        let rest = format!("refresh_catalogue = {refresh}\nunknown_price = \"allow\"\n{budget}");
        let place = Place::start(&rest).await;
        let said = place.post(APIS[0].0, CLIENT_KEY, APIS[0].1).await;
        assert_eq!(said.status, 200, "{said:?}");
        let seen = place.simulator.report();
        let is_read = seen.attempts.iter().any(|attempt| attempt.path.contains("/models"));
        assert_eq!(is_read, refresh, "{:?}", seen.attempts);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_key_s_limit_of_tokens_refuses() {
    let tokens = "tokens = { amount = 100, per = \"1h\", burst = 100 }";
    let place = Place::start(&key("acme", CLIENT_KEY, tokens)).await;
    assert_eq!(place.post(APIS[0].0, CLIENT_KEY, APIS[0].1).await.status, 200);
    let said = place.post(APIS[0].0, CLIENT_KEY, APIS[0].1).await;
    assert_eq!(said.status, 429, "{said:?}");
    assert!(said.text.contains("over 100 tokens in"), "{said:?}");
    assert!(said.headers.contains_key("retry-after"), "{said:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_key_s_limit_of_calls_at_once_refuses_until_one_ends() {
    let place = Place::start(&key("acme", CLIENT_KEY, "concurrency = 1")).await;
    place.simulator.plan("demo/model", "stall=100s@3").unwrap();
    let request = post(
        &place.http,
        &place.url(APIS[0].0),
        CLIENT_KEY,
        &streamed("demo/model", 100),
    );
    let stream = request.send().await.unwrap();
    let status = async || place.post(APIS[0].0, CLIENT_KEY, APIS[0].1).await.status;
    assert_eq!((stream.status().as_u16(), status().await), (200, 429));
    drop(stream);
    until("the place is free", async || status().await == 200).await;
}
