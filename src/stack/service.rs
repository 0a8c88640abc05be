//! The stack as a service.

use std::{
    fmt,
    sync::Arc,
    task::{Context, Poll},
};

use http::{Request, Response};
use tower_llm_layers::{
    adaptive_concurrency::ConcurrencyLimits, auth::KeySource, circuit_breaker::Circuits, deadline::DeadlineLayer,
    pause::Pauses,
};
use tower_service::Service;

use super::{ErasedService, KnownModels, StackBody, StackBuilder, StackFuture};
use crate::{ApiRequest, ChatFrame, Error, transport::OPENROUTER_URL};

/// One service that has all layers in their order: what an application calls.
///
/// `Clone` is cheap and shares everything: keys' states, the retry ratio, connections. What it is built over does not show in its type:
/// `R` is the request, `F` a frame of the answer, `E` the error, and [`StackBuilder::build_over`] infers them from the inner service.
///
/// # Readiness
///
/// `poll_ready` passes the inner service's readiness through, and no deadline covers it: a layer around the stack, such as tower's `LoadShed`,
/// sees it as it is. The stack's own methods ([`complete`](crate::ChatServiceExt::complete) and the like) and its endpoints wait for readiness
/// within the deadline.
///
/// # Errors
///
/// [`Error`], with what was tried.
///
/// # Cancellation
///
/// Dropping the future or the body ends everything it stands for: the attempt, the wait, the connection.
pub struct Stack<R = ApiRequest, F = ChatFrame, E = Error> {
    service: ErasedService<R, F, E>,
    about: Arc<About>,
}

/// What a stack says of itself.
struct About {
    deadline: DeadlineLayer,
    description: String,
    circuits: Option<Circuits>,
    pauses: Pauses,
    concurrency: Option<ConcurrencyLimits>,
    models: KnownModels,
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
        Self::builder().upstream(OPENROUTER_URL, key)
    }

    /// Starts a stack without an upstream: add your own with [`StackBuilder::upstream`]. Over a service with types of its own start with
    /// [`StackBuilder::new`].
    #[must_use]
    pub fn builder() -> StackBuilder {
        StackBuilder::for_api()
    }
}

impl<R, F, E> Stack<R, F, E> {
    pub(super) fn new(
        service: ErasedService<R, F, E>,
        deadline: DeadlineLayer,
        description: String,
        circuits: Option<Circuits>,
        pauses: Pauses,
        concurrency: Option<ConcurrencyLimits>,
        models: KnownModels,
    ) -> Self {
        let about = About {
            deadline,
            description,
            circuits,
            pauses,
            concurrency,
            models,
        };
        Self {
            service,
            about: Arc::new(about),
        }
    }

    /// The concurrency limit of each candidate, and how many attempts wait: [`ConcurrencyLimits::reports`]. `None` if that is not
    /// limited.
    #[must_use]
    pub fn concurrency(&self) -> Option<&ConcurrencyLimits> {
        self.about.concurrency.as_ref()
    }

    /// Which candidates are left alone now, and why: [`Circuits::reports`]. `None` if the circuit breaker is off.
    #[must_use]
    pub fn circuits(&self) -> Option<&Circuits> {
        self.about.circuits.as_ref()
    }

    /// The pauses in force: which candidates are not called now since their upstream asked for that, how far each pause reaches, and when it
    /// is looked at again and over: [`Pauses::reports`].
    ///
    /// ```
    /// use tower_openrouter::{ApiKey, Stack};
    ///
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let stack = Stack::openrouter(ApiKey::new("sk-or-v1-0")?).chain(["openai/gpt-5"]).build()?;
    /// for pause in stack.pauses().reports() {
    ///     println!("{pause}");
    /// }
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn pauses(&self) -> &Pauses {
        &self.about.pauses
    }

    /// The layers in force, outermost first, with their settings: one line each, "off" for an empty slot.
    #[must_use]
    pub fn describe(&self) -> &str {
        &self.about.description
    }

    /// What a client may request, as far as it is known.
    pub(crate) fn models(&self) -> &KnownModels {
        &self.about.models
    }

    /// What a call's wait for readiness is bounded by.
    pub(crate) fn deadline(&self) -> &DeadlineLayer {
        &self.about.deadline
    }
}

impl<R, F, E> Clone for Stack<R, F, E> {
    fn clone(&self) -> Self {
        Self {
            service: self.service.clone(),
            about: Arc::clone(&self.about),
        }
    }
}

impl<R, F, E> fmt::Debug for Stack<R, F, E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Stack")
            .field("description", &self.about.description)
            .finish_non_exhaustive()
    }
}

impl<R, F, E> Service<Request<R>> for Stack<R, F, E> {
    type Response = Response<StackBody<F, E>>;
    type Error = E;
    type Future = StackFuture<F, E>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), E>> {
        self.service.poll_ready(cx)
    }

    fn call(&mut self, request: Request<R>) -> Self::Future {
        self.service.call(request)
    }
}
