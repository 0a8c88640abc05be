//! A dead first model, rescued in each of the three APIs for text: chat completions, responses and messages. Fails if one is not rescued.
#![expect(clippy::print_stdout, reason = "an example prints for the reader")]

mod support;

use http::Request;
use support::Place;
use tower_openrouter::{ApiRequest, ChatRequest, ChatServiceExt, MessagesRequest, ResponsesRequest, Stack};

const QUESTION: &str = "Why is the sky blue?";
const FIRST: &str = "openai/gpt-5";
const SECOND: &str = "openai/gpt-4o-mini";

#[tokio::main(flavor = "current_thread")]
async fn main() -> support::Fallible {
    // In the simulator the first model is down, whichever API calls it.
    let place = support::place(&[(FIRST, "503")]).await?;
    let stack = place.stack().chain([FIRST, SECOND]).build()?;

    for (api, request) in [
        ("chat", ChatRequest::user(QUESTION).into_http()),
        ("responses", ResponsesRequest::text(QUESTION).into_http()),
        ("messages", MessagesRequest::user(QUESTION, 200).into_http()),
    ] {
        answer(&place, &stack, api, request).await?;
    }

    // A plain call gets the typed answer of its API.
    let message = stack.complete(MessagesRequest::user(QUESTION, 200)).await?.response;
    println!("{} ended by {:?}", message.model, message.stop_reason);
    Ok(())
}

/// Streams one answer, and shows what it took.
async fn answer(place: &Place, stack: &Stack, api: &str, request: Request<ApiRequest>) -> support::Fallible {
    let answer = stack.stream(request).await?;
    let attempts = answer.attempts().ok_or("the stack keeps no log")?;
    println!("{api}: {}", answer.text().await?);
    println!("{attempts}\n");
    let is_rescued = attempts.sent() == 2 && attempts.answered_by().is_some_and(|by| by.model() == SECOND);
    // Of real models the first one may answer.
    if place.simulator.is_some() && !is_rescued {
        return Err(format!("{api}: wanted a failure of {FIRST} and an answer by {SECOND}").into());
    }
    Ok(())
}
