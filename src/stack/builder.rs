//! The slots of a stack, and what is built of them.

use std::{sync::Arc, time::Duration};

use bytes::Buf;
use http::{Request, Response};
use http_body::Body;
use tower_llm_layers::{
    Candidate, Failure, Frame, LayerError, LlmRequest,
    attempt::DEFAULT_CAP,
    auth::{KeySource, Keys},
    circuit_breaker::{CircuitPolicy, Circuits},
    fallback::{Capabilities, RequestedModel},
    observe::ObserveLayer,
    pause::Pauses,
    retry::{Exponential, RetryPolicy},
    timeout::Timeouts,
};
use tower_service::Service;

use super::{
    BuildError, BuildProblem, CallTags, IntoCandidate, Stack, TenantKey, assemble::Parts, finish::FailingFinish,
    limits::SharedLimits, money::Money, settings::Settings, slots::Slots, wired::Wired,
};
use crate::{
    ApiRequest, ChatFrame, Error, WireRequest,
    stream_upstream::StreamUpstreamLayer,
    transport::{Attribution, OPENROUTER, Transport, TransportBuilder, TransportError, TransportProblem, Upstream},
};

/// Puts a [`Stack`] together: a slot for each layer, in whatever order they are named.
///
/// `R`, `F` and `E` are the request, the frame and the error of the service that it is [built over](Self::build_over). A setter that needs
/// more of them than every stack does says so in its bounds: [`budget`](Self::budget) needs [`Budgeted`](tower_llm_layers::Budgeted),
/// [`resume`](Self::resume) needs [`Continuable`](tower_llm_layers::Continuable), [`cache`](Self::cache) needs
/// [`CacheKey`](tower_llm_layers::CacheKey), as does [`idempotency`](Self::idempotency), and [`provider_health`](Self::provider_health) needs
/// [`ProviderRouting`](tower_llm_layers::ProviderRouting).
pub struct StackBuilder<R = ApiRequest, F = ChatFrame, E = Error> {
    pub(super) settings: Settings,
    pub(super) slots: Slots<R, F, E>,
    pub(super) transport: TransportBuilder,
    /// The problems of the settings so far, returned by `build`.
    pub(super) wrong: Vec<BuildProblem>,
}

impl StackBuilder {
    /// With the defaults of a stack over the API.
    pub(super) fn for_api() -> Self {
        Self::new().stream_upstream(StreamUpstreamLayer::on_request())
    }
}

impl<R, F, E> Default for StackBuilder<R, F, E> {
    fn default() -> Self {
        Self::new()
    }
}

impl<R, F, E> StackBuilder<R, F, E> {
    /// Starts a stack over a service of your own, whose types [`build_over`](Self::build_over) infers. For the APIs of OpenAI and Anthropic start with
    /// [`Stack::builder`] or [`Stack::openrouter`].
    #[must_use]
    pub fn new() -> Self {
        let policy = RetryPolicy::default();
        let settings = Settings {
            keys: Keys::new(),
            chain: None,
            requested_model: RequestedModel::First,
            fallback_on_refusal: false,
            fallback_for_embeddings: false,
            server_side: false,
            router_metadata: false,
            capabilities: None,
            tenant_limits: None,
            tenant: TenantKey::global(),
            tenant_store: None,
            upstream_store: None,
            upstream_limits: None,
            deadline: Some(Duration::from_secs(180)),
            sets_deadline: false,
            timeouts: Timeouts::default(),
            sets_first_token: false,
            attempts: DEFAULT_CAP,
            attempts_per_candidate: policy.max_attempts,
            max_retry_delay: policy.max_retry_delay,
            max_retry_delay_with_fallback: policy.max_retry_delay_with_fallback,
            retry_timeouts: policy.retry_timeouts,
            backoff: Arc::new(Exponential::default()),
            budget: policy.budget,
            money: Money::default(),
            tags: CallTags::none(),
            required_tag: None,
            observe: ObserveLayer::new(),
            events: None,
            cheaper: Vec::new(),
            circuits: Circuits::new(CircuitPolicy::new()).ok(),
            shared_limits: SharedLimits::default(),
            pauses: Pauses::new(),
            concurrency: None,
            hedge: None,
            failing: FailingFinish::default(),
            limited_apis: Vec::new(),
        };
        Self {
            settings,
            slots: Slots::new(),
            transport: Transport::builder(),
            wrong: Vec::new(),
        }
    }

    /// Adds an upstream with its key. A request's own model is called at the first one.
    ///
    /// An [`Upstream`], the base URL of an OpenRouter (`"https://openrouter.ai/api/v1"`), or the name and base URL of a provider that
    /// speaks OpenAI's chat completions (`("openai", "https://api.openai.com/v1")`). What is wrong with it, [`build`](Self::build) reports.
    #[must_use]
    pub fn upstream<U>(mut self, upstream: U, key: impl Into<KeySource>) -> Self
    where
        U: TryInto<Upstream, Error: Into<TransportError>>,
    {
        match upstream.try_into() {
            Ok(upstream) => {
                self.settings.keys = self.settings.keys.upstream(upstream.name(), key);
                self.transport = self.transport.upstream(upstream);
            }
            Err(error) => self.wrong.extend(in_transport(error.into())),
        }
        self
    }

