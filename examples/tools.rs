//! A tool call, and the check that the model supports tools.
#![expect(clippy::print_stdout, reason = "an example prints for the reader")]

mod support;

use std::sync::Arc;

use serde_json::json;
use tower_openrouter::{
    Account, Catalogue, ChatRequest, ChatServiceExt, Transport,
    request::{Message, Tool},
};

#[tokio::main(flavor = "current_thread")]
async fn main() -> support::Fallible {
    // In the simulator the second answer, after the tool's, is this one.
    let said = "no-tool;text=It%20is%204%20degrees%20in%20Oslo%2C%20and%20clear.";
    let place = support::place(&[("openai/gpt-4o-mini", &format!("ok,{said}"))]).await?;
    let transport = Transport::builder().upstream(place.upstream.clone()).build()?;
    let account = Account::new(transport, place.upstream.clone(), Some(place.key.clone()));
    let catalogue = Catalogue::new(account.models().await?);

    // The first of the chain takes no tools: by the catalogue it is passed over, and nothing is sent to it.
    let stack = place
        .stack()
        .chain(["demo/small", "openai/gpt-4o-mini"])
        .catalogue(Arc::new(catalogue))
        .build()?;

    let weather = Tool::function(
        "get_weather",
        "The weather in a city, now.",
        json!({
            "type": "object",
            "properties": { "city": { "type": "string" } },
            "required": ["city"],
        }),
    );
    let mut messages = vec![Message::user("What is the weather in Oslo?")];

    for _ in 0..4 {
        let request = ChatRequest::new(messages.clone()).tools([weather.clone()]);
        let completion = stack.complete(request).await?;
        if let Some(attempts) = &completion.attempts {
            println!("{attempts}");
        }
        let Some(choice) = completion.response.choices.first() else {
            return Err("no choice".into());
        };
        let message = choice.message.to_message();
        let calls = message.tool_calls.clone().unwrap_or_default();
        if calls.is_empty() {
            println!("\n{}", message.text());
            return Ok(());
        }
        messages.push(message);
        for call in calls {
            println!(
                "\nthe model calls {}({})\n",
                call.function.name, call.function.arguments
            );
            messages.push(Message::tool(call.id, r#"{"celsius":4,"sky":"clear"}"#));
        }
    }
    Err("the model did not come to an end".into())
}
