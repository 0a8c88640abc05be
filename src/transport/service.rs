//! One HTTP exchange: the request that goes out, and the response that comes.

use std::{
    fmt,
    future::Future,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
    time::SystemTime,
};

use http::{HeaderMap, HeaderName, Method, Request, Response};
use reqwest::Url;
use tower_llm_layers::{AttemptHandle, Call, Candidate, Failure as _, Outcome, Phase, Unbilled};
use tower_service::Service;

use super::{
    ExchangeWatch, TransportBuilder, TransportError, TransportProblem, Upstream,
    broken::{not_sent, read_error},
    clients::Clients,
    observer::{Exchange, Observed},
    outgoing::{headers, refused_by},
    trace::trace,
    wire::WireRequest,
};
use crate::{
    Api, ChatBody, Error, FailureKind,
    body::{ReadLimits, Reader},
};
use crate::{
    classify::{error_of_response, generation_id},
    dialect::Dialect,
    in_flight::InFlight,
    limit_status::limit_status,
    sent_key::SentKey,
};

/// What OpenRouter's cache of responses did.
static CACHE_STATUS: HeaderName = HeaderName::from_static("x-openrouter-cache-status");

/// What a [`Transport`] returns.
pub type TransportFuture = Pin<Box<dyn Future<Output = Result<Response<ChatBody>, Error>> + Send>>;

/// The inner service of every stack: one HTTP exchange with an upstream. Cheap to clone; clones share connections.
///
/// Resolves when the response's headers are there: `Ok` for a success, a classified [`Error`] for everything else. Goes to the
/// upstream of the call's candidate, or to the first one. Takes any [`WireRequest`]: chat, embeddings, your own.
///
/// # Errors
///
/// [`Connect`](FailureKind::Connect), [`Reset`](FailureKind::Reset), or what the status, the envelope and the headers say. A request that no
/// connection was wanted for, since its upstream is unknown or takes no such request, is refused here: its attempt
/// [was not sent](AttemptHandle::not_sent).
///
/// # Cancellation
///
/// Dropping the future, or later the body, closes the connection, or resets the stream over HTTP/2. If the future is dropped while it waits for
/// a connection, [nothing was sent](AttemptHandle::connecting), and nothing will be.
#[derive(Clone)]
pub struct Transport(Arc<TransportState>);

pub(super) struct TransportState {
    destinations: Vec<Destination>,
    attribution: HeaderMap,
    limits: ReadLimits,
    /// How errors name the proxy.
    proxy: Option<String>,
    observed: Observed,
}

/// One upstream, and how to get there.
pub(super) struct Destination {
    pub(super) upstream: Upstream,
    pub(super) urls: Urls,
    pub(super) clients: Clients,
}

/// The URLs of an upstream's APIs, kept ready.
pub(super) struct Urls([Url; Api::ALL.len()]);

impl Urls {
    pub(super) fn of(upstream: &Upstream) -> Result<Self, TransportProblem> {
        let [chat, responses, messages, embeddings] = Api::ALL.map(|api| upstream.url(api.path()));
        Ok(Self([chat?, responses?, messages?, embeddings?]))
    }

    fn get(&self, api: Api) -> Option<&Url> {
        let [chat, responses, messages, embeddings] = &self.0;
        match api {
            Api::Chat => Some(chat),
            Api::Responses => Some(responses),
            Api::Messages => Some(messages),
            Api::Embeddings => Some(embeddings),
            _ => None,
        }
    }
}

impl TransportState {
    pub(super) const fn new(
        destinations: Vec<Destination>,
        attribution: HeaderMap,
        limits: ReadLimits,
        proxy: Option<String>,
        observed: Observed,
    ) -> Self {
        Self {
            destinations,
            attribution,
            limits,
            proxy,
            observed,
        }
    }

    /// The destination of this name, or the first one.
    fn destination(&self, name: Option<&str>) -> Option<&Destination> {
        match name {
            Some(name) => self.destinations.iter().find(|known| known.upstream.name() == name),
            None => self.destinations.first(),
        }
    }
}

impl Transport {
    /// Starts with no upstream.
    #[must_use]
    pub fn builder() -> TransportBuilder {
        TransportBuilder::default()
    }

    /// To OpenRouter, with the default settings.
    ///
    /// # Errors
    ///
    /// If the HTTP client cannot be made.
    pub fn openrouter() -> Result<Self, TransportError> {
        Self::builder().upstream(Upstream::openrouter()?).build()
    }

