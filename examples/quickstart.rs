//! The main job: a streamed answer although the first model is overloaded, and what was tried for it.
//!
//! ```sh
//! cargo run --release --example quickstart
//! ```
#![expect(clippy::print_stdout, reason = "an example prints for the reader")]

mod support;

use std::{
    io::{Write, stdout},
    time::Duration,
};

use tower_openrouter::{ChatRequest, ChatServiceExt};

#[tokio::main(flavor = "current_thread")]
async fn main() -> support::Fallible {
    // In the simulator the first model is overloaded, and stays so.
    let place = support::place(&[("anthropic/claude-sonnet-4.5", "503")]).await?;
    let stack = place
        .stack()
        .chain(["anthropic/claude-sonnet-4.5", "openai/gpt-4o-mini"])
        .first_token_timeout(Duration::from_secs(10))
        .deadline(Duration::from_secs(60))
        .max_retry_delay_with_fallback(Duration::from_secs(2))
        .build()?;

    // An error that `main` returns is printed with what was tried and what to do.
    let mut answer = stack.stream(ChatRequest::user("Why is the sky blue?")).await?;
    while let Some(text) = answer.next_text().await {
        print!("{}", text?);
        stdout().flush()?;
    }

    println!("\n\nwhat was tried:");
    if let Some(attempts) = answer.attempts() {
        println!("{attempts}");
        if let Some(candidate) = attempts.answered_by() {
            println!("\nanswered by {candidate}");
        }
    }
    if let Some(cost) = answer.usage().and_then(|usage| usage.cost) {
        println!("cost ${cost}");
    }
    Ok(())
}