    /// Sets the keys of an inner service of your own: see [`build_over`](Self::build_over). By default it is called without a key.
    #[must_use]
    pub fn keys(mut self, keys: impl Into<Keys>) -> Self {
        self.settings.keys = keys.into();
        self
    }

    /// The models that may answer, in order: names of models at OpenRouter, or [`Candidate`]s. A request's own model goes before them.
    /// Replaces a chain that was set before; [`candidate`](Self::candidate) appends to it.
    ///
    /// Without a chain each request must name its model. A candidate that is there twice is refused.
    #[must_use]
    pub fn chain<C: IntoCandidate>(mut self, candidates: impl IntoIterator<Item = C>) -> Self {
        self.settings.chain = Some(self.candidates("chain", candidates));
        self
    }

    /// Appends one candidate to the [`chain`](Self::chain): the name of a model at OpenRouter, or a [`Candidate`].
    ///
    /// ```
    /// use tower_openrouter::{ApiKey, Candidate, Stack};
    ///
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let stack = Stack::openrouter(ApiKey::new("sk-or-v1-0")?)
    ///     .upstream(("openai", "https://api.openai.com/v1"), ApiKey::new("sk-0")?)
    ///     .candidate("openai/gpt-5")
    ///     .candidate(Candidate::new("openai", "gpt-5")?)
    ///     .build()?;
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn candidate(mut self, candidate: impl IntoCandidate) -> Self {
        let place = self.settings.chain.as_ref().map_or(0, Vec::len) + 1;
        let chain = self.settings.chain.get_or_insert_default();
        match candidate.into_candidate() {
            Ok(candidate) => chain.push(candidate),
            Err(error) => self.wrong.push(BuildProblem::Candidate {
                field: "chain",
                place,
                error,
            }),
        }
        self
    }

    /// Cheaper models, tried when all of the chain has failed: put after it, and their answers are marked as
    /// [`Degraded`](tower_llm_layers::Degraded). Needs a [`chain`](Self::chain) before them.
    #[must_use]
    pub fn cheaper<C: IntoCandidate>(mut self, candidates: impl IntoIterator<Item = C>) -> Self {
        self.settings.cheaper = self.candidates("cheaper", candidates);
        self
    }

    /// What to do with the model that a request names itself: it goes first by default.
    #[must_use]
    pub fn requested_model(mut self, asked: RequestedModel) -> Self {
        self.settings.requested_model = asked;
        self
    }

    /// Whether another candidate may answer what one has refused on moderation or policy. Off by default.
    #[must_use]
    pub const fn fallback_on_refusal(mut self, moves: bool) -> Self {
        self.settings.fallback_on_refusal = moves;
        self
    }

    /// Whether another model may answer a request for embeddings. Off by default, since its vectors are silently wrong beside those of the
    /// first: only the same model at another upstream answers then, see
    /// [`Chain::fallback_for_embeddings`](tower_llm_layers::fallback::Chain::fallback_for_embeddings). If it is on, the response's
    /// `model` names the one that answered.
    #[must_use]
    pub const fn fallback_for_embeddings(mut self, moves: bool) -> Self {
        self.settings.fallback_for_embeddings = moves;
        self
    }

    /// Whether the next candidates go along as OpenRouter's own `models` list, three in all. Off by default.
    #[must_use]
    pub const fn server_side_fallback(mut self, on: bool) -> Self {
        self.settings.server_side = on;
        self
    }

    /// Skips candidates that cannot take a request, by this catalogue. None by default.
    #[must_use]
    pub fn catalogue(mut self, catalogue: Arc<dyn Capabilities>) -> Self {
        self.settings.capabilities = Some(catalogue);
        self
    }

    /// How the app shows at OpenRouter. None by default.
    #[must_use]
    pub fn attribution(mut self, attribution: Attribution) -> Self {
        self.transport = self.transport.attribution(attribution);
        self
    }

    /// Changes the settings of the stack's own transport: timeouts, pool, proxy.
    #[must_use]
    pub fn connections(mut self, change: impl FnOnce(TransportBuilder) -> TransportBuilder) -> Self {
        self.transport = change(self.transport);
        self
    }

    pub(super) fn note(&mut self, problem: impl Into<BuildProblem>) {
        self.wrong.push(problem.into());
    }

    /// Those that can be called; each of the others is a problem.
    fn candidates<C: IntoCandidate>(
        &mut self,
        field: &'static str,
        entries: impl IntoIterator<Item = C>,
    ) -> Vec<Candidate> {
        let mut candidates = Vec::new();
        for (index, entry) in entries.into_iter().enumerate() {
            match entry.into_candidate() {
                Ok(candidate) => candidates.push(candidate),
                Err(error) => {
                    let place = index + 1;
                    self.wrong.push(BuildProblem::Candidate { field, place, error });
                }
            }
        }
        candidates
    }