    pub(super) fn from_shared(shared: TransportState) -> Self {
        Self(Arc::new(shared))
    }

    /// The configured upstreams, in order.
    pub fn upstreams(&self) -> impl Iterator<Item = &Upstream> {
        self.0.destinations.iter().map(|known| &known.upstream)
    }

    pub(crate) fn get(&self, upstream: &Upstream, path: &str) -> Result<reqwest::RequestBuilder, Error> {
        let url = upstream.url(path).map_err(internal)?;
        // An upstream that is looked up need not be one that is called.
        let known = self
            .0
            .destination(Some(upstream.name()))
            .or_else(|| self.0.destination(None));
        let (client, _) = known.and_then(|known| known.clients.take()).ok_or_else(no_client)?;
        Ok(client
            .get(url)
            .headers(self.headers_for(upstream).cloned().unwrap_or_default()))
    }

    /// Whether the call goes to a provider itself, and not to a router.
    fn is_direct(&self, call: &Call) -> bool {
        let known = self.0.destination(call.candidate().map(Candidate::upstream));
        known.is_some_and(|known| known.upstream.dialect() != Dialect::OpenRouter)
    }

    fn headers_for(&self, upstream: &Upstream) -> Option<&HeaderMap> {
        match upstream.dialect() {
            Dialect::OpenRouter => Some(&self.0.attribution),
            Dialect::OpenAi | Dialect::Anthropic => None,
        }
    }

    fn prepare<R: WireRequest>(&self, request: &Request<R>) -> Result<Prepared, Error> {
        let body = request.body();
        let asked = body.call().candidate().map(Candidate::upstream);
        let known = self.0.destination(asked).ok_or_else(|| {
            let name = asked.unwrap_or_default();
            Error::new(
                FailureKind::Connect,
                format!("no upstream is named `{name}`: add it to the transport"),
            )
        })?;
        let upstream = &known.upstream;
        refused_by(upstream, body)?;
        let api = body.api().filter(|api| body.path() == api.path());
        let url = match api.and_then(|api| known.urls.get(api)) {
            Some(url) => url.clone(),
            None => upstream.url(body.path()).map_err(internal)?,
        };
        let mut outgoing = reqwest::Request::new(Method::POST, url);
        *outgoing.headers_mut() = headers(request.headers(), self.headers_for(upstream), upstream.dialect());
        let pooled = (!lost_its_connection(body.call()))
            .then(|| known.clients.take())
            .flatten();
        let (client, in_flight) = match pooled {
            Some((client, in_flight)) => (client, Some(in_flight)),
            None => (known.clients.unpooled().ok_or_else(no_client)?, None),
        };
        let segments = body.segments_for(upstream);
        // The HTTP client never asks for an empty body, so that one tells nothing.
        let line = body.call().attempt().filter(|_| !segments.is_empty());
        if let Some(line) = &line {
            line.connecting();
        }
        *outgoing.body_mut() = Some(segments.into_body(line.clone()));
        Ok(Prepared {
            client,
            outgoing,
            in_flight,
            line,
            adds_usage: body.adds_usage_for(upstream),
            watch: self.0.observed.begin(|| exchange(request, upstream)),
        })
    }

    /// No response came.
    pub(crate) fn not_sent(&self, error: reqwest::Error) -> Error {
        not_sent(error, self.0.proxy.as_deref())
    }
}

/// Whether an attempt before this one lost its connection at this upstream, or heard nothing on it: the next in the pool may be as dead.
fn lost_its_connection(call: &Call) -> bool {
    if call.attempt().is_none_or(|attempt| attempt.number() < 2) {
        return false;
    }
    let asked = call.candidate().map(Candidate::upstream);
    let lines = call.attempts().map(|log| log.attempts()).unwrap_or_default();
    let here = |candidate: &Option<Candidate>| asked.is_none() || candidate.as_ref().map(Candidate::upstream) == asked;
    lines.iter().filter(|line| here(&line.candidate)).any(|line| {
        let silent = [Phase::FirstToken, Phase::Response].map(FailureKind::Timeout);
        let is_lost = |kind| kind == FailureKind::Reset || silent.contains(&kind);
        matches!(line.outcome, Outcome::Failed(kind) if is_lost(kind)) || line.status == Some(421)
    })
}

struct Prepared {
    client: reqwest::Client,
    outgoing: reqwest::Request,
    /// `None` on a connection of its own.
    in_flight: Option<InFlight>,
    /// The line of the attempt, if its body tells when it is sent.
    line: Option<AttemptHandle>,
    /// The request of a stream was given the option by which it reports its usage.
    adds_usage: bool,
    watch: Option<Box<dyn ExchangeWatch>>,
}

