//! What was seen, in the library and over HTTP.

use crate::common::{KEY, ask, chat, exchange, get, request};
use openrouter_simulator::{Outcome, Simulator};
use serde_json::json;

#[tokio::test]
async fn records_keep_bodies_and_hide_keys() {
    let simulator = Simulator::builder().keep_attempts(2).start().await.unwrap();
    let body =
        b"{ \"model\" : \"demo/model\", \"unknown\": [1,2],\n \"messages\":[{\"role\":\"user\",\"content\":\"hi\"}]}";
    let key = format!("Bearer {KEY}");
    let bytes = request(
        "POST",
        "/api/v1/chat/completions",
        &[("authorization", &key), ("x-tag", "t")],
        body,
    );
    for _ in 0..3 {
        exchange(simulator.addr(), &bytes).await.unwrap();
    }
    let seen = simulator.wait_until(openrouter_simulator::Report::idle).await;
    assert_eq!(seen.attempts.iter().map(|a| a.index).collect::<Vec<_>>(), [1, 2]);
    let attempt = &seen.attempts[1];
    assert_eq!(attempt.body.as_ref(), body);
    assert_eq!(attempt.header("authorization"), Some("Bearer sk-or-v1-…cdef"));
    assert_eq!(
        (attempt.header("x-tag"), attempt.outcome, attempt.status),
        (Some("t"), Outcome::Answered, Some(200))
    );
    assert!(!format!("{seen:?}").contains(KEY));
    assert_eq!(seen.connections_accepted, 3);
}

#[tokio::test]
async fn the_views_over_http() {
    let simulator = Simulator::start().await.unwrap();
    let post = |path: &'static str, body: &'static str| {
        let bytes = request("POST", path, &[], body.as_bytes());
        async { exchange(simulator.addr(), &{ bytes }).await.unwrap() }
    };
    assert_eq!(
        post("/__sim/script", r#"{"models":{"demo/model":["503","ok"]}}"#)
            .await
            .status,
        200
    );
    assert_eq!(
        post("/__sim/script", r#"{"models":{"demo/model":"nope"}}"#)
            .await
            .status,
        400
    );
    assert_eq!(chat(&simulator, &ask("demo/model", false)).await.status, 503);
    assert_eq!(chat(&simulator, &ask("demo/model", false)).await.status, 200);
    let attempts = get(&simulator, "/__sim/attempts").await;
    assert!(!attempts.text().contains(KEY));
    let attempts = attempts.json();
    assert_eq!(
        (
            attempts.as_array().unwrap().len(),
            &attempts[0]["fault"],
            &attempts[1]["outcome"]
        ),
        (2, &json!("503"), &json!("answered"))
    );
    let bill = get(&simulator, "/__sim/bill").await;
    assert!(
        bill.text()
            .contains(&format!("\"billed\":{},", simulator.billed_total())),
        "{}",
        bill.text()
    );
    assert_eq!(bill.json()["billed_pico_usd"], simulator.billed_total().pico());
    assert!(
        get(&simulator, "/__sim/connections").await.json()["accepted"]
            .as_u64()
            .unwrap()
            >= 5
    );
    assert_eq!(post("/__sim/reset", "").await.status, 200);
    assert_eq!(
        (simulator.report().attempts.len(), simulator.billed_total().pico()),
        (0, 0)
    );
}
