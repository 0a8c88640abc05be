use std::{
    fmt,
    future::Future,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    task::{Context, Poll},
    time::{Duration, SystemTime},
};

use bytes::{Bytes, BytesMut};
use http::{HeaderMap, HeaderValue, Method, Request, Response, header};
use http_body_util::BodyExt;
use reqwest::Url;
use tokio::time::timeout;
use tower_llm_layers::{Candidate, Unbilled, deadline::DEADLINE_HEADER};
use tower_service::Service;

use super::{
    Dialect, SentKey, TransportBuilder, TransportError, TransportProblem, Upstream, classify,
    limit_status::limit_status,
};
use crate::{
    ChatBody, Error, FailureKind,
    body::{ReadLimits, Reader},
    wire::{Segments, WireRequest},
};

/// The largest error body that is read; real ones are a few kilobytes.
const LARGEST_ERROR: usize = 256 * 1024;
/// How long it may take: the head has said already that there is no answer.
const LONGEST_ERROR: Duration = Duration::from_secs(2);

/// What a [`Transport`] returns.
pub type TransportFuture = Pin<Box<dyn Future<Output = Result<Response<ChatBody>, Error>> + Send>>;

/// The leaf of every stack: one HTTP exchange with an upstream. Cheap to clone; clones share connections.
///
/// Resolves when the response's headers are there: `Ok` for a success, a classified [`Error`] for everything else. Goes to the
/// upstream of the call's candidate, or to the first one. Takes any [`WireRequest`]: chat, embeddings, your own.
///
/// # Errors
///
/// [`Connect`](FailureKind::Connect), [`Reset`](FailureKind::Reset), or what the status, the envelope and the headers say.
///
/// # Cancellation
///
/// Dropping the future, or later the body, closes the connection, or resets the stream over HTTP/2.
#[derive(Clone)]
pub struct Transport(Arc<TransportState>);

pub(super) struct TransportState {
    clients: Vec<reqwest::Client>,
    next: AtomicUsize,
    upstreams: Vec<(Upstream, Url)>,
    attribution: HeaderMap,
    limits: ReadLimits,
}

impl TransportState {
    /// Over these clients, to these upstreams, each with its URL of chat completions.
    pub(super) const fn new(
        clients: Vec<reqwest::Client>,
        upstreams: Vec<(Upstream, Url)>,
        attribution: HeaderMap,
        limits: ReadLimits,
    ) -> Self {
        Self {
            clients,
            next: AtomicUsize::new(0),
            upstreams,
            attribution,
            limits,
        }
    }

    fn client(&self) -> Option<&reqwest::Client> {
        let turn = if self.clients.len() > 1 {
            self.next.fetch_add(1, Ordering::Relaxed)
        } else {
            0
        };
        self.clients.get(turn.checked_rem(self.clients.len())?)
    }
}

/// The path of chat completions, whose URL is kept ready.
pub(crate) const CHAT: &str = "chat/completions";

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
    /// Where the HTTP client cannot be made.
    pub fn openrouter() -> Result<Self, TransportError> {
        Self::builder().upstream(Upstream::openrouter()?).build()
    }

    pub(super) fn from_shared(shared: TransportState) -> Self {
        Self(Arc::new(shared))
    }

    /// The upstreams it knows, in order.
    pub fn upstreams(&self) -> impl Iterator<Item = &Upstream> {
        self.0.upstreams.iter().map(|(upstream, _)| upstream)
    }

    pub(crate) fn get(&self, upstream: &Upstream, path: &str) -> Result<reqwest::RequestBuilder, Error> {
        let url = upstream.url(path).map_err(internal)?;
        let client = self.0.client().ok_or_else(no_client)?;
        Ok(client.get(url).headers(self.headers_for(upstream)))
    }

    fn headers_for(&self, upstream: &Upstream) -> HeaderMap {
        match upstream.dialect() {
            Dialect::OpenRouter => self.0.attribution.clone(),
            Dialect::OpenAi => HeaderMap::new(),
        }
    }

    fn prepare<R: WireRequest>(&self, request: &Request<R>) -> Result<Prepared, Error> {
        let body = request.body();
        let asked = body.call().candidate().map(Candidate::upstream);
        let known = match asked {
            Some(name) => self.0.upstreams.iter().find(|(upstream, _)| upstream.name() == name),
            None => self.0.upstreams.first(),
        };
        let (upstream, chat) = known.ok_or_else(|| {
            let name = asked.unwrap_or_default();
            Error::new(
                FailureKind::Connect,
                format!("no upstream is named `{name}`: add it to the transport"),
            )
        })?;
        let url = if body.path() == CHAT {
            chat.clone()
        } else {
            upstream.url(body.path()).map_err(internal)?
        };
        let mut outgoing = reqwest::Request::new(Method::POST, url);
        *outgoing.headers_mut() = merge(request.headers(), self.headers_for(upstream));
        *outgoing.body_mut() = Some(body.segments(upstream.dialect()).into_body());
        let client = self.0.client().ok_or_else(no_client)?.clone();
        Ok(Prepared { client, outgoing })
    }
}