/// What an observer learns of a request.
fn exchange<'a, R: WireRequest>(request: &'a Request<R>, upstream: &'a Upstream) -> Exchange<'a> {
    let body = request.body();
    Exchange {
        upstream: upstream.name(),
        model: body.model(),
        api: body.api(),
        is_streaming: body.is_streaming(),
        attempt: body.call().attempt().map(|attempt| attempt.number()),
        extensions: request.extensions(),
    }
}

/// The error of a request that is refused here, before anything of it is sent.
fn refused(call: &Call, mut error: Error) -> Error {
    if let Some(line) = call.attempt() {
        line.not_sent();
    }
    error.marks_mut().set_local();
    error
}

/// The error, once its exchange's watch has seen it.
fn failed(watch: &mut Option<Box<dyn ExchangeWatch>>, error: Error) -> Error {
    if let Some(mut watch) = watch.take() {
        watch.failed(&error);
    }
    error
}

fn internal(error: TransportProblem) -> Error {
    Error::caused(FailureKind::Internal, "this endpoint has no URL", error)
}

fn no_client() -> Error {
    Error::new(FailureKind::Internal, "the transport has no client")
}

impl fmt::Debug for Transport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Transport")
            .field("upstreams", &self.upstreams().collect::<Vec<_>>())
            .finish_non_exhaustive()
    }
}

impl<R: WireRequest> Service<Request<R>> for Transport {
    type Response = Response<ChatBody>;
    type Error = Error;
    type Future = TransportFuture;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Error>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<R>) -> Self::Future {
        let body = request.body();
        let prepared = self.prepare(&request).map_err(|error| refused(body.call(), error));
        let mut reader = Reader::new(body.api(), body.is_streaming(), self.0.limits);
        reader.vectors = body.vector_form();
        reader.inputs = body.input_count();
        reader.line = body.call().attempt().filter(|_| !body.is_streaming());
        let state = Arc::clone(&self.0);
        let is_direct = self.is_direct(body.call());
        Box::pin(async move {
            let Prepared {
                client,
                mut outgoing,
                mut in_flight,
                line,
                adds_usage,
                mut watch,
            } = prepared?;
            trace(&mut outgoing);
            let key = SentKey::of(outgoing.headers());
            let response = client.execute(outgoing).await;
            // An upstream may answer before it has read the request; and one that cannot be reached is an attempt that counts.
            if let Some(line) = &line {
                line.sending();
                // The client itself refuses the URL or a header.
                if response.as_ref().is_err_and(reqwest::Error::is_builder) {
                    line.not_sent();
                }
            }
            if let Some(in_flight) = &mut in_flight {
                match &response {
                    Ok(_) => in_flight.responded(),
                    Err(_) => in_flight.failed(),
                }
            }
            let response = response.map_err(|error| {
                let error = not_sent(error, state.proxy.as_deref());
                failed(&mut watch, error)
            })?;
            let (mut parts, body) = Response::<reqwest::Body>::from(response).into_parts();
            key.hide_in(&mut parts.headers);
            if !parts.status.is_success() {
                if let Some(watch) = &mut watch {
                    watch.head(&parts);
                }
                let body = read_error(body).await;
                let id = generation_id(&parts.headers);
                let error = error_of_response(parts.status, &parts.headers, &body);
                let error = if is_direct { error.of_direct_upstream() } else { error };
                let error = error.of_generation(id).no_charge_on_failure(!is_direct).without(&key);
                return Err(failed(&mut watch, error));
            }
            if is_cache_hit(&parts.headers) {
                parts.extensions.insert(Unbilled);
            }
            if let Some(status) = limit_status(&parts.headers, SystemTime::now) {
                parts.extensions.insert(status);
            }
            if let Some(watch) = &mut watch {
                watch.head(&parts);
            }
            let body = ChatBody::of_response(body, &parts, reader, key)
                .holding(in_flight)
                .adding_usage(adds_usage)
                .no_charge_on_failure(!is_direct)
                .watched(watch);
            Ok(Response::from_parts(parts, body))
        })
    }
}

/// Whether the router answered from its own cache of responses: it charges nothing for that, and need not report a cost.
fn is_cache_hit(headers: &HeaderMap) -> bool {
    let status = headers.get(&CACHE_STATUS);
    status.is_some_and(|status| status.as_bytes().eq_ignore_ascii_case(b"hit"))
}
