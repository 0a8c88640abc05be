//! Headers: which of a client go upstream, and which of an answer go to the client.

use std::time::Duration;

use http::{Extensions, HeaderMap, HeaderName, HeaderValue, header, response::Parts};
use tower_llm_layers::{AttemptLog, Candidate, Degraded, OutputLimit, Replayed, deadline::DEADLINE_HEADER};

use super::{limits, problem::Problem};
use crate::{Api, classify::SHOULD_RETRY};

/// How many attempts the answer took.
pub const ATTEMPTS_HEADER: HeaderName = HeaderName::from_static("x-llm-attempts");
/// The model of the candidate that answered this call: absent if none did, or if the answer was cached or canned.
pub const MODEL_HEADER: HeaderName = HeaderName::from_static("x-llm-model");
/// The provider behind the upstream that answered this call, if the upstream is a router and names it: absent like the model's header.
pub const PROVIDER_HEADER: HeaderName = HeaderName::from_static("x-llm-provider");

/// The source and the reason of a degraded answer.
pub const DEGRADED_HEADER: HeaderName = HeaderName::from_static("x-llm-degraded");

/// The `max_tokens` of a request that named none, if a budget made the stack set them: `max_tokens=8192; default`.
pub const OUTPUT_LIMIT_HEADER: HeaderName = HeaderName::from_static("x-llm-output-limit");

/// What the cache did: `hit; age=12`, `shared` if it was coalesced, `replayed; age=12` by its idempotency key, `miss`. Absent without a cache.
pub const CACHE_HEADER: HeaderName = HeaderName::from_static("x-llm-cache");

/// `true` if another call with the same idempotency key pays for this answer.
pub const REPLAYED_HEADER: HeaderName = HeaderName::from_static("idempotent-replayed");

/// The type of an event stream.
pub(super) const EVENTS: &str = "text/event-stream";

/// nginx and the proxies that are built on it hold a response back in buffers, unless this header says `no`.
const BUFFERING: HeaderName = HeaderName::from_static("x-accel-buffering");

/// What a client may pass on: its deadline, whether its answer may be kept, its session, its trace, OpenRouter's own switches. Never a
/// key or a cookie.
static FROM_CLIENT: [HeaderName; 9] = [
    DEADLINE_HEADER,
    header::CACHE_CONTROL,
    HeaderName::from_static("x-session-id"),
    HeaderName::from_static("traceparent"),
    HeaderName::from_static("tracestate"),
    HeaderName::from_static("x-request-id"),
    HeaderName::from_static("x-openrouter-metadata"),
    HeaderName::from_static("x-openrouter-cache"),
    HeaderName::from_static("x-openrouter-cache-ttl"),
];

/// The version of Anthropic's API: a direct upstream decides by it what a request may hold, so it goes along unchanged.
const VERSION: &str = "anthropic-version";

/// Which betas a client of Anthropic's API uses. Under the first name a direct upstream reads them, under either OpenRouter.
const BETAS: [&str; 2] = ["anthropic-beta", "x-anthropic-beta"];

/// The id of an answer as Anthropic's SDKs look for it.
const REQUEST_ID: HeaderName = HeaderName::from_static("request-id");

/// What an OpenAI or Anthropic SDK says of its call: the seconds that it waits, and how often it has sent it before. The SDKs in Python say how
/// long they wait for the next bytes, under the second name.
static CLIENT_TIMEOUTS: [HeaderName; 2] = [
    HeaderName::from_static("x-stainless-timeout"),
    HeaderName::from_static("x-stainless-read-timeout"),
];
static CLIENT_RETRIES: HeaderName = HeaderName::from_static("x-stainless-retry-count");

/// Never passed on, whatever an endpoint is set to: they are the client's secrets, and the upstream has keys of its own.
static SECRET: [HeaderName; 5] = [
    header::AUTHORIZATION,
    header::PROXY_AUTHORIZATION,
    header::COOKIE,
    HeaderName::from_static("x-api-key"),
    HeaderName::from_static("api-key"),
];

