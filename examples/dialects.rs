//! A dead first model, rescued in each of the three APIs for text: chat completions, responses and messages.
#![expect(clippy::print_stdout, reason = "an example prints for the reader")]

mod support;

use http::Request;
use tower_openrouter::{ApiRequest, ChatRequest, ChatServiceExt, MessagesRequest, ResponsesRequest, Stack};

const QUESTION: &str = "Why is the sky blue?";

#[tokio::main(flavor = "current_thread")]
async fn main() -> support::Fallible {
    // In the simulator the first model is down, whichever API calls it.
    let place = support::place(&[("openai/gpt-5", "503")]).await?;
    let stack = place.stack().chain(["openai/gpt-5", "openai/gpt-4o-mini"]).build()?;

    answer(&stack, "chat", ChatRequest::user(QUESTION).into_http()).await?;
    answer(&stack, "responses", ResponsesRequest::text(QUESTION).into_http()).await?;
    answer(&stack, "messages", MessagesRequest::user(QUESTION, 200).into_http()).await?;

    // A plain call gets the typed answer of its API.
    let message = stack.complete(MessagesRequest::user(QUESTION, 200)).await?.response;
    println!("{} ended by {:?}", message.model, message.stop_reason);
    Ok(())
}

/// Streams one answer, and shows what it took.
async fn answer(stack: &Stack, api: &str, request: Request<ApiRequest>) -> support::Fallible {
    let answer = stack.stream(request).await?;
    let attempts = answer.attempts();
    println!("{api}: {}", answer.text().await?);
    if let Some(attempts) = attempts {
        println!("{attempts}\n");
    }
    Ok(())
}
