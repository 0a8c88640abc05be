//! What a layer needs of a request's body.

use std::{borrow::Cow, time::Duration};

use super::requested;
use crate::{Call, Candidate, ContinueBy, Needs, Route};

/// The body of a request to a model.
///
/// Layers take `http::Request<R>` with `R: LlmRequest`. Cloning must be cheap (a reference count): a layer keeps a copy for the next
/// attempt. What is required here is used by layers that nearly every stack has; what a single layer needs is a trait of its own:
/// [`Budgeted`], [`Continuable`], [`CacheKey`](super::CacheKey).
pub trait LlmRequest: Clone {
    /// What this call carries from layer to layer: keep one [`Call`] in your type, `Call::default()` at first.
    fn call(&self) -> &Call;

    /// The same, to be changed.
    fn call_mut(&mut self) -> &mut Call;

    /// The requested model; `None` if the request names none.
    fn model(&self) -> Option<&str>;

    /// Requests another model. A chain calls it for each candidate, and passes over one if [`model`](Self::model) still names another model
    /// afterwards.
    fn set_model(&mut self, model: &str);

    /// What the request needs of the model, its estimated size above all: budgets, limits and chains with a catalogue read it.
    fn needs(&self) -> Needs;

    /// The [pool](Candidate::with_pool) of a model that a request names, if it is not its upstream's: e.g. that of models which share a quota
    /// of their own. A chain's own candidates say theirs themselves.
    #[must_use]
    fn pool_of(upstream: &str, model: &str) -> Option<String> {
        let _ = (upstream, model);
        None
    }

    /// Whether the request asks for a stream.
    fn is_streaming(&self) -> bool {
        false
    }

    /// The same request with its answer as a stream; `None` if it is one already, or if no stream can carry the answer.
    #[must_use]
    fn as_stream(&self) -> Option<Self> {
        None
    }

    /// Whether only the requested model may answer, since the answers of another are not comparable: of embeddings, whose vectors stand beside
    /// those of other calls. A chain then passes over its other models, unless
    /// [`fallback_for_embeddings`](crate::fallback::Chain::fallback_for_embeddings) lets them answer.
    fn is_bound_to_model(&self) -> bool {
        false
    }

    /// The operation, by OpenTelemetry's names: `chat`, `embeddings`.
    fn operation(&self) -> &'static str {
        "chat"
    }

    /// The conversation that the request belongs to, if it names one: for spans.
    fn conversation(&self) -> Option<Cow<'_, str>> {
        None
    }

    /// The requested length of the answer in tokens; `None` if the request does not say.
    fn max_tokens(&self) -> Option<u64> {
        None
    }

    /// Sets a parameter of the request to this JSON value, or leaves it out: what a candidate's own
    /// [parameters](Candidate::with_parameter) say. Returns whether the request says so now.
    fn set_parameter(&mut self, _name: &str, _json: Option<&str>) -> bool {
        false
    }

    /// How long the model may reason in silence before its first token, as far as the request asks it to: an attempt gets this time
    /// at least. `None` if it asks for no reasoning.
    fn reasoning_time(&self) -> Option<Duration> {
        None
    }

    /// How much reasoning is requested, in the request's own word, such as `low`: for spans.
    fn reasoning_level(&self) -> Option<Cow<'_, str>> {
        None
    }

    /// Lets the upstream itself try these models, in order, when the first fails. Returns whether the request says so now.
    fn set_alternatives(&mut self, _models: &[&str]) -> bool {
        false
    }

    /// The models which the upstream may try by itself: see [`set_alternatives`](Self::set_alternatives).
    fn alternatives(&self) -> Vec<String> {
        Vec::new()
    }

    /// A tool or plugin of the request that the upstream bills on top, at a cost without a bound, by its name. Under a budget such a request is
    /// refused, unless [`CostLayer::allow_unreserved_tools`](crate::cost::CostLayer::allow_unreserved_tools) lets it through.
    fn unbounded_tool(&self) -> Option<String> {
        None
    }

    /// What the request pins beside its model: providers, an endpoint. What is known of a candidate's health is kept for each of them apart,
    /// so return [`Route::FREE`] unless the request narrows down which providers may serve it.
    fn pinned_route(&self) -> Route {
        Route::FREE
    }

    /// Asks the model to continue its message, which the request ends with, and to begin with these last characters of it. Returns whether
    /// the request says so now. A candidate that continues by [instruction](ContinueBy::Instruction) is not called for a continuation without it.
    fn add_continue_instruction(&mut self, _last: &str) -> bool {
        false
    }

    /// This request as one whose answer can be shortened, for a retry that the balance can carry. A type that implements [`Budgeted`]
    /// returns `Some(self)`; without it such a retry is not made.
    fn budgeted(&mut self) -> Option<&mut dyn Budgeted> {
        None
    }
}

/// The candidate that a request is for: its turn's, or without a chain the model that it names.
pub(crate) fn candidate_of<R: LlmRequest>(request: &R) -> Option<Candidate> {
    with_candidate(request, |candidate| Some(candidate.clone()))
}

/// The same, without a clone.
pub(crate) fn with_candidate<R: LlmRequest, T>(request: &R, look: impl FnOnce(&Candidate) -> Option<T>) -> Option<T> {
    match request.call().candidate() {
        Some(candidate) => look(candidate),
        None => look(&requested::<R>("upstream", request.model()?).ok()?),
    }
}

/// The shortest answer, in tokens, that a request is shortened to when money is short, by default: less is seldom of use.
pub const DEFAULT_MIN_OUTPUT_TOKENS: u64 = 256;

/// What the health of a request's candidate is kept apart by: what the request pins, and its account.
pub(crate) fn route_of<R: LlmRequest>(request: &R) -> Route {
    request.pinned_route().and(request.call().account())
}

/// A request whose answer can be shortened: what [`CostLayer`](crate::cost::CostLayer) needs.
pub trait Budgeted {
    /// Requests an answer of at most so many tokens. Returns whether the request says so now: if not, the cost layer refuses the attempt.
    #[must_use]
    fn set_max_tokens(&mut self, tokens: u64) -> bool;

    /// Has the upstream stop its [loop of tools](crate::ToolLoop) once it has cost more than this. Returns whether the request says so now.
    #[must_use]
    fn set_max_tool_cost(&mut self, _most: crate::UsdAmount) -> bool {
        false
    }
}

/// A request that can say which providers behind a router may serve it: what [`ProviderHealthLayer`](crate::provider_health::ProviderHealthLayer)
/// needs.
pub trait ProviderRouting {
    /// Whether its caller, or its candidate's own parameters, have said so already. Such a request is left as it is.
    fn has_provider_preferences(&self) -> bool;

    /// Has the router leave these providers out, and try these first, by their slugs. Returns whether the request says so now.
    #[must_use]
    fn set_providers(&mut self, ignore: &[Box<str>], order: &[Box<str>]) -> bool;
}

/// A request whose interrupted answer another one can continue: what [`ResumeLayer`](crate::resume::ResumeLayer) needs.
pub trait Continuable: Sized {
    /// The request that has the model continue after this text, as the beginning of its own message; with no text, the same again. `None`
    /// if this answer cannot be continued, e.g. structured output.
    #[must_use]
    fn continue_after(&self, shown: &str) -> Option<Self>;

    /// How this candidate continues an interrupted answer. By default the request begins its message with what was shown; one that does not
    /// take that continues by instruction, and is not tried otherwise for an hour.
    #[must_use]
    fn continue_by(candidate: &Candidate) -> ContinueBy {
        let _ = candidate;
        ContinueBy::Prefill
    }
}
