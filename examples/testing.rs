//! How to test a service of your own that calls models: against the simulator, on real sockets, in virtual time.
//!
//! ```sh
//! cargo run --example testing
//! ```
//!
//! Each function below is a test as it would stand in your `tests/` folder under `#[tokio::test(start_paused = true)]`: waits of many
//! seconds pass in milliseconds, and the faults are the same in each run.
//!
//! The file stands by itself. A project of its own needs (until the crates are published, with the `path` of a checkout in place of our versions):
//!
//! ```toml
//! [dependencies]
//! tower-openrouter = "0.1"
//!
//! [dev-dependencies]
//! openrouter-simulator = "0.1"
//! tokio = { version = "1", features = ["macros", "rt", "test-util"] }
//! ```
#![expect(clippy::print_stdout, reason = "an example prints for the reader")]

use std::{error::Error as StdError, time::Duration};

use openrouter_simulator::{Report, Simulator};
use tokio::time::Instant;
use tower_openrouter::{
    ApiKey, ChatRequest, ChatServiceExt, Error, FailureKind, Stack,
    transport::{Dialect, OPENROUTER, Upstream},
};

type Fallible<T = ()> = Result<T, Box<dyn StdError>>;

/// The service under test: it knows models only through the stack that it is given.
#[derive(Clone)]
struct Summaries {
    stack: Stack,
}

impl Summaries {
    async fn summary(&self, text: &str) -> Result<String, Error> {
        let request = ChatRequest::user(format!("Summarise in one sentence: {text}")).max_tokens(100);
        let answer = self.stack.complete(request).await?;
        Ok(answer.response.text().unwrap_or_default().to_owned())
    }
}

/// A simulator, and the service over it with the settings of production.
async fn service() -> Fallible<(Simulator, Summaries)> {
    let simulator = Simulator::builder().seed(1).start().await?;
    let upstream = Upstream::new(OPENROUTER, &simulator.base_url(), Dialect::OpenRouter)?;
    let stack = Stack::builder()
        .upstream(upstream, ApiKey::new("sk-or-v1-simulated")?)
        .chain(["openai/gpt-5", "anthropic/claude-sonnet-4.5"])
        .response_timeout(Duration::from_secs(10)) // of one attempt at a plain answer; for streams `first_token_timeout`
        .deadline(Duration::from_secs(60))
        .build()?;
    Ok((simulator, Summaries { stack }))
}

/// The first model is overloaded: the second one answers, and each was called as often as it should be.
async fn an_overloaded_model_is_replaced() -> Fallible {
    let (simulator, summaries) = service().await?;
    simulator.plan("openai/gpt-5", "503")?;
    let summary = summaries
        .summary("The sky is blue because of Rayleigh scattering.")
        .await?;
    assert!(!summary.is_empty());
    let seen = simulator.wait_until(Report::idle).await;
    assert_eq!(seen.of("anthropic/claude-sonnet-4.5").count(), 1);
    Ok(())
}

/// The first model is silent: the caller waits for the timeout of one attempt, not longer.
async fn a_silent_model_costs_ten_seconds() -> Fallible {
    let (simulator, summaries) = service().await?;
    simulator.plan("openai/gpt-5", "slow-headers=300s")?;
    let begin = Instant::now();
    summaries.summary("A long report.").await?;
    let waited = begin.elapsed();
    assert!(
        waited >= Duration::from_secs(10) && waited < Duration::from_secs(12),
        "{waited:?}"
    );
    Ok(())
}

/// All models are down: the service gets one typed error that says what was tried.
async fn an_outage_is_one_typed_error() -> Fallible {
    let (simulator, summaries) = service().await?;
    simulator.plan_all("503")?;
    let Err(error) = summaries.summary("A report.").await else {
        return Err("wanted an error".into());
    };
    assert_eq!(error.kind(), FailureKind::Overloaded);
    assert!(error.attempts().is_some_and(|log| log.sent() >= 2), "{error}");
    Ok(())
}

/// A request that no model takes is refused once, and nothing is paid.
async fn a_bad_request_is_not_retried() -> Fallible {
    let (simulator, summaries) = service().await?;
    simulator.plan_all("400")?;
    let error = summaries.summary("A report.").await.err().ok_or("wanted an error")?;
    assert_eq!(error.kind(), FailureKind::BadRequest);
    assert_eq!(simulator.billed_total().to_string(), "0");
    Ok(())
}

#[tokio::main(flavor = "current_thread", start_paused = true)]
async fn main() -> Fallible {
    an_overloaded_model_is_replaced().await?;
    a_silent_model_costs_ten_seconds().await?;
    an_outage_is_one_typed_error().await?;
    a_bad_request_is_not_retried().await?;
    println!("4 tests passed");
    Ok(())
}
