use std::{
    fmt,
    sync::Arc,
    task::{Context, Poll},
};

use http::{Request, Response};
use http_body::Body;
use tower_llm_layers::{
    Budgeted, CacheKey, Continuable, LlmRequest,
    adaptive_concurrency::{AdaptiveConcurrency, AdaptiveConcurrencyBody, ConcurrencyLimits},
    attempt::{AttemptBody, AttemptService},
    auth::{Auth, KeySource},
    circuit_breaker::{CircuitBreaker, CircuitBreakerBody, Circuits},
    cost::{Cost, CostBody},
    deadline::{Deadline, DeadlineBody},
    degrade::{Degrade, DegradeBody},
    fallback::Fallback,
    first_token::{FirstToken, FirstTokenBody},
    observe::{Observe, ObserveBody},
    rate_limit::{PerCandidate, RateLimit, RateLimitBody},
    resume::{Resume, ResumeBody},
    retry::{Retry, SharedSchedule},
    tagging::Tagging,
    timeout::{AttemptTimeout, AttemptTimeoutBody},
};
use tower_service::Service;

use super::{
    CallTags, StackBuilder, StackLadder, TenantKey,
    caching::{Cached, CachedBody},
};
use crate::{
    ChatBody, ChatFrame, ChatRequest, Error,
    stream_upstream::{StreamUpstream, StreamUpstreamBody},
    transport::{Transport, Upstream},
};

/// All layers in their order, over the leaf `S`.
pub type StackService<S> = Tagging<
    Observe<Degrade<Deadline<Cached<RateLimit<StreamUpstream<Resume<ChainService<S>>>, TenantKey>>>, StackLadder>>,
    CallTags,
>;

/// The chain of candidates, each with its retries.
type ChainService<S> = Fallback<Retry<PacedService<S>, SharedSchedule>>;

/// One attempt and what paces it.
type PacedService<S> = CircuitBreaker<AdaptiveConcurrency<RateLimit<AttemptService<ClockedService<S>>, PerCandidate>>>;

/// One exchange, its timeouts and its cost.
type ClockedService<S> = AttemptTimeout<FirstToken<Cost<Auth<S>>>>;

/// The body of one attempt, over the leaf's body `B`.
type AttemptedBody<B> = CircuitBreakerBody<AdaptiveConcurrencyBody<RateLimitBody<AttemptBody<ClockedBody<B>>>>>;

/// The same of one exchange.
type ClockedBody<B> = AttemptTimeoutBody<FirstTokenBody<CostBody<B>>>;

/// The body of a stack's response, over the leaf `S`, for the request `R` and the leaf's body `B`.
pub type StackBody<S = Transport, R = ChatRequest, B = ChatBody> = ObserveBody<
    DegradeBody<
        DeadlineBody<CachedBody<RateLimitBody<StreamUpstreamBody<ResumeBody<ChainService<S>, R, AttemptedBody<B>>>>>>,
    >,
>;

/// One service that has all layers in their order: what an application calls.
///
/// `Clone` is cheap and shares everything: keys' states, the retry budget, connections. Takes a
/// [`ChatRequest`](crate::ChatRequest), or anything else that the leaf takes, as the body of an [`http::Request`].
///
/// # Errors
///
/// [`Error`], with what was tried.
///
/// # Cancellation
///
/// Dropping the future or the body ends everything it stands for: the attempt, the wait, the connection.
pub struct Stack<S = Transport> {
    service: StackService<S>,
    description: Arc<str>,
    circuits: Option<Circuits>,
    concurrency: Option<ConcurrencyLimits>,
}

impl Stack {
    /// Starts a stack over OpenRouter with this key: an [`ApiKey`](crate::ApiKey), a pool, or a provider.
    ///
    /// ```
    /// use std::time::Duration;
    /// use tower_openrouter::{ApiKey, Stack};
    ///
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let stack = Stack::openrouter(ApiKey::new("sk-or-v1-…ascii".replace('…', "-"))?)
    ///     .chain(["anthropic/claude-sonnet-4.5", "openai/gpt-5"])
    ///     .first_token_timeout(Duration::from_secs(10))
    ///     .deadline(Duration::from_secs(90))
    ///     .build()?;
    /// println!("{}", stack.describe());
    /// # Ok(())
    /// # }
    /// ```
    pub fn openrouter(key: impl Into<KeySource>) -> StackBuilder {
        StackBuilder::new().upstream(Upstream::openrouter(), key)
    }

    /// Starts a stack without an upstream: add your own with [`StackBuilder::upstream`].
    #[must_use]
    pub fn builder() -> StackBuilder {
        StackBuilder::new()
    }
}

impl<S> Stack<S> {
    pub(super) fn new(
        service: StackService<S>,
        description: String,
        circuits: Option<Circuits>,
        concurrency: Option<ConcurrencyLimits>,
    ) -> Self {
        Self {
            service,
            description: description.into(),
            circuits,
            concurrency,
        }
    }

    /// How many attempts each candidate bears at once, and how many wait: [`ConcurrencyLimits::reports`]. `None` where that is not
    /// limited.
    #[must_use]
    pub const fn concurrency(&self) -> Option<&ConcurrencyLimits> {
        self.concurrency.as_ref()
    }

    /// Which candidates are left alone now, and why: [`Circuits::reports`]. `None` where the circuit breaker is off.
    #[must_use]
    pub const fn circuits(&self) -> Option<&Circuits> {
        self.circuits.as_ref()
    }

    /// The layers in force, outermost first, with their settings: one line each.
    #[must_use]
    pub fn describe(&self) -> &str {
        &self.description
    }

    /// The layers themselves.
    #[must_use]
    pub const fn get_ref(&self) -> &StackService<S> {
        &self.service
    }

    /// Takes the layers out.
    #[must_use]
    pub fn into_inner(self) -> StackService<S> {
        self.service
    }
}

impl<S: Clone> Clone for Stack<S> {
    fn clone(&self) -> Self {
        Self {
            service: self.service.clone(),
            description: Arc::clone(&self.description),
            circuits: self.circuits.clone(),
            concurrency: self.concurrency.clone(),
        }
    }
}

impl<S> fmt::Debug for Stack<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Stack")
            .field("description", &self.description)
            .finish_non_exhaustive()
    }
}

impl<S, R, B> Service<Request<R>> for Stack<S>
where
    S: Service<Request<R>, Response = Response<B>, Error = Error> + Clone + Send + 'static,
    S::Future: Send + 'static,
    R: LlmRequest + Budgeted + CacheKey + Continuable + Send + 'static,
    B: Body<Data = ChatFrame, Error = Error> + Send + Unpin + 'static,
{
    type Response = Response<StackBody<S, R, B>>;
    type Error = Error;
    type Future = <StackService<S> as Service<Request<R>>>::Future;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Error>> {
        self.service.poll_ready(cx)
    }

    fn call(&mut self, request: Request<R>) -> Self::Future {
        self.service.call(request)
    }
}