/// What a client may see of the upstream's answer.
static FROM_UPSTREAM: [HeaderName; 5] = [
    HeaderName::from_static("x-generation-id"),
    HeaderName::from_static("x-openrouter-cache-status"),
    HeaderName::from_static("x-openrouter-cache-age"),
    HeaderName::from_static("x-openrouter-cache-ttl"),
    HeaderName::from_static("x-openrouter-cache-source-id"),
];

/// The headers of a response that its client reads, beside its type: what CORS must expose to a page in a browser. Some of them stand only on
/// some responses.
pub fn response_headers() -> impl Iterator<Item = HeaderName> {
    let own = [
        ATTEMPTS_HEADER,
        MODEL_HEADER,
        PROVIDER_HEADER,
        DEGRADED_HEADER,
        CACHE_HEADER,
        OUTPUT_LIMIT_HEADER,
        REPLAYED_HEADER,
        SHOULD_RETRY,
        REQUEST_ID,
        header::RETRY_AFTER,
    ];
    own.into_iter()
        .chain(limits::names())
        .chain(FROM_UPSTREAM.iter().cloned())
}

pub(super) fn from_client(headers: &HeaderMap, api: Api, more: &[HeaderName]) -> HeaderMap {
    let is_passed = |name: &HeaderName| {
        FROM_CLIENT.contains(name)
            || (api == Api::Messages && (name == VERSION || BETAS.contains(&name.as_str())))
            || (more.contains(name) && !SECRET.contains(name))
    };
    let mut picked = pick(headers, is_passed);
    let names: Vec<_> = picked.keys().cloned().collect();
    for name in names {
        let size: usize = picked.get_all(&name).iter().map(HeaderValue::len).sum();
        if size > longest(&name) {
            let (header, most) = (name.as_str(), longest(&name));
            // The operator counts on those that the endpoint names, the client on its betas.
            if more.contains(&name) || BETAS.contains(&header) {
                tracing::warn!(header, size, most, "header of a client not passed on: it is too long");
            } else {
                tracing::debug!(header, size, most, "header of a client not passed on: it is too long");
            }
            picked.remove(name);
        }
    }
    picked
}

/// Checks that the version of Anthropic's API is a date, if there is one. Which dates there are, the upstream knows.
pub(super) fn check_version(headers: &HeaderMap) -> Result<(), Problem> {
    let mut values = headers.get_all(VERSION).iter();
    match (values.next(), values.next()) {
        (None, _) => Ok(()),
        (Some(version), None) if is_date(version.as_bytes()) => Ok(()),
        _ => Err(Problem::bad_request(
            VERSION,
            "the header `anthropic-version` is not a version: send one date, e.g. `2023-06-01`",
        )),
    }
}

/// Whether it has the form `YYYY-MM-DD`.
fn is_date(value: &[u8]) -> bool {
    value.len() == 10
        && value.iter().enumerate().all(|(at, byte)| match at {
            4 | 7 => *byte == b'-',
            _ => byte.is_ascii_digit(),
        })
}

/// How much of a client's header is passed on, all its values together, in bytes: a server that is sent more refuses the whole request,
/// which would count against it.
fn longest(name: &HeaderName) -> usize {
    match name.as_str() {
        // The least that W3C's trace context wants to see passed on.
        "tracestate" => 512,
        // Claude Code lists a dozen betas.
        name if BETAS.contains(&name) => 4096,
        _ => 256,
    }
}

