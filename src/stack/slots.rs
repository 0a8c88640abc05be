//! The slots that depend on what a stack's requests, frames and errors can do, and the user's own layers.

use std::{fmt, sync::Arc, time::Duration};

use http::{Request, Response};
use http_body::Body;
use tower::{BoxError, ServiceExt, load_shed::error::Overloaded, timeout::error::Elapsed};
use tower_layer::Layer;
use tower_llm_layers::{
    Advice, Failure, FailureKind, Frame, LayerError, LlmRequest, Phase,
    degrade::{Degradation, StaleLater},
    ledger::Ledger,
    provider_health::ProviderHealth,
    resume::ResumeLayer,
};
use tower_service::Service;

use super::{
    ErasedService, StackBuilder,
    assemble::{Chained, Top},
};
use crate::stream_upstream::StreamUpstreamLayer;

/// Puts a layer around a service.
pub(super) type Wrap<R, F, E> = Arc<dyn Fn(ErasedService<R, F, E>) -> ErasedService<R, F, E> + Send + Sync>;

/// Looks for a stale response, and its age.
pub(super) type Stale<R, F> = Arc<dyn Fn(&Request<R>) -> Option<StaleLook<F>> + Send + Sync>;

/// A stale response that is there, or that a store may give later.
#[cfg_attr(not(feature = "cache"), expect(dead_code, reason = "a cache gives them"))]
pub(super) enum StaleLook<F> {
    Now((Vec<F>, Duration)),
    Later(StaleLater<F>),
}

/// Puts the layer around the chain, and all that stands above around both.
pub(super) type AroundChain<R, F, E> = fn(StreamUpstreamLayer, Top<R, F>, Chained<R, F, E>) -> ErasedService<R, F, E>;

/// What overrides the advice for a failure.
pub(super) type Classifier<E> = Arc<dyn Fn(&E) -> Option<Advice> + Send + Sync>;

/// Each is empty unless it was set; an empty one is not built.
pub(super) struct Slots<R, F, E> {
    pub(super) canned: Option<Arc<dyn Degradation<R, F> + Send + Sync>>,
    pub(super) cache: Option<CacheSlot<R, F, E>>,
    pub(super) idempotency: Option<Slot<Arc<AroundKeyed<R, F, E>>>>,
    pub(super) around_call: Vec<Wrap<R, F, E>>,
    pub(super) stream_upstream: Option<StreamUpstreamSlot<R, F, E>>,
    pub(super) resume: Option<(ResumeLayer, Wrap<R, F, E>)>,
    pub(super) classify: Option<Classifier<E>>,
    pub(super) conformance: Option<Slot<Wrap<R, F, E>>>,
    pub(super) provider_health: Option<(ProviderHealth, Wrap<R, F, E>)>,
    pub(super) around_attempt: Vec<Wrap<R, F, E>>,
}

/// A cache, with its stale responses if it has any.
type CacheSlot<R, F, E> = (Slot<Wrap<R, F, E>>, Option<Stale<R, F>>);

/// Around the chain itself and all above it, without a seam between them; or by itself.
type StreamUpstreamSlot<R, F, E> = (StreamUpstreamLayer, AroundChain<R, F, E>, Wrap<R, F, E>);

/// Puts idempotency keys around the calls of a stack that has this ledger.
pub(super) type AroundKeyed<R, F, E> =
    dyn Fn(ErasedService<R, F, E>, Option<Arc<dyn Ledger>>) -> ErasedService<R, F, E> + Send + Sync;

/// A layer with types of its own, and what `describe` prints of it.
#[derive(Clone)]
pub(super) struct Slot<W> {
    pub(super) wrap: W,
    pub(super) description: String,
    /// All its settings, for `Debug`.
    pub(super) details: String,
}

impl<R, F, E> Slots<R, F, E> {
    pub(super) const fn new() -> Self {
        Self {
            canned: None,
            cache: None,
            idempotency: None,
            around_call: Vec::new(),
            stream_upstream: None,
            resume: None,
            classify: None,
            conformance: None,
            provider_health: None,
            around_attempt: Vec::new(),
        }
    }

    pub(super) fn keeps_stale(&self) -> bool {
        self.cache.as_ref().is_some_and(|(_, stale)| stale.is_some())
    }
}

