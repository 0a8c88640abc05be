//! A tool that is a function, the loop that runs it, and the check that the model supports tools.
#![expect(clippy::print_stdout, reason = "an example prints for the reader")]

mod support;

use std::sync::Arc;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use tower_openrouter::{
    Account, Catalogue, ChatRequest, ChatServiceExt, Transport,
    tools::{Tool, Tools},
};

#[derive(Deserialize, JsonSchema)]
struct City {
    city: Option<String>,
}

#[derive(Serialize)]
struct Weather {
    celsius: i32,
    sky: &'static str,
}

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

    let weather = Tool::from_fn(
        "get_weather",
        "The weather in a city, now.",
        |City { city }| async move {
            println!("the model asks for the weather in {}", city.as_deref().unwrap_or("?"));
            Ok::<_, &str>(Weather {
                celsius: 4,
                sky: "clear",
            })
        },
    );
    let request = ChatRequest::user("What is the weather in Oslo?");
    let run = stack.run_tools(request, &Tools::new([weather]).max_steps(4)).await?;

    for attempts in run.steps.iter().filter_map(|step| step.attempts.as_ref()) {
        println!("{attempts}");
    }
    println!("\n{}", run.text());
    Ok(())
}