pub(super) fn to_client(
    head: &Parts,
    api: Api,
    attempts: Option<&AttemptLog>,
    content_type: &'static str,
) -> HeaderMap {
    let mut picked = pick(&head.headers, |name| FROM_UPSTREAM.contains(name));
    if api == Api::Messages {
        let id = head.headers.get(&REQUEST_ID).or_else(|| picked.get("x-generation-id"));
        if let Some(id) = id.cloned() {
            picked.insert(REQUEST_ID, id);
        }
    }
    picked.insert(header::CONTENT_TYPE, HeaderValue::from_static(content_type));
    write_attempts(&mut picked, attempts);
    let mark = head.extensions.get::<Degraded>().map(ToString::to_string);
    if let Some(mark) = mark.and_then(|mark| HeaderValue::try_from(mark).ok()) {
        picked.insert(DEGRADED_HEADER, mark);
    }
    let limit = head.extensions.get::<OutputLimit>().map(ToString::to_string);
    if let Some(limit) = limit.and_then(|limit| HeaderValue::try_from(limit).ok()) {
        picked.insert(OUTPUT_LIMIT_HEADER, limit);
    }
    if let Some(cache) = cache(&head.extensions).and_then(|cache| HeaderValue::try_from(cache).ok()) {
        picked.insert(CACHE_HEADER, cache);
    }
    if head.extensions.get::<Replayed>().is_some() {
        picked.insert(REPLAYED_HEADER, HeaderValue::from_static("true"));
    }
    picked
}

/// Sets the headers of an event stream: its type, `cache-control: no-cache`, and `x-accel-buffering: no`, without which nginx sends the events in
/// blocks of some KiB. The endpoints set them on their own streams; a server sets them on the streams that it adds.
pub fn set_event_stream_headers(headers: &mut HeaderMap) {
    for (name, value) in [
        (header::CONTENT_TYPE, EVENTS),
        (header::CACHE_CONTROL, "no-cache"),
        (BUFFERING, "no"),
    ] {
        headers.insert(name, HeaderValue::from_static(value));
    }
}

#[cfg(feature = "cache")]
fn cache(extensions: &Extensions) -> Option<String> {
    use tower_llm_layers::{Coalesced, cache::CacheStatus};

    if let Some(replayed) = extensions.get::<Replayed>() {
        return Some(format!("replayed; age={}", replayed.age.as_secs()));
    }
    if extensions.get::<Coalesced>().is_some() {
        return Some("shared".to_owned());
    }
    extensions.get::<CacheStatus>().map(ToString::to_string)
}

#[cfg(not(feature = "cache"))]
const fn cache(_: &Extensions) -> Option<String> {
    None
}

/// How many attempts it took, and which candidates were tried.
pub(super) fn write_attempts(headers: &mut HeaderMap, attempts: Option<&AttemptLog>) {
    let Some(attempts) = attempts else { return };
    headers.insert(ATTEMPTS_HEADER, attempts.sent().into());
    let Some(answer) = attempts.answer() else { return };
    let model = answer.candidate.as_ref().map(Candidate::model);
    for (name, value) in [(MODEL_HEADER, model), (PROVIDER_HEADER, answer.provider.as_deref())] {
        if let Some(value) = value.and_then(|value| HeaderValue::from_str(value).ok()) {
            headers.insert(name, value);
        }
    }
}

/// How long the client's SDK waits for a plain answer, or for the head of a stream, as it says itself, in seconds: of two times the shorter.
pub(super) fn client_timeout(headers: &HeaderMap) -> Option<Duration> {
    let times = CLIENT_TIMEOUTS.iter().filter_map(|name| headers.get(name));
    times.filter_map(seconds).min()
}

fn seconds(value: &HeaderValue) -> Option<Duration> {
    const LONGEST: Duration = Duration::from_secs(7 * 24 * 60 * 60);
    let seconds: f64 = value.to_str().ok()?.trim().parse().ok()?;
    let time = Duration::try_from_secs_f64(seconds).ok()?;
    // No time at all is how some say "no limit".
    (!time.is_zero() && time <= LONGEST).then_some(time)
}

/// How often the client's SDK has sent the call before, as it says itself.
pub(super) fn client_retries(headers: &HeaderMap) -> Option<u32> {
    let retries = headers.get(&CLIENT_RETRIES)?.to_str().ok()?.trim().parse().ok()?;
    (retries > 0).then_some(retries)
}

/// All values of the headers that are wanted, in their order.
fn pick(headers: &HeaderMap, is_wanted: impl Fn(&HeaderName) -> bool) -> HeaderMap {
    let mut picked = HeaderMap::new();
    for (name, value) in headers {
        if is_wanted(name) {
            picked.append(name.clone(), value.clone());
        }
    }
    picked
}
