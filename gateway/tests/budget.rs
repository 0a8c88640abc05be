//! A client key's budget holds, whatever comes at once.

use futures_util::future::join_all;
use serde_json::Value;
use tower_openrouter::UsdAmount;

use crate::support::{CLIENT_KEY, Place, key, post};

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
    let seen = place.simulator.wait_until(openrouter_simulator::Seen::idle).await;
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
