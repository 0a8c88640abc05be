//! A layer of your own in the middle of a stack: mail addresses leave the process in no attempt.
//!
//! ```sh
//! cargo run --release --example own_layer
//! ```
#![expect(clippy::print_stdout, reason = "an example prints for the reader")]

mod support;

use std::task::{Context, Poll};

use http::Request;
use serde_json::Value;
use tower::{Layer, Service, limit::ConcurrencyLimitLayer};
use tower_openrouter::{ApiRequest, ChatRequest, ChatServiceExt};

/// Hides mail addresses in the messages of each attempt.
#[derive(Debug, Clone, Copy)]
struct RedactLayer;

#[derive(Debug, Clone)]
struct Redact<S>(S);

impl<S> Layer<S> for RedactLayer {
    type Service = Redact<S>;

    fn layer(&self, inner: S) -> Redact<S> {
        Redact(inner)
    }
}

impl<S: Service<Request<ApiRequest>>> Service<Request<ApiRequest>> for Redact<S> {
    type Response = S::Response;
    type Error = S::Error;
    type Future = S::Future;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.0.poll_ready(cx)
    }

    fn call(&mut self, mut request: Request<ApiRequest>) -> S::Future {
        if let Some(chat) = request.body_mut().as_chat_mut() {
            // The other layers keep the request as it was: this is the copy of one attempt.
            let messages = chat.read_raw("messages").map(serde_json::from_slice::<Value>);
            if let Some(Ok(mut messages)) = messages {
                redact(&mut messages);
                *chat = chat.clone().extra("messages", messages);
            }
        }
        self.0.call(request)
    }
}

/// In every text, however deep.
fn redact(value: &mut Value) {
    match value {
        Value::String(text) => {
            let words = text.split(' ');
            *text = words.map(hidden).collect::<Vec<_>>().join(" ");
        }
        Value::Array(values) => values.iter_mut().for_each(redact),
        Value::Object(fields) => fields.values_mut().for_each(redact),
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

fn hidden(word: &str) -> &str {
    if word.contains('@') { "[mail]" } else { word }
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> support::Fallible {
    // In the simulator the first model fails twice, so that the request is sent three times.
    let place = support::place(&[("openai/gpt-5", "503;no-hint")]).await?;
    let stack = place
        .stack()
        .chain(["openai/gpt-5", "openai/gpt-4o-mini"])
        // Once a call, whatever it takes.
        .around_call(ConcurrencyLimitLayer::new(64))
        // Once an attempt, after all else has been decided and before the key is added.
        .around_attempt(RedactLayer)
        .build()?;
    println!("{}\n", stack.describe());

    let question = "Write to ada@example.com that the sky is blue.";
    let answer = stack.complete(ChatRequest::user(question)).await?;
    println!("{}\n", answer.response.text().unwrap_or_default());
    if let Some(attempts) = answer.attempts {
        println!("{attempts}\n");
    }
    if let Some(simulator) = &place.simulator {
        for attempt in simulator.report().attempts {
            let body = String::from_utf8_lossy(&attempt.body);
            println!("{} got {body}", attempt.model);
            if body.contains("ada@") {
                return Err("the address was sent".into());
            }
        }
    }
    Ok(())
}
