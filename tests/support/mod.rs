//! A simulator and a stack over it, on real sockets in virtual time.
#![allow(dead_code, reason = "parts of it serve optional features")]

pub(crate) mod ledger;
pub(crate) mod log;
pub(crate) mod mounted;
pub(crate) mod prices;
pub(crate) mod raw;
pub(crate) mod spans;

use std::time::Duration;

use openrouter_simulator::Simulator;
use tokio::time::Instant;
use tower_openrouter::{
    ApiKey, Attempt, Candidate, ChatRequest, ChatServiceExt, Error, FailureKind, Outcome, Stack,
    layers::retry::Exponential,
    stack::StackBuilder,
    transport::{Dialect, OPENROUTER, Upstream},
};

pub(crate) const FIRST: &str = "openai/gpt-5";
pub(crate) const SECOND: &str = "openai/gpt-4o-mini";
pub(crate) const TEXT: &str = "Scattering makes it blue, and air is all it takes.";
/// The same text in each plan of a good answer.
pub(crate) const GOOD: &str = "text=Scattering%20makes%20it%20blue,%20and%20air%20is%20all%20it%20takes.";

pub(crate) struct World {
    pub(crate) simulator: Simulator,
}

impl World {
    /// A simulator where the first model follows this plan and the second one is well.
    pub(crate) async fn new(plan: &str) -> Self {
        Self::over(Simulator::start().await.unwrap(), plan)
    }

    /// The same over a simulator that was set up apart.
    pub(crate) fn over(simulator: Simulator, plan: &str) -> Self {
        simulator.plan_all(&GOOD.replace(',', "%2C")).unwrap();
        simulator
            .plan(FIRST, &plan.replace("GOOD", &GOOD.replace(',', "%2C")))
            .unwrap();
        Self { simulator }
    }

    pub(crate) fn upstream(&self) -> Upstream {
        Upstream::new(OPENROUTER, &self.simulator.base_url(), Dialect::OpenRouter).unwrap()
    }

    /// Timeouts that the tables below count with; retries wait no longer than they must.
    pub(crate) fn builder(&self) -> StackBuilder {
        Stack::builder()
            .upstream(
                self.upstream(),
                ApiKey::new("sk-or-v1-0123456789abcdef0123456789abtest").unwrap(),
            )
            .backoff(Exponential::new(Duration::ZERO, Duration::ZERO))
            .first_token_timeout(Duration::from_secs(10))
            .response_timeout(Duration::from_secs(40))
            .last_candidate_grace(Duration::from_secs(5))
            .idle_timeout(Duration::from_secs(15))
            .max_retry_delay(Duration::from_secs(20))
            .max_retry_delay_with_fallback(Duration::from_secs(20))
            .deadline(Duration::from_secs(120))
    }

    pub(crate) fn alone(&self) -> Stack {
        self.builder().chain([FIRST]).build().unwrap()
    }

    pub(crate) fn pair(&self) -> Stack {
        self.builder().chain([FIRST, SECOND]).build().unwrap()
    }
}

pub(crate) fn ask() -> ChatRequest {
    ChatRequest::user("Why is the sky blue?")
}

/// What a caller got, and what it took.
#[derive(Debug)]
pub(crate) struct Got {
    pub(crate) text: String,
    pub(crate) error: Option<Error>,
    pub(crate) lines: Vec<Attempt>,
    pub(crate) took: Duration,
}

impl Got {
    pub(crate) fn kind(&self) -> Option<FailureKind> {
        self.error.as_ref().map(Error::kind)
    }

    /// The models asked, in order.
    pub(crate) fn asked(&self) -> Vec<&str> {
        let sent = self.lines.iter().filter(|line| line.outcome != Outcome::Skipped);
        sent.filter_map(|line| line.candidate.as_ref())
            .map(Candidate::model)
            .collect()
    }
}

/// A whole call, streamed or plain, to its last byte.
pub(crate) async fn call<S: tower_openrouter::ChatService>(stack: &S, streamed: bool, request: ChatRequest) -> Got {
    let begun = Instant::now();
    let mut got = Got {
        text: String::new(),
        error: None,
        lines: Vec::new(),
        took: Duration::ZERO,
    };
    let mut log = None;
    if streamed {
        match stack.stream(request).await {
            Ok(mut answer) => {
                log = answer.attempts();
                while let Some(text) = answer.next_text().await {
                    match text {
                        Ok(text) => got.text.push_str(&text),
                        Err(error) => got.error = Some(error),
                    }
                }
            }
            Err(error) => got.error = Some(error),
        }
    } else {
        match stack.complete(request).await {
            Ok(completion) => {
                got.text = completion.response.text().unwrap_or_default().to_owned();
                log = completion.attempts;
            }
            Err(error) => got.error = Some(error),
        }
    }
    got.took = begun.elapsed();
    log = log.or_else(|| got.error.as_ref().and_then(Error::attempts).cloned());
    got.lines = log.map(|log| log.attempts()).unwrap_or_default();
    got
}
