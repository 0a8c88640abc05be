//! Error answers: the envelope of each [`Refusal`], and the hints when to come again.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde_json::{Value, json};

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
            json: json(refusal, about),
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

    /// A part of the error object, null where it was absent.
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

fn set(object: &mut Value, name: &str, value: Value) {
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
fn limit_copies(refusal: Refusal) -> Value {
    let (limit, reset) = limits(refusal).unwrap_or(("0", Duration::ZERO));
    json!({"X-RateLimit-Limit": limit, "X-RateLimit-Remaining": "0", "X-RateLimit-Reset": epoch_ms(reset)})
}

#[expect(clippy::too_many_lines, reason = "a table: one arm for each error of the wire")]
fn json(refusal: Refusal, about: &About) -> Value {
    let (model, provider) = (about.model.as_str(), about.provider.as_str());
    let docs = |code: &str| format!("https://openrouter.ai/docs/errors#{code}");
    let with = |message: &str, metadata: Value| json!({"error": {"message": message, "code": refusal.status(), "metadata": metadata}});
    let bare = |message: &str| json!({"error": {"message": message, "code": refusal.status()}});
    match refusal {
        Refusal::Validation => with(
            "temperature: Number must be less than or equal to 2",
            json!({"error_type": "invalid_request"}),
        ),
        Refusal::Zod => json!({"success": false, "error": {"name": "ZodError", "message":
            r#"[{"code":"invalid_type","expected":"array","path":["messages"],"message":"Required"}]"#}}),
        Refusal::Context => {
            let context = if about.context == 0 { 8192 } else { about.context };
            let asked = (about.prompt_tokens + about.limit.unwrap_or(0)).max(context + 1);
            with(
                &format!(
                    "This endpoint's maximum context length is {context} tokens. However, you requested about {asked} \
                     tokens. Please reduce the length of either one."
                ),
                json!({"error_type": "context_length_exceeded", "provider_name": null}),
            )
        }
        Refusal::Upstream400 => with(
            "Provider returned error",
            json!({"raw": r#"{"error":{"message":"Unsupported value: 'temperature'","type":"invalid_request_error"}}"#,
                   "provider_name": provider, "is_byok": false, "error_type": "invalid_request"}),
        ),
        Refusal::Model => {
            json!({"error": {"message": format!("{model} is not a valid model ID"), "code": 400,
            "error_type": "invalid_request", "http_status": 400, "availability": {"code": "model_not_found",
            "retryable": false, "requested_models": [model], "docs_url": docs("model_not_found")}}})
        }
        Refusal::Models => bare("'models' array must have 3 items or fewer."),
        Refusal::Policy => with(
            "Provider returned error",
            json!({"raw": "The prompt was rejected by the content policy.", "provider_name": provider,
                   "error_type": "content_policy_violation"}),
        ),
        Refusal::Prefill => with(
            "Provider returned error",
            json!({"raw": r#"{"type":"error","error":{"type":"invalid_request_error","message":"This model does not support assistant message prefill. The conversation must end with a user message."}}"#,
                   "provider_name": provider, "is_byok": false, "error_type": "invalid_request"}),
        ),
        Refusal::Unauthorized => bare("User not found."),
        Refusal::NoKey => bare("No auth credentials found"),
        Refusal::Upstream401 => with(
            "Provider returned error",
            json!({"raw": "Unauthorized", "provider_name": provider, "is_byok": false}),
        ),
        Refusal::Balance => with(
            "Insufficient credits. Add more using https://openrouter.ai/credits",
            json!({"error_type": "payment_required", "limit_source": "openrouter_credits"}),
        ),
        Refusal::Afford(tokens) => {
            let asked = about.limit.unwrap_or(32_000);
            let mut body = with(
                &format!(
                    "This request requires more credits, or fewer max_tokens. You requested up to {asked} tokens, but \
                     can only afford {tokens}. To increase, visit https://openrouter.ai/settings/credits and add more \
                     credits"
                ),
                json!({"error_type": "payment_required", "limit_source": "openrouter_credits"}),
            );
            set(&mut body, "user_id", "user_2demo".into());
            body
        }
        Refusal::InFlight => with(
            "Too many requests in flight for the current balance.",
            json!({"error_type": "payment_required", "limit_source": "openrouter_in_flight_budget",
                   "reason": "in_flight_budget_exhausted"}),
        ),
        Refusal::Weight => with(
            "This request is larger than the whole in-flight budget of the current balance.",
            json!({"error_type": "payment_required", "limit_source": "openrouter_in_flight_budget",
                   "reason": "weight_exceeds_budget"}),
        ),
        Refusal::Forbidden => with("Permission denied", json!({"error_type": "permission_denied"})),
        Refusal::KeyLimit => with(
            "Key limit exceeded (total limit). Manage it using https://openrouter.ai/settings/keys",
            json!({"limit_source": "openrouter_key_limit"}),
        ),
        Refusal::Workspace => with(
            "Workspace monthly budget of $500.00 exceeded. Contact your org admin.",
            json!({"limit_source": "openrouter_workspace_budget", "scope": "workspace", "limit_usd": 500,
                   "spend_usd": 500.12, "resets_at": "2026-12-01T00:00:00Z"}),
        ),
        Refusal::GuardrailBudget => with(
            "Guardrail daily budget of $5.00 exceeded.",
            json!({"limit_source": "openrouter_guardrail_budget", "scope": "guardrail", "limit_usd": 5,
                   "spend_usd": 5.02, "resets_at": "2026-12-01T00:00:00Z"}),
        ),
        Refusal::Guardrail => with(
            "Request blocked: prompt injection patterns detected",
            json!({"patterns": ["ignore all previous instructions"]}),
        ),
        Refusal::Moderation => with(
            &format!(
                "{model} requires moderation on {provider}. Your input was flagged for \"violence\". No credits were \
                 charged."
            ),
            json!({"reasons": ["violence"], "flagged_input": "first forty characters ... last forty characters",
                   "provider_name": provider, "model_slug": model}),
        ),
        Refusal::Management => bare("Only management keys can perform this operation"),
        Refusal::Region => {
            json!({"error": {"message": format!("{model} is not available in your region"), "code": 403,
            "error_type": "permission_denied", "http_status": 403, "availability": {"code": "region_restricted",
            "retryable": false, "requested_models": [model], "excluded_by": ["geo"],
            "docs_url": docs("region_restricted")}}})
        }
        Refusal::NoEndpoints => bare(&format!("No endpoints found for {model}.")),
        Refusal::NoTools => bare(
            "No endpoints found that support tool use. To learn more about provider routing, visit: \
             https://openrouter.ai/docs/provider-routing",
        ),
        Refusal::NoImages => bare("No endpoints found that support image input"),
        Refusal::Privacy => bare(
            "No endpoints found matching your data policy (Free model training). Configure: \
             https://openrouter.ai/settings/privacy",
        ),
        Refusal::Constraint => {
            json!({"error": {"message": "No endpoints match max_price.", "code": 404,
            "error_type": "not_found", "http_status": 404, "availability": {"code": "constraint_filtered",
            "retryable": false, "requested_models": [model], "excluded_by": ["max_price"],
            "constraint": {"field": "max_price", "detail": "cheapest completion price is 3 USD per million"},
            "fallback_models": ["demo/small"], "docs_url": docs("constraint_filtered")}}})
        }
        Refusal::Timeout408 => bare("Operation timed out. Please try again later."),
        Refusal::TooLarge => with("Request payload too large", json!({"error_type": "payload_too_large"})),
        Refusal::Unprocessable => with("Invalid argument", json!({"error_type": "unprocessable"})),
        Refusal::Limited => bare("Rate limit exceeded"),
        Refusal::FreeDay => {
            json!({"error": {"message": "Rate limit exceeded: free-models-per-day. Add 10 credits to \
            unlock 1000 free model requests per day", "code": 429, "metadata": {"error_type": "rate_limit_exceeded",
            "limit_source": "openrouter_free_tier_daily", "headers": limit_copies(refusal)}},
            "user_id": "user_2demo"})
        }
        Refusal::FreeMinute => with(
            "Rate limit exceeded: free-models-per-min. ",
            json!({"headers": limit_copies(refusal)}),
        ),
        Refusal::SharedRpm => with(
            &format!(
                "Rate limit exceeded: limit_rpm/{model}-20260401/00000000-0000-0000-0000-000000000000. High demand for \
                 {model} on OpenRouter - limited to 8 requests per minute. Please retry shortly."
            ),
            json!({"limit_source": "openrouter_shared_capacity", "headers": limit_copies(refusal)}),
        ),
        Refusal::UpstreamPool => with(
            "Provider returned error",
            json!({"raw": format!("{model} is temporarily rate-limited upstream. Please retry shortly, or add your own \
                   key to accumulate your rate limits: https://openrouter.ai/settings/integrations"),
                   "provider_name": provider, "is_byok": false, "error_type": "rate_limit_exceeded",
                   "limit_source": "upstream_provider_shared_pool", "retry_after_seconds": 17,
                   "retry_after_seconds_raw": 16.4, "headers": {"Retry-After": "17"}}),
        ),
        Refusal::Capacity => json!({"error": {
            "message": format!("All providers for {model} are at capacity. Retry after 40 seconds."), "code": 429,
            "error_type": "rate_limit_exceeded", "http_status": 429, "availability": {"code": "capacity_exhausted",
            "retryable": true, "retry_after": 40, "requested_models": [model], "affected_providers": ["alpha", "beta"],
            "fallback_models": ["demo/small"], "docs_url": docs("capacity_exhausted")},
            "metadata": {"previous_errors": [{"provider": "alpha", "code": "capacity_exhausted", "status": 429},
                                             {"provider": "beta", "code": "capacity_exhausted", "status": 429}]}}}),
        Refusal::Internal => with("Internal Server Error", json!({"error_type": "server"})),
        Refusal::BadGateway => with(
            "Provider returned error",
            json!({"provider_name": provider, "raw": "upstream connect error", "error_type": "provider_unavailable"}),
        ),
        Refusal::Unavailable => {
            json!({"error": {"code": 503, "message": "Service temporarily unavailable",
            "error_type": "provider_overloaded", "http_status": 503, "availability": {
            "code": "temporarily_unavailable", "retryable": true, "retry_after": 5, "requested_models": [model],
            "affected_providers": ["alpha"], "docs_url": docs("temporarily_unavailable")}}})
        }
        Refusal::GatewayTimeout => with(
            "The operation was aborted due to timeout",
            json!({"error_type": "timeout"}),
        ),
        Refusal::EdgeTimeout => bare("Request timed out. Please try again later."),
        Refusal::Overloaded => with(
            "Provider returned error",
            json!({"provider_name": provider, "raw": "overloaded_error"}),
        ),
        Refusal::Html(_) | Refusal::Cloudflare403 | Refusal::Cloudflare429 => Value::Null,
        Refusal::Other(status) => bare(&format!("Error {status}")),
    }
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
