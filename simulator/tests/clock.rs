//! Time is tokio's: with a paused clock every wait is exact, and takes no time.

use std::time::Duration;

use crate::common::{End, ask, chat_bytes, open, sim};
use openrouter_simulator::{Outcome, Simulator};
use tokio::io::AsyncReadExt as _;
use tokio::time::Instant;

/// Seconds of virtual time until the bytes show `mark`.
async fn until(simulator: &Simulator, fault: &str, stream: bool, mark: &str) -> f64 {
    let start = Instant::now();
    let mut socket = open(simulator.addr(), &chat_bytes(&ask(&format!("sim/{fault}"), stream))).await;
    let mut text = String::new();
    let mut part = [0; 4096];
    while !text.contains(mark) {
        let n = socket.read(&mut part).await.unwrap();
        assert!(n > 0, "ended without {mark:?}: {text}");
        text.push_str(&String::from_utf8_lossy(&part[..n]));
    }
    start.elapsed().as_secs_f64()
}

#[tokio::test(start_paused = true)]
async fn waits_are_exact_and_take_no_time() {
    let real = std::time::SystemTime::now();
    let simulator = Simulator::start().await.unwrap();
    for (fault, stream, mark, seconds) in [
        ("first-token=20s", true, "HTTP/1.1 200", 0.0),
        ("first-token=20s", true, "data: ", 20.0),
        ("first-token=20s", false, "HTTP/1.1 200", 0.0),
        ("first-token=20s", false, "chat.completion", 20.0),
        ("slow-headers=7s", true, "HTTP/1.1 200", 7.0),
        ("slow-headers=7s;503", false, "HTTP/1.1 503", 7.0),
        ("stall=30s@2;words=5", true, "[DONE]", 30.0),
        ("stall=30s@2;words=5", false, "usage", 30.0),
        ("delay=250ms;words=8", true, "[DONE]", 2.0),
        ("delay=250ms;words=8", false, "HTTP/1.1 200", 2.0),
        ("drip=2s/31s", false, "usage", 31.0),
        (
            "comments",
            true,
            ": OPENROUTER PROCESSING\n\n\r\n19\r\n: OPENROUTER",
            1.0,
        ),
    ] {
        let took = until(&simulator, fault, stream, mark).await;
        assert!(
            (took - seconds).abs() < 0.1,
            "{fault}, stream {stream}, {mark:?}: {took} s"
        );
    }
    assert!(real.elapsed().unwrap() < Duration::from_secs(10));
}

#[tokio::test(start_paused = true)]
async fn comments_fill_the_wait() {
    let simulator = Simulator::start().await.unwrap();
    let reply = sim(&simulator, "first-token=20s;words=3", true).await;
    assert_eq!(reply.text().matches(": OPENROUTER PROCESSING\n\n").count(), 20);
    let blank = sim(&simulator, "drip=1s/5s;words=3", false).await;
    assert!(blank.body.starts_with(b"\n         \n         "));
    assert_eq!(blank.json()["object"], "chat.completion");
    let cut = sim(&simulator, "drip-cut=1s/5s", false).await;
    assert_eq!((cut.end, cut.text().trim()), (End::Eof, ""));
    assert!(cut.body.len() >= 40);
    assert_eq!(
        simulator.report().attempts.last().unwrap().outcome,
        Outcome::Interrupted
    );
}

#[tokio::test(start_paused = true)]
async fn down_for_a_while_then_well() {
    let simulator = Simulator::start().await.unwrap();
    simulator
        .plan("demo/model", "down=30s")
        .unwrap()
        .plan("demo/small", "down=30s;502")
        .unwrap();
    let status = |model: &'static str| {
        let simulator = simulator.clone();
        async move { crate::common::chat(&simulator, &ask(model, false)).await.status }
    };
    assert_eq!((status("demo/model").await, status("demo/small").await), (503, 502));
    tokio::time::advance(Duration::from_secs(29)).await;
    assert_eq!((status("demo/model").await, status("demo/small").await), (503, 502));
    tokio::time::advance(Duration::from_secs(2)).await;
    assert_eq!((status("demo/model").await, status("demo/small").await), (200, 200));
}

#[tokio::test(start_paused = true)]
async fn generations_are_late() {
    let simulator = Simulator::builder()
        .generation_lag(Duration::from_secs(60))
        .generation_misses(1)
        .start()
        .await
        .unwrap();
    let reply = crate::common::chat(&simulator, &ask("openai/gpt-4o-mini", true)).await;
    let id = reply.header("x-generation-id").unwrap().to_owned();
    let path = format!("/api/v1/generation?id={id}");
    let early = crate::common::get(&simulator, &path).await;
    assert_eq!(
        (early.status, early.json()["error"]["message"].clone()),
        (404, format!("Generation {id} not found").into())
    );
    assert_eq!(crate::common::get(&simulator, &path).await.status, 404);
    tokio::time::advance(Duration::from_secs(61)).await;
    let record = crate::common::get(&simulator, &path).await.json();
    let usage = reply.events().last().unwrap()["usage"].clone();
    assert_eq!(record["data"]["total_cost"], usage["cost"]);
    assert_eq!(record["data"]["native_tokens_completion"], usage["completion_tokens"]);
    assert_eq!(
        (&record["data"]["streamed"], &record["data"]["cancelled"]),
        (&true.into(), &false.into())
    );
}