impl<R, F, E> StackBuilder<R, F, E>
where
    R: LlmRequest + Send + 'static,
    F: Frame + Send + 'static,
    E: Failure + From<LayerError> + std::error::Error + Send + Sync + 'static,
{
    /// Puts a layer of your own around the call as a whole: below the cache and the tenants' limits, above the chain, so it sees each call
    /// that is sent upstream once, whatever it takes. Several stand in the order of the calls, the first outermost. None by default.
    ///
    /// The layer gets an [`ErasedService`] and keeps frame and error in its response's body. An error of another type than the
    /// stack's becomes [`LayerError::Foreign`]: tower's `Elapsed` a timeout, tower's `Overloaded` a limit, anything else internal. A layer that is to fail
    /// in a certain way returns the stack's own error.
    ///
    /// ```
    /// use tower::{limit::ConcurrencyLimitLayer, util::MapRequestLayer};
    /// use tower_openrouter::{ApiKey, ApiRequest, Stack};
    ///
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let stack = Stack::openrouter(ApiKey::new("sk-or-v1-0")?)
    ///     .chain(["openai/gpt-5"])
    ///     .around_call(ConcurrencyLimitLayer::new(64))
    ///     .around_attempt(MapRequestLayer::new(|mut request: http::Request<ApiRequest>| {
    ///         request.headers_mut().insert("x-team", http::HeaderValue::from_static("search"));
    ///         request
    ///     }))
    ///     .build()?;
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn around_call<L, B>(mut self, layer: L) -> Self
    where
        L: Layer<ErasedService<R, F, E>> + Send + Sync + 'static,
        L::Service: Service<Request<R>, Response = Response<B>, Error: Into<BoxError>, Future: Send + 'static>
            + Clone
            + Send
            + Sync
            + 'static,
        B: Body<Data = F, Error = E> + Send + 'static,
    {
        self.slots.around_call.push(wrap(layer, Phase::Deadline));
        self
    }

    /// Puts a layer of your own around each attempt, above the key: it sees what is sent, and may change it. It stands within the attempt's timeouts
    /// and on its line of the log. An error that it returns
    /// without calling on counts as a sent attempt in the log, without an entry, unless it calls
    /// [`AttemptHandle::not_sent`](tower_llm_layers::AttemptHandle::not_sent). None by default; see [`around_call`](Self::around_call).
    #[must_use]
    pub fn around_attempt<L, B>(mut self, layer: L) -> Self
    where
        L: Layer<ErasedService<R, F, E>> + Send + Sync + 'static,
        L::Service: Service<Request<R>, Response = Response<B>, Error: Into<BoxError>, Future: Send + 'static>
            + Clone
            + Send
            + Sync
            + 'static,
        B: Body<Data = F, Error = E> + Send + 'static,
    {
        self.slots.around_attempt.push(wrap(layer, Phase::FirstToken));
        self
    }

    /// Overrides what follows from a failure: `None` leaves it to [the table of its kind](FailureKind::advice), as without a classifier.
    /// It sees each attempt's failure, those of timeouts and of interrupted streams included.
    ///
    /// ```
    /// use tower_openrouter::{ApiKey, Error, FailureKind, Stack, layers::{FallbackAdvice, RetryAdvice}};
    ///
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let stack = Stack::openrouter(ApiKey::new("sk-or-v1-0")?)
    ///     .chain(["openai/gpt-5", "anthropic/claude-sonnet-4.5"])
    ///     // This provider's 400 is its own fault, not the request's.
    ///     .classify(|error: &Error| {
    ///         (error.provider() == Some("Flaky")).then(|| {
    ///             let mut advice = error.kind().advice();
    ///             (advice.retry, advice.fall_back) = (RetryAdvice::Backoff, FallbackAdvice::Any);
    ///             advice
    ///         })
    ///     })
    ///     .build()?;
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn classify(mut self, advise: impl Fn(&E) -> Option<Advice> + Send + Sync + 'static) -> Self {
        self.slots.classify = Some(Arc::new(advise));
        self
    }
}

/// A user's layer with the stack's error. `phase` is which clock a plain timeout is at this place.
fn wrap<L, R, F, E, B>(layer: L, phase: Phase) -> Wrap<R, F, E>
where
    L: Layer<ErasedService<R, F, E>> + Send + Sync + 'static,
    L::Service: Service<Request<R>, Response = Response<B>, Error: Into<BoxError>, Future: Send + 'static>
        + Clone
        + Send
        + Sync
        + 'static,
    B: Body<Data = F, Error = E> + Send + 'static,
    R: Send + 'static,
    F: Send + 'static,
    E: From<LayerError> + std::error::Error + Send + Sync + 'static,
{
    Arc::new(move |inner| {
        let service = layer.layer(inner);
        ErasedService::new(service.map_err(move |error| own_error(error.into(), phase)))
    })
}

/// The stack's own error as it was, any other as what it says.
fn own_error<E>(error: BoxError, phase: Phase) -> E
where
    E: From<LayerError> + std::error::Error + Send + Sync + 'static,
{
    match error.downcast::<E>() {
        Ok(own) => *own,
        Err(error) => {
            let kind = if error.is::<Elapsed>() {
                FailureKind::Timeout(phase)
            } else if error.is::<Overloaded>() {
                FailureKind::ConcurrencyLimited
            } else {
                FailureKind::Internal
            };
            let message = error.to_string();
            LayerError::Foreign { kind, message }.into()
        }
    }
}

impl<R, F, E> Clone for Slots<R, F, E> {
    fn clone(&self) -> Self {
        Self {
            canned: self.canned.clone(),
            cache: self.cache.clone(),
            idempotency: self.idempotency.clone(),
            around_call: self.around_call.clone(),
            stream_upstream: self.stream_upstream.clone(),
            resume: self.resume.clone(),
            classify: self.classify.clone(),
            conformance: self.conformance.clone(),
            provider_health: self.provider_health.clone(),
            around_attempt: self.around_attempt.clone(),
        }
    }
}

impl<R, F, E> fmt::Debug for Slots<R, F, E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Slots")
            .field("has_canned_reply", &self.canned.is_some())
            .field("cache", &self.cache.as_ref().map(|(slot, _)| &slot.details))
            .field("idempotency", &self.idempotency.as_ref().map(|slot| &slot.details))
            .field(
                "stream_upstream",
                &self.stream_upstream.as_ref().map(|(layer, ..)| layer),
            )
            .field("resume", &self.resume.as_ref().map(|(layer, _)| layer))
            .field("conformance", &self.conformance.as_ref().map(|slot| &slot.details))
            .field(
                "provider_health",
                &self.provider_health.as_ref().map(|(health, _)| health),
            )
            .field("has_classifier", &self.classify.is_some())
            .field("around_call", &self.around_call.len())
            .field("around_attempt", &self.around_attempt.len())
            .finish()
    }
}
