//! Error answers: the envelope of each [`Refusal`], and the hints when to come again.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde_json::{Value, json};

use super::refusals::body;
use crate::fault::{Fault, Refusal};

/// What an error answer says of the request.
#[derive(Clone, Debug, Default)]
pub(crate) struct About {
    pub(crate) model: String,
    pub(crate) provider: String,
    pub(crate) context: u64,
    pub(crate) prompt_tokens: u64,
    pub(crate) limit: Option<u64>,
}

/// An error answer, ready to be sent.
#[derive(Clone, Debug)]
pub(crate) struct Refused {
    pub(crate) status: u16,
    pub(crate) headers: Vec<(&'static str, String)>,
    pub(crate) json: Value,
    pub(crate) html: Option<String>,
}

impl Refused {
    /// The plain envelope.
    pub(crate) fn plain(status: u16, message: &str) -> Self {
        let json = json!({"error": {"message": message, "code": status}});
        Self {
            status,
            headers: Vec::new(),
            json,
            html: None,
        }
    }

    /// The answer of this refusal, with the hints among `faults` in their places.
    pub(crate) fn new(refusal: Refusal, about: &About, faults: &[Fault]) -> Self {
        let status = refusal.status();
        let mut refused = Self {
            status,
            headers: headers(refusal),
            json: body(refusal, about),
            html: None,
        };
        if refusal.is_html() {
            refused.html = Some(page(status));
        }
        if faults.contains(&Fault::NoHint) {
            refused.take_hints();
        }
        for fault in faults {
            refused.hint(fault);
        }
        refused
    }

    fn take_hints(&mut self) {
        self.headers.clear();
        if let Some(error) = self.json.get_mut("error") {
            if let Some(availability) = error.get_mut("availability").and_then(Value::as_object_mut) {
                availability.remove("retry_after");
            }
            if let Some(metadata) = error.get_mut("metadata").and_then(Value::as_object_mut) {
                for name in ["retry_after_seconds", "retry_after_seconds_raw", "headers"] {
                    metadata.remove(name);
                }
            }
        }
    }

    fn hint(&mut self, fault: &Fault) {
        match fault {
            Fault::RetryAfter(value) => self.header("retry-after", value.clone()),
            Fault::Message(text) => {
                let error = self.json.get_mut("error").filter(|error| error.is_object());
                if let Some(error) = error {
                    set(error, "message", text.clone().into());
                }
            }
            Fault::RetryAfterDate(ahead) => {
                self.header("retry-after", httpdate::fmt_http_date(SystemTime::now() + *ahead));
            }
            Fault::RateLimitReset(ahead) => self.header("x-ratelimit-reset", epoch_ms(*ahead)),
            Fault::AvailabilityRetry(seconds) => {
                let availability = self.part("availability");
                if availability.is_null() {
                    *availability = json!({"code": "temporarily_unavailable", "retryable": true});
                }
                set(availability, "retry_after", (*seconds).into());
            }
            Fault::MetadataRetry(seconds) => set(self.part("metadata"), "retry_after_seconds", (*seconds).into()),
            Fault::MetadataHeader(value) => {
                let metadata = self.part("metadata");
                if metadata.get("headers").is_none() {
                    set(metadata, "headers", json!({}));
                }
                if let Some(headers) = metadata.get_mut("headers") {
                    set(headers, "Retry-After", value.clone().into());
                }
            }
            _ => {}
        }
    }

    fn header(&mut self, name: &'static str, value: String) {
        self.headers.retain(|(n, _)| *n != name);
        self.headers.push((name, value));
    }

    /// A part of the error object, null if it was absent.
    fn part(&mut self, name: &str) -> &mut Value {
        if !self.json.get("error").is_some_and(Value::is_object) {
            self.json = json!({"error": {}});
        }
        #[expect(
            clippy::indexing_slicing,
            reason = "an object, and indexing an object inserts what is absent"
        )]
        let part = &mut self.json["error"][name];
        part
    }
}

pub(crate) fn set(object: &mut Value, name: &str, value: Value) {
    if object.is_null() {
        *object = json!({});
    }
    if let Some(object) = object.as_object_mut() {
        object.insert(name.to_owned(), value);
    }
}

/// Epoch milliseconds so far ahead.
fn epoch_ms(ahead: Duration) -> String {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    (since + ahead).as_millis().to_string()
}

/// The time until the next midnight, UTC.
fn until_midnight() -> Duration {
    let since = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default()
        .as_secs();
    Duration::from_secs(86_400 - since % 86_400)
}

/// Limit, remaining and reset, as HTTP headers.
fn limits(refusal: Refusal) -> Option<(&'static str, Duration)> {
    match refusal {
        Refusal::FreeDay => Some(("50", until_midnight())),
        Refusal::FreeMinute => Some(("20", Duration::from_secs(60))),
        Refusal::SharedRpm => Some(("8", Duration::from_secs(60))),
        _ => None,
    }
}

fn headers(refusal: Refusal) -> Vec<(&'static str, String)> {
    if let Some((limit, reset)) = limits(refusal) {
        return vec![
            ("x-ratelimit-limit", limit.to_owned()),
            ("x-ratelimit-remaining", "0".to_owned()),
            ("x-ratelimit-reset", epoch_ms(reset)),
        ];
    }
    match refusal {
        Refusal::InFlight => vec![("retry-after", "3".to_owned())],
        Refusal::UpstreamPool => vec![("retry-after", "17".to_owned())],
        Refusal::Unavailable => vec![("retry-after", "5".to_owned())],
        Refusal::Capacity => vec![("retry-after", "40".to_owned())],
        _ => Vec::new(),
    }
}

/// Limits as they stand in `error.metadata.headers`: strings.
pub(super) fn limit_copies(refusal: Refusal) -> Value {
    let (limit, reset) = limits(refusal).unwrap_or(("0", Duration::ZERO));
    json!({"X-RateLimit-Limit": limit, "X-RateLimit-Remaining": "0", "X-RateLimit-Reset": epoch_ms(reset)})
}

/// A page of the edge.
pub(crate) fn page(status: u16) -> String {
    let title = match status {
        200 => "Just a moment...",
        403 | 429 => "Sorry, you have been blocked",
        _ => "Web server is returning an unknown error",
    };
    format!(
        "<!DOCTYPE html>\n<html lang=\"en-US\">\n<head><title>openrouter.ai | {status}: {title}</title></head>\n\
         <body><h1>{title}</h1><p>Error code {status}</p><p>Cloudflare Ray ID: 9a1b2c3d4e5f6789</p></body>\n</html>\n"
    )
}
