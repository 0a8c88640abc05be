//! An answer of a type, and the check that moves the call on when a model does not keep to its schema.
#![expect(clippy::print_stdout, reason = "an example prints for the reader")]

mod support;

use schemars::JsonSchema;
use serde::Deserialize;
use tower_openrouter::{
    ChatRequest, ChatServiceExt, conformance::JsonSchemaCheck, layers::conformance::ConformanceLayer,
};

/// A city, with what a traveller asks first.
#[derive(Debug, Deserialize, JsonSchema)]
struct City {
    name: String,
    /// Without the suburbs.
    inhabitants: u64,
    river: Option<String>,
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> support::Fallible {
    // In the simulator the first model writes prose, and the second what the schema says.
    let prose = "text=Oslo%20is%20a%20fine%20city.";
    let json = "text=%7B%22name%22%3A%22Oslo%22%2C%22inhabitants%22%3A717710%2C%22river%22%3A%22Akerselva%22%7D";
    let place = support::place(&[("openai/gpt-4o-mini", prose), ("openai/gpt-5", json)]).await?;
    let stack = place
        .stack()
        .chain(["openai/gpt-4o-mini", "openai/gpt-5"])
        .conformance(ConformanceLayer::new(JsonSchemaCheck::new()))
        .build()?;

    let request = ChatRequest::user("Which city is the capital of Norway?");
    let city = stack.complete_as::<City>(request).await?;
    if let Some(attempts) = &city.completion.attempts {
        println!("{attempts}");
    }
    let City {
        name,
        inhabitants,
        river,
    } = city.value;
    println!(
        "\n{name}, with {inhabitants} inhabitants, on the {}",
        river.as_deref().unwrap_or("plain")
    );
    Ok(())
}
