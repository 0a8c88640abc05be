//! A stack of two models over the simulator.
#![allow(dead_code, reason = "parts of it serve optional features")]

use std::time::Duration;

use openrouter_simulator::Simulator;
use serde_json::{Value, json};
use tower_openrouter::{
    ApiKey, Stack,
    layers::retry::Exponential,
    transport::{Dialect, OPENROUTER, Upstream},
};

pub(crate) const FIRST: &str = "openai/gpt-5";
pub(crate) const SECOND: &str = "openai/gpt-4o-mini";
pub(crate) const EMBEDDER: &str = "openai/text-embedding-3-small";
pub(crate) const QUESTION: &str = "Why is the sky blue?";
/// What the simulator says first if it is cut after four words.
pub(crate) const WORDS: &str = "light passes through the";

/// Both models follow their plans. A candidate is tried once.
pub(crate) async fn world(first: &str, second: &str) -> (Simulator, Stack) {
    let simulator = Simulator::start().await.unwrap();
    simulator.plan(FIRST, first).unwrap().plan(SECOND, second).unwrap();
    let upstream = Upstream::new(OPENROUTER, &simulator.base_url(), Dialect::OpenRouter).unwrap();
    let stack = Stack::builder()
        .upstream(upstream, ApiKey::new("sk-or-v1-0123456789abcdef").unwrap())
        .backoff(Exponential::new(Duration::ZERO, Duration::ZERO))
        .attempts_per_candidate(1)
        .chain([FIRST, SECOND])
        .build()
        .unwrap();
    (simulator, stack)
}

/// The same where the first model is down, and the second one says this.
pub(crate) async fn rescued() -> (Simulator, Stack) {
    world("503", "text=Rescued%20by%20the%20second.").await
}

pub(crate) const RESCUED: &str = "Rescued by the second.";

/// How many calls of models the upstream has seen.
pub(crate) fn calls(simulator: &Simulator) -> usize {
    simulator
        .report()
        .attempts
        .iter()
        .filter(|attempt| !attempt.model.is_empty())
        .count()
}

/// Waits until a client of the upstream has left, and every request has ended.
pub(crate) async fn left(simulator: &Simulator) {
    let all_left = simulator.wait_until(|seen| seen.idle() && seen.closed_by_client == 1);
    tokio::time::timeout(Duration::from_secs(60), all_left).await.unwrap();
}

pub(crate) fn schema() -> Value {
    json!({
        "type": "object",
        "properties": { "city": { "type": "string" } },
        "required": ["city"],
        "additionalProperties": false,
    })
}

pub(crate) fn ask() -> String {
    json!({ "model": FIRST, "messages": [{ "role": "user", "content": QUESTION }] }).to_string()
}

pub(crate) fn ask_streamed() -> String {
    json!({ "model": FIRST, "stream": true, "messages": [{ "role": "user", "content": QUESTION }] }).to_string()
}

pub(crate) fn parsed(text: &str) -> Value {
    serde_json::from_str(text).unwrap_or_else(|error| panic!("{error}: {text}"))
}
