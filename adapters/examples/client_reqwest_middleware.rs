//! A program with reqwest-middleware, and two changed lines: its first model is down, and its calls are answered.
#![expect(clippy::print_stdout, reason = "an example prints for the reader")]

mod support;

use reqwest_middleware::ClientBuilder;
use serde_json::{Value, json};
use support::{Fallible, MODEL};
use tower_openrouter::endpoint::{ATTEMPTS_HEADER, MODEL_HEADER};
use tower_openrouter_adapters::MiddlewareTransport;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Fallible {
    // The two lines: the stack, and the last middleware.
    let (stack, _simulator) = support::stack().await?;
    let client = ClientBuilder::new(reqwest::Client::new())
        .with(MiddlewareTransport::new(stack))
        .build();

    // From here on it is the program as it was.
    let question = json!({ "model": MODEL, "messages": [{ "role": "user", "content": "Why is the sky blue?" }] });
    let response = client
        .post("https://openrouter.ai/api/v1/chat/completions")
        .body(question.to_string())
        .send()
        .await?;
    println!(
        "{:?} attempts, by {:?}",
        response.headers().get(ATTEMPTS_HEADER),
        response.headers().get(MODEL_HEADER)
    );
    let answer: Value = serde_json::from_slice(&response.bytes().await?)?;
    println!("{:?}", answer.pointer("/choices/0/message/content"));
    Ok(())
}
