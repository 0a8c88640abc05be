//! The events that keep the page up to date.

use std::time::Duration;

use http_body_util::BodyExt;
use serde_json::Value;
use tokio::time::timeout;
use tower::ServiceExt;

use super::support::{FIRST, SECOND, World, chat, tagged};

/// Reads events until one of this name comes; its data.
async fn event(body: &mut axum::body::Body, text: &mut String, name: &str) -> Value {
    loop {
        while let Some((event, rest)) = text.split_once("\n\n") {
            let (event, rest) = (event.to_owned(), rest.to_owned());
            *text = rest;
            if event.lines().any(|line| line == format!("event: {name}")) {
                let data = event.lines().find_map(|line| line.strip_prefix("data: ")).unwrap();
                return serde_json::from_str(data).unwrap();
            }
        }
        let frame = body.frame().await.unwrap().unwrap();
        text.push_str(std::str::from_utf8(&frame.into_data().unwrap()).unwrap());
    }
}

#[tokio::test(start_paused = true)]
async fn a_viewer_gets_new_calls_and_a_new_summary() {
    let world = World::new("503;no-hint").await;
    let response = world.get("/events?key=ci").await;
    assert_eq!(response.headers()["content-type"], "text/event-stream");
    assert_eq!(response.headers()["cache-control"], "no-cache");
    assert_eq!(response.headers()["x-accel-buffering"], "no");
    let (mut body, mut text) = (response.into_body(), String::new());
    let first = event(&mut body, &mut text, "parts").await;
    assert!(first["summary"].as_str().unwrap().contains("No calls"));
    world.call(tagged(chat(SECOND, false), &[("key", "other")])).await;
    world.call(tagged(chat(FIRST, true), &[("key", "ci")])).await;
    let calls = event(&mut body, &mut text, "calls").await;
    let calls = calls.as_array().unwrap();
    assert_eq!(
        calls.len(),
        1,
        "the filter holds, and a call is sent as it is by now: {calls:?}"
    );
    assert_eq!(calls[0]["id"], 2);
    assert!(calls[0]["html"].as_str().unwrap().contains(">rescued<"));
    let next = event(&mut body, &mut text, "parts").await;
    assert!(next["summary"].as_str().unwrap().contains("100 % answered"));
}

#[tokio::test(start_paused = true)]
async fn viewers_are_bounded() {
    let world = World::new("ok").await;
    let mut viewers = Vec::new();
    for _ in 0..64 {
        let response = world.get("/events").await;
        assert_eq!(response.status(), 200);
        viewers.push(response);
    }
    assert_eq!(world.get("/events").await.status(), 503);
    viewers.pop();
    assert_eq!(world.get("/events").await.status(), 200, "a place is free again");
}

#[tokio::test(start_paused = true)]
async fn a_viewer_learns_the_run_and_what_ended_before_it_came_or_while_it_was_behind() {
    let world = World::new("ok").await;
    world.call(chat(FIRST, false)).await;
    let response = world.get("/events").await;
    let (mut body, mut text) = (response.into_body(), String::new());
    let hello = event(&mut body, &mut text, "hello").await;
    let run = hello["run"].as_str().unwrap();
    assert!(world.page("/").await.contains(&format!("data-run=\"{run}\"")));
    assert_ne!(World::new("ok").await.calls.run(), run, "another run has another name");
    let list = event(&mut body, &mut text, "list").await;
    assert_eq!(list[0]["id"], 1, "{list}");
    // More than the page shows, while this viewer does not read: no end is left out of what comes then.
    for _ in 0..60 {
        world.call(chat(FIRST, false)).await;
    }
    let list = event(&mut body, &mut text, "list").await;
    let ids: Vec<_> = list
        .as_array()
        .unwrap()
        .iter()
        .map(|call| call["id"].as_u64().unwrap())
        .collect();
    assert_eq!(
        ids,
        (42..=61).rev().collect::<Vec<_>>(),
        "in the order of their beginnings"
    );
}

#[tokio::test(start_paused = true)]
async fn a_call_in_progress_shows_what_it_waits_for_and_for_how_long() {
    let world = World::new("hang").await;
    let response = world.get("/events?outcome=running").await;
    let (mut body, mut text) = (response.into_body(), String::new());
    let pending = tokio::spawn(world.app.clone().oneshot(chat(FIRST, true)));
    let html = loop {
        let running = event(&mut body, &mut text, "running").await;
        if let Some(row) = running["changed"].as_array().unwrap().last()
            && row["html"]
                .as_str()
                .unwrap()
                .contains("Waits for openai/gpt-5 at openrouter")
        {
            break row["html"].as_str().unwrap().to_owned();
        }
    };
    assert!(!html.contains("No attempt was made"), "{html}");
    // From then on the time alone is sent, until there is more to show.
    let running = event(&mut body, &mut text, "running").await;
    assert_eq!(running["changed"], serde_json::json!([]), "{running}");
    assert_eq!(running["elapsed"][0][0], 1, "{running}");
    let warned = loop {
        let parts = event(&mut body, &mut text, "parts").await;
        let summary = parts["summary"].as_str().unwrap().to_owned();
        if summary.contains("1 stream waits for its first token") {
            break summary;
        }
    };
    assert!(
        warned.contains("the longest for 1"),
        "before the time limit of 20 s: {warned}"
    );
    // A list of the calls in progress is without those that have ended.
    pending.abort();
    assert!(pending.await.is_err());
    loop {
        if event(&mut body, &mut text, "list").await == serde_json::json!([]) {
            break;
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_call_that_ends_between_two_looks_leaves_the_list_of_those_in_progress() {
    let world = World::new("hang").await;
    let response = world.get("/events?outcome=running").await;
    let (mut body, mut text) = (response.into_body(), String::new());
    assert_eq!(event(&mut body, &mut text, "list").await, serde_json::json!([]));
    let pending = tokio::spawn(world.app.clone().oneshot(chat(FIRST, true)));
    assert_eq!(event(&mut body, &mut text, "calls").await[0]["id"], 1);
    pending.abort();
    assert!(pending.await.is_err());
    let list = timeout(Duration::from_secs(5), event(&mut body, &mut text, "list"));
    assert_eq!(list.await.expect("a list without it"), serde_json::json!([]));
}

#[tokio::test(start_paused = true)]
async fn calls_that_come_all_the_time_do_not_keep_the_summary_back() {
    let world = World::new("ok").await;
    let response = world.get("/events").await;
    let (mut body, mut text) = (response.into_body(), String::new());
    event(&mut body, &mut text, "parts").await;
    text.clear();
    for _ in 0..60 {
        let broken = http::Request::post("/v1/chat/completions").body("{".into()).unwrap();
        world.call(broken).await;
        let frame = body.frame().await.unwrap().unwrap();
        text.push_str(std::str::from_utf8(&frame.into_data().unwrap()).unwrap());
    }
    assert!(text.contains("event: calls") && text.contains("event: parts"), "{text}");
}
