//! A program with async-openai, and two changed lines: its first model is down, and its calls are answered.
#![expect(clippy::print_stdout, reason = "an example prints for the reader")]

mod support;

use async_openai::{
    Client,
    config::OpenAIConfig,
    types::chat::{ChatCompletionRequestUserMessage, CreateChatCompletionRequest},
};
use futures_util::StreamExt;
use support::{Fallible, MODEL};
use tower_openrouter_adapters::{AsyncOpenAiTransport, stream_error};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Fallible {
    // The two lines: the stack, and the client's transport. The client's key is never sent.
    let (stack, _simulator) = support::stack().await?;
    let client = Client::with_config(OpenAIConfig::new().with_api_key("unused"))
        .with_http_service(AsyncOpenAiTransport::new(stack));

    // From here on it is the program as it was.
    let answer = client.chat().create(question("Why is the sky blue?")).await?;
    let text = answer
        .choices
        .first()
        .and_then(|choice| choice.message.content.as_deref());
    println!("{} says: {}\n", answer.model, text.unwrap_or_default());

    let mut stream = client.chat().create_stream(question("Why is grass green?")).await?;
    while let Some(chunk) = stream.next().await {
        match chunk {
            Ok(chunk) => {
                let parts = chunk
                    .choices
                    .iter()
                    .filter_map(|choice| choice.delta.content.as_deref());
                print!("{}", parts.collect::<String>());
            }
            Err(error) => println!(
                "\n[{}]",
                stream_error(&error).map_or(error.to_string(), |why| why.to_string())
            ),
        }
    }
    println!();

    // What the stack does not know is an error of async-openai's own.
    if let Err(error) = client.models().retrieve("gpt-5").await {
        println!("\n{error}");
    }
    Ok(())
}

fn question(text: &str) -> CreateChatCompletionRequest {
    CreateChatCompletionRequest {
        model: MODEL.to_owned(),
        messages: vec![ChatCompletionRequestUserMessage::from(text).into()],
        ..CreateChatCompletionRequest::default()
    }
}
