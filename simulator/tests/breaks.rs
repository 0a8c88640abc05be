//! Connections that break: where, how, and what is recorded about it.

use std::time::Duration;

use crate::common::{End, ask, chat, chat_bytes, open, sim, try_chat};
use openrouter_simulator::{Outcome, Simulator};
use tokio::io::AsyncReadExt as _;

#[tokio::test]
async fn a_reset_is_a_reset_and_a_close_is_a_close() {
    let simulator = Simulator::start().await.unwrap();
    for stream in [false, true] {
        assert_eq!(
            try_chat(&simulator, &ask("sim/reset", stream)).await.unwrap_err(),
            End::Reset
        );
        assert_eq!(
            try_chat(&simulator, &ask("sim/close", stream)).await.unwrap_err(),
            End::Eof
        );
    }
    let seen = simulator.wait_until(|seen| seen.open_connections == 0).await;
    for attempt in &seen.attempts {
        assert_eq!(
            (attempt.outcome, attempt.status, attempt.billed.pico()),
            (Outcome::Interrupted, None, 0)
        );
    }
}

#[tokio::test]
async fn a_cut_leaves_exactly_so_many_bytes() {
    let simulator = Simulator::start().await.unwrap();
    // One model, so that its name does not change the length.
    let play = |plan: String, stream: bool| {
        simulator.plan("demo/model", &plan).unwrap();
        let simulator = simulator.clone();
        async move { chat(&simulator, &ask("demo/model", stream)).await }
    };
    for stream in [true, false] {
        let length = play("words=12".to_owned(), stream).await.body.len();
        for at in [0, 1, 25, 26, 27, 100, length - 1] {
            let reply = play(format!("words=12;cut-byte={at}"), stream).await;
            assert_eq!(
                (reply.status, reply.body.len(), reply.end),
                (200, at, End::Eof),
                "stream {stream}, byte {at}"
            );
            let seen = simulator.report();
            let last = seen.attempts.last().unwrap();
            assert_eq!((last.bytes, last.outcome), (at as u64, Outcome::Interrupted));
        }
        let past = play("words=12;cut-byte=9999999".to_owned(), stream).await;
        assert_eq!((past.body.len(), past.end), (length, End::Whole));
        // All bytes: a stream still has no proper end, a body of announced length is whole.
        let all = play(format!("words=12;cut-byte={length}"), stream).await;
        assert_eq!(
            (all.body.len(), all.end),
            (length, if stream { End::Eof } else { End::Whole })
        );
    }
    let large = play("big-event=3000000;cut-byte=2500000".to_owned(), true).await;
    assert_eq!((large.body.len(), large.end), (2_500_000, End::Eof));
}

#[tokio::test]
async fn a_cut_after_pieces() {
    let simulator = Simulator::start().await.unwrap();
    for at in [0, 1, 5] {
        let reply = sim(&simulator, &format!("words=9;cut@{at}"), true).await;
        assert_eq!((reply.said().split_whitespace().count(), reply.end), (at, End::Eof));
        assert!(!reply.done());
        assert_eq!(simulator.report().attempts.last().unwrap().pieces, at as u64);
    }
    let all = sim(&simulator, "words=9;cut@500", true).await;
    assert_eq!((all.said().split_whitespace().count(), all.end), (9, End::Eof));
    let plain = sim(&simulator, "words=9;cut@4", false).await;
    assert_eq!(plain.end, End::Eof);
    assert!(!plain.body.is_empty() && serde_json::from_slice::<serde_json::Value>(&plain.body).is_err());
    let hard = sim(&simulator, "words=9;cut@5;rst", true).await;
    assert_eq!(hard.end, End::Reset);
}

#[tokio::test]
async fn plain_bodies_that_are_none() {
    let simulator = Simulator::start().await.unwrap();
    assert!(serde_json::from_slice::<serde_json::Value>(&sim(&simulator, "bad-json", false).await.body).is_err());
    assert!(
        sim(&simulator, "html", false)
            .await
            .text()
            .starts_with("<!DOCTYPE html>")
    );
    assert!(sim(&simulator, "empty-stream", false).await.body.is_empty());
    let error = sim(&simulator, "error=429", false).await.json();
    assert_eq!(
        (error["error"]["code"].as_u64(), error.get("choices")),
        (Some(429), None)
    );
    let half = sim(&simulator, "words=9;error@4", false).await.json();
    assert_eq!(half["choices"][0]["error"]["code"], 502);
    assert_eq!(half["choices"][0]["finish_reason"], "error");
    assert_eq!(
        half["choices"][0]["message"]["content"]
            .as_str()
            .unwrap()
            .split_whitespace()
            .count(),
        4
    );
    let native = sim(&simulator, "finish-error", false).await.json();
    assert_eq!(native["choices"][0]["native_finish_reason"], "MALFORMED_FUNCTION_CALL");
    assert!(native["choices"][0].get("error").is_none());
    assert_eq!(
        sim(&simulator, "empty-choices", false).await.json()["choices"],
        serde_json::json!([])
    );
    let empty = sim(&simulator, "empty-content", false).await.json();
    assert_eq!(
        (
            empty["choices"][0]["message"]["content"].as_str(),
            &empty["choices"][0]["finish_reason"]
        ),
        (Some(""), &serde_json::Value::Null)
    );
    assert_eq!(empty["usage"]["completion_tokens"], 0);
    let ate = sim(&simulator, "reasoning-only", false).await.json();
    assert_eq!(ate["choices"][0]["finish_reason"], "length");
    assert_eq!(ate["choices"][0]["message"]["content"], "");
    assert_eq!(ate["usage"]["completion_tokens_details"]["reasoning_tokens"], 256);
    assert!(sim(&simulator, "no-usage", false).await.json().get("usage").is_none());
}

