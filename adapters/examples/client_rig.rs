//! A program with rig, and two changed lines: its first model is down, and its calls are answered.
#![expect(clippy::print_stdout, reason = "an example prints for the reader")]

mod support;

use futures_util::StreamExt;
use rig_core::{
    client::CompletionClient,
    completion::{AssistantContent, CompletionModel},
    providers::openrouter,
    streaming::StreamedAssistantContent,
};
use support::{Fallible, MODEL};
use tower_openrouter_adapters::RigTransport;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Fallible {
    // The two lines: the stack, and the client's transport. The client's key is never sent.
    let (stack, _simulator) = support::stack().await?;
    let client = openrouter::Client::builder()
        .api_key("unused")
        .http_client(RigTransport::new(stack))
        .build()?;

    // From here on it is the program as it was.
    let model = client.completion_model(MODEL);
    let request = model.completion_request("Why is the sky blue?").build();
    for part in model.completion(request).await?.choice {
        if let AssistantContent::Text(text) = part {
            println!("{}\n", text.text);
        }
    }

    let mut stream = model.completion_request("Why is grass green?").stream().await?;
    while let Some(item) = stream.next().await {
        if let StreamedAssistantContent::Text(text) = item? {
            print!("{}", text.text);
        }
    }
    println!();
    Ok(())
}