    /// The upstreams that were given and could not be made.
    fn lost_upstreams(&self) -> impl Iterator<Item = Option<&str>> {
        self.wrong.iter().filter_map(|problem| match problem {
            BuildProblem::Transport(TransportProblem::BaseUrl { upstream, .. }) => Some(Some(upstream.as_str())),
            BuildProblem::Transport(_) => Some(None),
            _ => None,
        })
    }

    /// The candidates whose upstream was not given. Without any upstream that is the problem, and not each candidate.
    fn unknown_upstreams(&self) -> Vec<BuildProblem> {
        let known: Vec<_> = self.transport.names().map(str::to_owned).collect();
        let given: Vec<_> = known
            .iter()
            .map(String::as_str)
            .chain(self.lost_upstreams().flatten())
            .collect();
        if given.is_empty() {
            return Vec::new();
        }
        let named = self.settings.chain.iter().flatten().chain(&self.settings.cheaper);
        let unknown = named.filter(|candidate| !given.contains(&candidate.upstream()));
        unknown
            .map(|candidate| BuildProblem::UnknownUpstream {
                candidate: candidate.clone(),
                known: known.clone(),
            })
            .collect()
    }
}

impl<R> StackBuilder<R>
where
    R: WireRequest + Send + 'static,
{
    /// Builds it over the transport.
    ///
    /// # Errors
    ///
    /// [`BuildError`] names every setting that is wrong, what is wrong with it, and the fix.
    pub fn build(self) -> Result<Stack<R>, BuildError> {
        self.build_wired(None).map(|(stack, _)| stack)
    }

    /// What the transport's upstreams mean for the chain: which APIs they speak, which one is first, and which candidates have none.
    pub(super) fn settle_upstreams(&mut self) -> (String, Vec<BuildProblem>) {
        let limited = self.transport.upstreams().iter();
        self.settings.limited_apis = limited
            .filter_map(|upstream| Some((upstream.name().into(), upstream.limited_apis()?)))
            .collect();
        let first = self.transport.names().next().unwrap_or(OPENROUTER).to_owned();
        (first, self.unknown_upstreams())
    }

    /// The same with the connections of another stack, if its transport is made of the same; and the transport.
    pub(crate) fn build_wired(mut self, before: Option<&Wired>) -> Result<(Stack<R>, Wired), BuildError> {
        let (first, unknown) = self.settle_upstreams();
        let lost_upstream = self.lost_upstreams().next().is_some();
        let wired = Wired::new(self.transport, before).map_err(|error| {
            let problems = in_transport(error);
            // One was given, and is a problem already.
            let follows = |problem: &BuildProblem| {
                lost_upstream && *problem == BuildProblem::Transport(TransportProblem::NoUpstream)
            };
            self.wrong.extend(problems.filter(|problem| !follows(problem)));
        });
        self.wrong.extend(unknown);
        let parts = Parts::of(&self.settings, &first, &mut self.wrong);
        match wired {
            Ok(wired) if self.wrong.is_empty() => {
                let stack = parts.assemble(self.settings, &self.slots, wired.transport.clone());
                Ok((stack, wired))
            }
            _ => Err(BuildError::of(self.wrong)),
        }
    }
}

impl<R, F, E> StackBuilder<R, F, E>
where
    R: LlmRequest + Send + 'static,
    F: Frame + Buf + Send + 'static,
    E: Failure + From<LayerError> + Send + 'static,
{
    /// Builds it over a service of your own, which then takes the transport's place. The service's types decide what the stack takes and
    /// gives.
    ///
    /// A service of other types than the builder's is an error here, and nowhere else:
    ///
    /// ```compile_fail
    /// use tower_openrouter::{ApiKey, Stack};
    ///
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let other = tower::service_fn(|_: http::Request<String>| async { Ok::<_, std::io::Error>(http::Response::new(())) });
    /// let stack = Stack::openrouter(ApiKey::new("sk-or-v1-0")?).build_over(other)?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// [`BuildError`] names every setting that is wrong, what is wrong with it, and the fix.
    pub fn build_over<S, B>(mut self, inner: S) -> Result<Stack<R, F, E>, BuildError>
    where
        S: Service<Request<R>, Response = Response<B>, Error = E, Future: Send + 'static>
            + Clone
            + Send
            + Sync
            + 'static,
        B: Body<Data = F, Error = E> + Send + Unpin + 'static,
    {
        let parts = Parts::of(&self.settings, OPENROUTER, &mut self.wrong);
        if self.wrong.is_empty() {
            return Ok(parts.assemble(self.settings, &self.slots, inner));
        }
        Err(BuildError::of(self.wrong))
    }
}

fn in_transport(error: TransportError) -> impl Iterator<Item = BuildProblem> {
    error.into_problems().into_iter().map(BuildProblem::Transport)
}

impl<R, F, E> Clone for StackBuilder<R, F, E> {
    fn clone(&self) -> Self {
        Self {
            settings: self.settings.clone(),
            slots: self.slots.clone(),
            transport: self.transport.clone(),
            wrong: self.wrong.clone(),
        }
    }
}