#[tokio::test]
async fn a_client_that_leaves_is_seen() {
    let simulator = Simulator::start().await.unwrap();
    // A plain call that hangs: nothing was generated, nothing is billed.
    let socket = open(simulator.addr(), &chat_bytes(&ask("sim/hang", false))).await;
    simulator.wait_until(|seen| seen.attempts.len() == 1).await;
    assert_eq!(simulator.open_connections(), 1);
    drop(socket);
    let seen = simulator
        .wait_until(|seen| seen.closed_by_client == 1 && seen.open_connections == 0)
        .await;
    assert_eq!(
        (seen.attempts[0].outcome, seen.attempts[0].billed.pico()),
        (Outcome::ClosedByClient, 0)
    );
    assert!(seen.attempts[0].ended_at.is_some());

    // A plain call that is slow: generation continues, and is billed in full.
    let socket = open(
        simulator.addr(),
        &chat_bytes(&ask("sim/slow-headers=60s;words=10", false)),
    )
    .await;
    simulator.wait_until(|seen| seen.attempts.len() == 2).await;
    drop(socket);
    let seen = simulator.wait_until(|seen| seen.closed_by_client == 2).await;
    assert_eq!(seen.attempts[1].billed.pico(), 5 * 150_000 + 10 * 600_000);

    // A stream: what was sent is billed.
    let mut socket = open(simulator.addr(), &chat_bytes(&ask("sim/stall=60s@3;words=10", true))).await;
    simulator
        .wait_until(|seen| seen.attempts.last().is_some_and(|a| a.pieces == 3))
        .await;
    assert!(socket.read(&mut [0; 64]).await.unwrap() > 0);
    assert_eq!(simulator.report().attempts[2].outcome, Outcome::Running);
    drop(socket);
    let seen = simulator
        .wait_until(|seen| seen.closed_by_client == 3 && seen.idle())
        .await;
    let last = &seen.attempts[2];
    assert_eq!((last.outcome, last.pieces), (Outcome::ClosedByClient, 3));
    assert_eq!(last.billed.pico(), 5 * 150_000 + 3 * 600_000);
    assert_eq!(seen.billed, seen.attempts.iter().map(|a| a.billed).sum());
}

#[tokio::test]
async fn comments_without_end_are_no_answer() {
    let simulator = Simulator::start().await.unwrap();
    for stream in [true, false] {
        let mut socket = open(simulator.addr(), &chat_bytes(&ask("sim/comments", stream))).await;
        let mut head = vec![0; 4096];
        let n = socket.read(&mut head).await.unwrap();
        assert!(head[..n].starts_with(b"HTTP/1.1 200 OK\r\n"));
        let more = tokio::time::timeout(Duration::from_secs(3), socket.read(&mut head)).await;
        assert!(more.unwrap().unwrap() > 0);
        drop(socket);
        simulator.wait_until(openrouter_simulator::Report::idle).await;
        assert_eq!(simulator.report().attempts.last().unwrap().billed.pico(), 0);
    }
}

#[tokio::test]
async fn the_last_handle_dropped_ends_all() {
    let simulator = Simulator::start().await.unwrap();
    let address = simulator.addr();
    let other = simulator.clone();
    drop(simulator);
    assert_eq!(chat(&other, &ask("demo/model", false)).await.status, 200);
    let mut socket = open(address, &chat_bytes(&ask("sim/hang", false))).await;
    other.wait_until(|seen| seen.attempts.len() == 2).await;
    drop(other);
    assert_eq!(socket.read(&mut [0; 64]).await.unwrap_or(0), 0);
    let refused = tokio::net::TcpStream::connect(address).await;
    assert!(refused.is_err());
}
