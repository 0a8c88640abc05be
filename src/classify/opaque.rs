//! Failures whose body is no envelope: a page, an empty body, words, or bytes that are no text.

use std::error::Error as StdError;
use std::time::SystemTime;

use http::{HeaderMap, StatusCode, header};
use openrouter_wire::{
    error::UpstreamError,
    loose::{is_markup, summary},
};
use tower_llm_layers::{FailureKind, FailureScope};

use super::meanings::by_words;
use super::retry_after::{retry_after, should_retry};
use super::words::Words;
use super::{by_status, finish, is_limit, kind_in_headers};
use crate::encoding::UnknownEncoding;
use crate::error::{Error, Inner};

/// So much of a text is read for the wait that it names, in bytes.
const LONGEST_READ: usize = 1024;

/// An edge's HTML page, an empty body, or something else that is no envelope.
pub(super) fn without_envelope(status: StatusCode, headers: &HeaderMap, body: &[u8]) -> Error {
    let (page, text) = (is_markup(body), is_text(body));
    let said = if page || !text {
        Words::default()
    } else {
        Words::of_body(body)
    };
    let what = match (page, body.is_empty()) {
        (true, _) => "an HTML page instead of an answer, probably from the edge in front of the upstream",
        (false, true) => "an empty body",
        (false, false) if text => "a body that is not a JSON error",
        (false, false) => "a body that is not text",
    };
    let words = if text { summary(body) } else { String::new() };
    let reported = if page || !text {
        words.clone()
    } else {
        String::from_utf8_lossy(body.get(..LONGEST_READ).unwrap_or(body)).into_owned()
    };
    let message = if let Some(place) = redirect(status, headers) {
        format!("the upstream redirects to {place}, which is not followed: set that as its base URL if it is right")
    } else if words.is_empty() {
        format!("the upstream sent {what}")
    } else {
        format!("the upstream sent {what}: {words}")
    };
    failure(status, headers, said, reported, message)
}

/// A body whose encoding is not read here, or that breaks it: its bytes say nothing.
pub(super) fn undecoded(
    status: StatusCode,
    headers: &HeaderMap,
    cause: &(dyn StdError + Send + Sync + 'static),
) -> Error {
    let message = if cause.is::<UnknownEncoding>() {
        cause.to_string()
    } else {
        format!("the upstream sent a compressed body that cannot be decoded: {cause}")
    };
    failure(status, headers, Words::default(), String::new(), message)
}

/// Whether a body is written text in any character encoding: what is compressed is no UTF-8, and has control characters.
pub(super) fn is_text(body: &[u8]) -> bool {
    const ENOUGH: usize = 1024;
    let start = body.get(..ENOUGH).unwrap_or(body);
    let is_utf8 = match std::str::from_utf8(start) {
        Ok(_) => true,
        Err(error) => error.error_len().is_none(),
    };
    is_utf8
        || !start
            .iter()
            .any(|byte| byte.is_ascii_control() && !byte.is_ascii_whitespace())
}

/// The failure by the status, the words and the kind that a header names. `reported` is the text that may name a wait.
fn failure(status: StatusCode, headers: &HeaderMap, mut said: Words, reported: String, message: String) -> Error {
    if let Some(kind) = kind_in_headers(headers) {
        said.add_code(&kind);
    }
    let code = status.as_u16();
    let (kind, scope) = by_words(code, &said).unwrap_or_else(|| match code {
        // The edge in front of the router blocks us, whatever the model.
        403 => (FailureKind::NoEndpoint, FailureScope::Upstream),
        429 => (FailureKind::RateLimited, FailureScope::Upstream),
        // Too large a body for this edge; another upstream's takes more.
        413 => (FailureKind::RejectedByProvider, FailureScope::Upstream),
        // Nothing says that the request is at fault: one proxy's opinion does not hold for others.
        400 | 422 => (FailureKind::RejectedByProvider, FailureScope::Candidate),
        code => by_status(code),
    });
    let mut error = UpstreamError::default();
    error.message = reported;
    let inner = Inner {
        status: Some(status),
        message: message.into(),
        retry_after: retry_after(headers, Some(&error), is_limit(kind), SystemTime::now()),
        scope,
        ..Inner::default()
    };
    finish(kind, should_retry(headers), inner)
}

/// The address that a redirect names, without what may be secret in it.
fn redirect(status: StatusCode, headers: &HeaderMap) -> Option<String> {
    let place = headers.get(header::LOCATION).filter(|_| status.is_redirection())?;
    let place = String::from_utf8_lossy(place.as_bytes());
    let place = place.split(['?', '#']).next().unwrap_or_default();
    let (start, rest) = place.split_once("//").unwrap_or(("", place));
    // A name and a password stand before the host.
    let rest = rest.rsplit_once('@').map_or(rest, |(_, host)| host);
    let mark = if place.contains("//") { "//" } else { "" };
    Some(summary(format!("{start}{mark}{rest}").as_bytes()))
}
