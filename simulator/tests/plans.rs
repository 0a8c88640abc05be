//! Plans, by whichever way they come, and server-side fallback.

use crate::common::{KEY, ask, chat, exchange, request};
use openrouter_simulator::{Fault, Simulator};
use serde_json::{Value, json};

#[tokio::test]
async fn server_side_fallback_names_the_model_that_answered() {
    let simulator = Simulator::start().await.unwrap();
    simulator
        .plan("openai/gpt-5", "429-upstream")
        .unwrap()
        .typed_plan("demo/model", Fault::Error("502".into()));
    let mut body = ask("openai/gpt-5", false);
    body["models"] = json!(["sim/503", "google/gemini-2.5-flash"]);
    let key = format!("Bearer {KEY}");
    let headers = [("authorization", key.as_str()), ("x-openrouter-metadata", "Enabled")];
    let bytes = request(
        "POST",
        "/api/v1/chat/completions",
        &headers,
        body.to_string().as_bytes(),
    );
    let reply = exchange(simulator.addr(), &bytes).await.unwrap().json();
    assert_eq!(reply["model"], "google/gemini-2.5-flash");
    let metadata = &reply["openrouter_metadata"];
    assert_eq!(
        (metadata["strategy"].as_str(), metadata["attempt"].as_u64()),
        (Some("fallback"), Some(3))
    );
    let statuses: Vec<&Value> = metadata["attempts"]
        .as_array()
        .unwrap()
        .iter()
        .map(|a| &a["status"])
        .collect();
    assert_eq!(statuses, [429, 503, 200]);
    let seen = simulator.report();
    assert_eq!(
        (seen.attempts[0].model.as_str(), seen.attempts[0].served.as_str()),
        ("openai/gpt-5", "google/gemini-2.5-flash")
    );

    // All fail: the last one's error. An error inside a 200 is a commitment.
    body["models"] = json!(["sim/503", "sim/529"]);
    assert_eq!(chat(&simulator, &body).await.status, 529);
    body["models"] = json!(["demo/model", "demo/small"]);
    assert_eq!(chat(&simulator, &body).await.json()["error"]["code"], 502);
    body["models"] = json!(["a/b", "a/c", "a/d", "a/e"]);
    assert!(chat(&simulator, &body).await.text().contains("3 items or fewer"));
}

#[tokio::test]
async fn plans_by_header_model_and_for_all() {
    let simulator = Simulator::builder()
        .plan("acme/private", "ok")
        .unwrap()
        .start()
        .await
        .unwrap();
    simulator
        .plan("demo/model", "2x503,ok")
        .unwrap()
        .plan_all("429,ok")
        .unwrap();
    let status = |model: &'static str| {
        let simulator = simulator.clone();
        async move { chat(&simulator, &ask(model, false)).await.status }
    };
    let mut statuses = Vec::new();
    for model in [
        "demo/model",
        "demo/model",
        "demo/model",
        "demo/model",
        "demo/small",
        "demo/small",
        "openai/gpt-5",
        "acme/private",
    ] {
        statuses.push(status(model).await);
    }
    assert_eq!(statuses, [503, 503, 200, 200, 429, 200, 429, 200]);
    let key = format!("Bearer {KEY}");
    let asked = |fault: &'static str| {
        let headers = [("authorization", key.as_str()), ("x-sim-fault", fault)];
        let bytes = request(
            "POST",
            "/api/v1/chat/completions",
            &headers,
            ask("demo/model", false).to_string().as_bytes(),
        );
        async { exchange(simulator.addr(), &{ bytes }).await.unwrap().status }
    };
    assert_eq!((asked("529").await, asked("nonsense").await), (529, 400));
    assert_eq!(
        simulator.report().attempts.iter().filter(|a| a.fault == "529").count(),
        1
    );
    simulator.clear();
    assert_eq!(status("openai/gpt-4o-mini").await, 200);
}

#[tokio::test]
async fn percentages_follow_the_seed() {
    let run = |seed| async move {
        let simulator = Simulator::builder().seed(seed).start().await.unwrap();
        let mut statuses = Vec::new();
        for _ in 0..200 {
            statuses.push(crate::common::sim(&simulator, "20%503;words=1", false).await.status);
        }
        statuses
    };
    let (first, again, other) = (run(1).await, run(1).await, run(2).await);
    assert_eq!(first, again);
    assert_ne!(first, other);
    let failed = first.iter().filter(|status| **status == 503).count();
    assert!((20..=60).contains(&failed), "{failed}");
}