struct Prepared {
    client: reqwest::Client,
    outgoing: reqwest::Request,
}

/// The caller's headers, without those of the connection it came on, and what the upstream wants.
fn merge(from_caller: &HeaderMap, extra: HeaderMap) -> HeaderMap {
    const OF_THE_CONNECTION: [header::HeaderName; 10] = [
        header::HOST,
        header::CONNECTION,
        header::CONTENT_LENGTH,
        header::TRANSFER_ENCODING,
        header::TE,
        header::TRAILER,
        header::UPGRADE,
        header::EXPECT,
        header::PROXY_AUTHORIZATION,
        header::HeaderName::from_static("keep-alive"),
    ];
    let mut headers = from_caller.clone();
    for name in OF_THE_CONNECTION {
        headers.remove(name);
    }
    // What came compressed would not be read here; and the time left is ours to keep, not the upstream's.
    headers.remove(header::ACCEPT_ENCODING);
    headers.remove(DEADLINE_HEADER);
    for (name, value) in extra {
        if let Some(name) = name {
            headers.entry(name).or_insert(value);
        }
    }
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    headers
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
            .field("upstreams", &self.0.upstreams)
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
        let prepared = self.prepare(&request);
        let body = request.body();
        let reader = Reader::new(body.completeness(), body.is_streaming(), self.0.limits);
        Box::pin(async move {
            let Prepared { client, outgoing } = prepared?;
            let key = SentKey::of(outgoing.headers());
            let response = client.execute(outgoing).await.map_err(not_sent)?;
            let (mut parts, body) = Response::<reqwest::Body>::from(response).into_parts();
            key.hide_in(&mut parts.headers);
            if !parts.status.is_success() {
                let body = read_error(body).await;
                let id = generation_id(&parts.headers);
                let error = classify::from_response(parts.status, &parts.headers, &body);
                return Err(error.of_generation(id).without(&key));
            }
            if is_cache_hit(&parts.headers) {
                parts.extensions.insert(Unbilled);
            }
            if let Some(status) = limit_status(&parts.headers, SystemTime::now()) {
                parts.extensions.insert(status);
            }
            let body = ChatBody::of_response(body, &parts, reader, key);
            Ok(Response::from_parts(parts, body))
        })
    }
}

pub(crate) fn generation_id(headers: &HeaderMap) -> Option<&str> {
    headers.get("x-generation-id").and_then(|id| id.to_str().ok())
}

/// Whether the router answered from its own cache of responses: it charges nothing for that, and need not report a cost.
fn is_cache_hit(headers: &HeaderMap) -> bool {
    let status = headers.get("x-openrouter-cache-status");
    status.is_some_and(|status| status.as_bytes().eq_ignore_ascii_case(b"hit"))
}

/// As much of an error's body as is worth reading and waiting for; a broken one is no reason to lose the status.
pub(crate) async fn read_error(mut body: reqwest::Body) -> Bytes {
    let mut whole = BytesMut::new();
    let reading = async {
        while let Some(Ok(frame)) = body.frame().await {
            let Ok(data) = frame.into_data() else { continue };
            whole.extend_from_slice(data.get(..LARGEST_ERROR - whole.len()).unwrap_or(&data));
            if whole.len() >= LARGEST_ERROR {
                break;
            }
        }
    };
    if timeout(LONGEST_ERROR, reading).await.is_err() {
        tracing::debug!("error body not read to its end");
    }
    whole.freeze()
}

/// No response came.
pub(crate) fn not_sent(error: reqwest::Error) -> Error {
    let (kind, what) = if error.is_connect() {
        (FailureKind::Connect, "no connection to the upstream")
    } else {
        (FailureKind::Reset, "the connection broke before an answer came")
    };
    let error = error.without_url();
    // The innermost cause is what tells a closed port from a name that does not resolve.
    let mut cause: &dyn std::error::Error = &error;
    while let Some(deeper) = cause.source() {
        cause = deeper;
    }
    let message = format!("{what}: {cause}");
    Error::caused(kind, message, error)
}

impl Segments {
    fn into_body(self) -> reqwest::Body {
        match <[Bytes; 1]>::try_from(self.0) {
            Ok([whole]) => whole.into(),
            Err(parts) => reqwest::Body::wrap(crate::wire::SegmentBody::new(parts)),
        }
    }
}
