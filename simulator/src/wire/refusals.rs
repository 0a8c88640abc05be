//! The JSON body of each refusal.

use serde_json::{Value, json};

use super::error::{About, limit_copies, set};
use crate::fault::Refusal;

/// The error envelope, with all the wire says of this kind.
#[expect(clippy::too_many_lines, reason = "a table: one arm for each error of the wire")]
pub(super) fn body(refusal: Refusal, about: &About) -> Value {
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
