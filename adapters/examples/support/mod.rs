//! What the examples share: a stack over a simulator in this process, whose first model is down.

use openrouter_simulator::Simulator;
use tower_openrouter::{
    ApiKey, Stack,
    transport::{Dialect, OPENROUTER, Upstream},
};

pub(crate) type Fallible<T = ()> = Result<T, Box<dyn std::error::Error>>;

/// The model that is down.
pub(crate) const MODEL: &str = "openai/gpt-5";
/// The model that answers in its place.
pub(crate) const FALLBACK: &str = "openai/gpt-4o-mini";

/// A program has `Stack::openrouter(key).chain([…]).build()?` here. The simulator is kept while the example runs.
pub(crate) async fn stack() -> Fallible<(Stack, Simulator)> {
    let simulator = Simulator::start().await?;
    simulator.plan(MODEL, "503")?;
    let upstream = Upstream::new(OPENROUTER, &simulator.base_url(), Dialect::OpenRouter)?;
    let stack = Stack::builder()
        .upstream(upstream, ApiKey::new("sk-or-v1-simulated")?)
        .chain([MODEL, FALLBACK])
        .build()?;
    Ok((stack, simulator))
}
