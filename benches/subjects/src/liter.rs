//! liter-llm's layers, over an inner service of their own types.

use std::future::{Ready, ready};
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use liter_llm::error::LiterLlmError;
use liter_llm::tower::{
    BudgetConfig, BudgetLayer, BudgetState, CacheConfig, CacheLayer, CircuitLayer, CooldownLayer, CostTrackingLayer,
    ExponentialBackoffCircuit, FallbackChainLayer, FallbackLayer, FixedDelayHedge, HedgeLayer, LlmRequest, LlmResponse,
    ModelRateLimitLayer, RateLimitConfig,
};
use liter_llm::types::{
    AssistantContent, AssistantMessage, ChatCompletionRequest, ChatCompletionResponse, Choice, Message, Usage,
    UserContent, UserMessage,
};
use tower::{Layer, Service};

/// A short request.
#[must_use]
pub fn request() -> LlmRequest {
    let content = UserContent::Text("Why is the sky blue?".to_owned());
    LlmRequest::Chat(ChatCompletionRequest {
        model: "openai/gpt-4o".to_owned(),
        messages: vec![Message::User(UserMessage { content, name: None })],
        ..ChatCompletionRequest::default()
    })
}

/// Answers every call at once, with usage, so that there is something to account for.
#[derive(Debug, Clone, Default)]
pub struct Leaf {
    choices: Vec<Choice>,
}

impl Leaf {
    /// Whose answers say so many bytes.
    #[must_use]
    pub fn of(bytes: usize) -> Self {
        let message = AssistantMessage {
            content: Some(AssistantContent::Text("x".repeat(bytes))),
            ..AssistantMessage::default()
        };
        let choices = vec![Choice {
            index: 0,
            message,
            finish_reason: None,
            logprobs: None,
        }];
        Self { choices }
    }
}

impl Service<LlmRequest> for Leaf {
    type Response = LlmResponse;
    type Error = LiterLlmError;
    type Future = Ready<Result<LlmResponse, LiterLlmError>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), LiterLlmError>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, _: LlmRequest) -> Self::Future {
        let usage = Usage {
            prompt_tokens: 10,
            completion_tokens: 1,
            total_tokens: 11,
            ..Usage::default()
        };
        ready(Ok(LlmResponse::Chat(ChatCompletionResponse {
            usage: Some(usage),
            choices: self.choices.clone(),
            ..ChatCompletionResponse::default()
        })))
    }
}

/// A service of theirs.
pub trait Theirs: Service<LlmRequest, Response = LlmResponse, Error = LiterLlmError> {}
impl<S: Service<LlmRequest, Response = LlmResponse, Error = LiterLlmError>> Theirs for S {}

/// Tells what a call cost.
pub fn cost() -> impl Theirs {
    CostTrackingLayer.layer(Leaf::default())
}

/// Refuses what is over a limit of money.
pub fn budget() -> impl Theirs {
    let config = BudgetConfig {
        global_limit: Some(1e12),
        ..BudgetConfig::default()
    };
    BudgetLayer::new(config, Arc::new(BudgetState::new())).layer(Leaf::default())
}

/// Refuses what is over a limit of calls.
pub fn rate_limit() -> impl Theirs {
    let config = RateLimitConfig {
        rpm: Some(u32::MAX),
        tpm: Some(u64::MAX),
        ..RateLimitConfig::default()
    };
    ModelRateLimitLayer::new(config).layer(Leaf::default())
}

/// Keeps answers.
pub fn cache(leaf: Leaf) -> impl Theirs {
    CacheLayer::new(CacheConfig::default()).layer(leaf)
}

/// Rests after a failure.
pub fn cooldown() -> impl Theirs {
    CooldownLayer::new(Duration::from_secs(30)).layer(Leaf::default())
}

/// Breaks the circuit after failures.
pub fn circuit() -> impl Theirs {
    let policy = ExponentialBackoffCircuit::new(5, Duration::from_secs(1));
    CircuitLayer::new(Arc::new(policy), "openai").layer(Leaf::default())
}

/// Hedges, with one attempt: more would spawn tasks, which a single poll cannot drive.
pub fn hedge() -> impl Theirs {
    HedgeLayer::new(Arc::new(FixedDelayHedge::new(Duration::from_secs(1), 1))).layer(Leaf::default())
}

/// Moves to one other service.
pub fn fallback() -> impl Theirs {
    FallbackLayer::new(Leaf::default()).layer(Leaf::default())
}

/// Moves along a chain of two.
pub fn fallback_chain() -> impl Theirs {
    FallbackChainLayer::new(vec![Leaf::default(), Leaf::default()]).layer(())
}

/// A whole stack: a limit of calls, a limit of money, costs, and a chain of two services, each behind a circuit breaker.
pub fn stack() -> impl Theirs {
    let lane = || {
        let policy = ExponentialBackoffCircuit::new(5, Duration::from_secs(1));
        CircuitLayer::new(Arc::new(policy), "openai").layer(Leaf::default())
    };
    let chain = FallbackChainLayer::new(vec![lane(), lane()]).layer(());
    let budget = BudgetConfig {
        global_limit: Some(1e12),
        ..BudgetConfig::default()
    };
    let rate = RateLimitConfig {
        rpm: Some(u32::MAX),
        tpm: Some(u64::MAX),
        ..RateLimitConfig::default()
    };
    let service = BudgetLayer::new(budget, Arc::new(BudgetState::new())).layer(CostTrackingLayer.layer(chain));
    ModelRateLimitLayer::new(rate).layer(service)
}
