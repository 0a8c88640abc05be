//! Straight to a provider when the router itself is down.
//!
//! Against real upstreams set `OPENROUTER_API_KEY`, and `DIRECT_API_KEY` with `DIRECT_BASE_URL` (default OpenAI's) for the
//! provider.
#![expect(clippy::print_stdout, reason = "an example prints for the reader")]

mod support;

use std::env;

use openrouter_simulator::Simulator;
use tower_openrouter::{ApiKey, Candidate, ChatRequest, ChatServiceExt};

#[tokio::main(flavor = "current_thread")]
async fn main() -> support::Fallible {
    // In the simulator the router breaks every connection; the provider is a second simulator that speaks OpenAI's dialect.
    let place = support::place(&[("openai/gpt-4o-mini", "reset")]).await?;
    let provider = match &place.simulator {
        Some(_) => Some(Simulator::start().await?),
        None => None,
    };
    let (base, key) = match &provider {
        Some(provider) => (provider.base_url(), ApiKey::new("sk-or-v1-provider")?),
        None => (
            env::var("DIRECT_BASE_URL").unwrap_or_else(|_| "https://api.openai.com/v1".to_owned()),
            ApiKey::from_variable("DIRECT_API_KEY")?,
        ),
    };
    // The provider's name for the same model.
    let model = if provider.is_some() {
        "openai/gpt-4o-mini"
    } else {
        "gpt-4o-mini"
    };

    let stack = place
        .stack()
        .upstream(("provider", base.as_str()), key)
        .chain([
            Candidate::new("openrouter", "openai/gpt-4o-mini")?,
            Candidate::new("provider", model)?,
        ])
        .build()?;

    let answer = stack.stream(ChatRequest::user("Why is the sky blue?")).await?;
    let attempts = answer.attempts();
    println!("{}\n", answer.text().await?);
    if let Some(attempts) = attempts {
        println!("{attempts}");
    }
    Ok(())
}
