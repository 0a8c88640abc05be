//! A client key's budget holds, whatever comes at once.

use futures_util::future::join_all;
use serde_json::Value;
use test_servers::Redis;
use tokio::time::Instant;
use tower_openrouter::UsdAmount;

use crate::support::{CLIENT_KEY, Place, key, post, raw};

/// A pico-dollar is what the simulator counts in.
const CAP: u64 = 50_000_000_000;

/// The same call in three APIs, streamed or not.
fn body(number: usize) -> (&'static str, String) {
    let is_streaming = number.is_multiple_of(2);
    let model = "anthropic/claude-sonnet-4.5";
    match number % 3 {
        0 => (
            "/v1/chat/completions",
            format!(
                "{{\"model\":\"{model}\",\"stream\":{is_streaming},\"max_tokens\":300,\"messages\":[{{\"role\":\"user\",\"content\":\"Hi\"}}]}}"
            ),
        ),
        1 => (
            "/v1/responses",
            format!("{{\"model\":\"{model}\",\"stream\":{is_streaming},\"max_output_tokens\":300,\"input\":\"Hi\"}}"),
        ),
        _ => (
            "/v1/messages",
            format!(
                "{{\"model\":\"{model}\",\"stream\":{is_streaming},\"max_tokens\":300,\"messages\":[{{\"role\":\"user\",\"content\":\"Hi\"}}]}}"
            ),
        ),
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_bill_of_200_calls_at_once_never_exceeds_the_budget() {
    let place = Place::start(&key(
        "acme",
        CLIENT_KEY,
        "budget = [{ usd = \"0.05\", per = \"month\" }]",
    ))
    .await;
    let calls = (0..200).map(|number| {
        let (path, body) = body(number);
        let request = post(&place.http, &place.url(path), CLIENT_KEY, &body);
        async move {
            let response = request.send().await.unwrap();
            let status = response.status().as_u16();
            (status, response.text().await.unwrap())
        }
    });
    let answers = join_all(calls).await;
    let billed = place.simulator.billed_total();
    assert!(billed.pico() <= CAP, "billed {billed}");
    let of = |wanted: u16| answers.iter().filter(|(status, _)| *status == wanted).count();
    assert!(of(200) > 0 && of(402) > 0, "{} answered, {} refused", of(200), of(402));
    assert_eq!(of(200) + of(402), 200, "{answers:?}");
    for (_, text) in answers.iter().filter(|(status, _)| *status == 402) {
        assert!(text.contains("key/acme/month") && text.contains("is spent"), "{text}");
    }
    let seen = place.simulator.wait_until(openrouter_simulator::Report::idle).await;
    assert!(seen.billed.pico() <= CAP, "billed {}", seen.billed);
    let own = place.get("/v1/key", CLIENT_KEY).await.json();
    let budget: &Value = &own["data"]["budgets"][0];
    assert_eq!(
        budget["reserved"], "0.00",
        "nothing is reserved after the last call: {budget}"
    );
    let metrics = place.get("/metrics", "").await.text;
    assert!(metrics.contains("llm_budget_spent{"), "{metrics}");
    let spent: UsdAmount = budget["spent"].as_str().unwrap().parse().unwrap();
    assert!(
        (i128::from(seen.billed.pico())..=i128::from(CAP)).contains(&spent.pico()),
        "billed {}: {budget}",
        seen.billed
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_page_and_the_metrics_share_one_reading_of_the_shared_store() {
    let Some(redis) = Redis::start() else { return };
    let budget = key("acme", CLIENT_KEY, "budget = [{ usd = \"0.05\", per = \"month\" }]");
    let shared = format!(
        "shared = {{ redis = \"{}\", decision_timeout = \"10s\" }}\n",
        redis.url()
    );
    let place = Place::start(&(shared + &budget)).await;
    let (path, body) = body(0);
    assert_eq!(place.post(path, CLIENT_KEY, &body).await.status, 200);
    let begun = Instant::now();
    for path in ["/metrics", "/api/health", "/"].repeat(5) {
        assert_eq!(place.get(path, "").await.status, 200, "{path}");
    }
    // One in five seconds, if the machine is busy.
    let most = 1 + begun.elapsed().as_secs() / 5;
    let address = ([127, 0, 0, 1], redis.port()).into();
    let commands = raw(address, b"INFO commandstats\r\nQUIT\r\n").await;
    let scans = commands
        .lines()
        .find_map(|line| line.strip_prefix("cmdstat_scan:calls="));
    let scans: u64 = scans.unwrap().split(',').next().unwrap().parse().unwrap();
    assert!((1..=most).contains(&scans), "{scans} of at most {most}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_spent_is_remembered_after_a_restart() {
    let folder = crate::support::Folder::new();
    let file = folder.path("ledger.db");
    let rest = format!(
        "storage.sqlite = \"{}\"\n{}",
        file.display(),
        key("acme", CLIENT_KEY, "budget = [{ usd = \"0.05\", per = \"month\" }]")
    );
    let spent =
        async |place: &Place| place.get("/v1/key", CLIENT_KEY).await.json()["data"]["budgets"][0]["spent"].clone();
    let place = Place::start(&rest).await;
    let (path, body) = body(0);
    assert_eq!(place.post(path, CLIENT_KEY, &body).await.status, 200);
    let before = spent(&place).await;
    assert_ne!(before, "0.00");
    let Place { running, simulator, .. } = place;
    running.drain(std::future::pending()).await;
    let place = Place::over(simulator, &rest).await;
    assert_eq!(spent(&place).await, before);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_budget_that_comes_while_the_gateway_runs_begins_with_what_was_spent() {
    let (simulator, folder) = (
        openrouter_simulator::Simulator::start().await.unwrap(),
        crate::support::Folder::new(),
    );
    let file = folder.path("ledger.db");
    let text = |budget: &str| {
        let rest = format!(
            "storage.sqlite = \"{}\"\n{}",
            file.display(),
            key("acme", CLIENT_KEY, budget)
        );
        crate::support::settings(&simulator, &folder, &rest)
    };
    let path = folder.write("gateway.toml", &text(""));
    let config = openrouter_gateway::settings::Config::from_file(&path).unwrap();
    let running = openrouter_gateway::commands::start(config).await.unwrap();
    let http = crate::support::client();
    let url = |path: &str| format!("http://{}{path}", running.address);
    let call = async || {
        let (path, body) = body(1);
        let said = crate::support::Said::of(post(&http, &url(path), CLIENT_KEY, &body)).await;
        assert_eq!(said.status, 200, "{said:?}");
    };
    let spent = async || {
        let request = http.get(url("/v1/key")).header("x-api-key", CLIENT_KEY);
        let said = crate::support::Said::of(request).await.json();
        said["data"]["budgets"]
            .as_array()
            .unwrap()
            .iter()
            .map(|budget| budget["spent"].clone())
            .collect::<Vec<_>>()
    };
    call().await;
    let billed = async || {
        let seen = simulator.wait_until(openrouter_simulator::Report::idle).await;
        Value::from(
            UsdAmount::from_pico(seen.billed.pico().into())
                .to_string()
                .replace('$', ""),
        )
    };
    let reload = async |budget: &str| {
        std::fs::write(&path, text(budget)).unwrap();
        running.gateway.reload(&path).await.unwrap();
    };
    let both = "budget = [{ usd = \"5\", per = \"month\" }, { usd = \"9\" }]";
    reload(both).await;
    assert_eq!(spent().await, [billed().await, billed().await]);
    call().await;
    assert_eq!(spent().await, [billed().await, billed().await]);
    // Out of force for a call, and back: nothing is counted twice, and nothing is forgotten.
    reload("").await;
    call().await;
    reload(both).await;
    assert_eq!(spent().await, [billed().await, billed().await]);
    running.drain(std::future::pending()).await;
}
