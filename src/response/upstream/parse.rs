//! The shapes errors come in.

use serde_json::Value;

use super::availability::Availability;
use super::code::ErrorCode;
use super::hints::truncate;
use super::{PreviousError, RAW_LIMIT, UpstreamError};

pub(super) fn parse(body: &[u8]) -> Option<UpstreamError> {
    let root: Value = serde_json::from_slice(body).ok()?;
    root.is_object().then(|| find(&root)).flatten()
}

/// Looks in all the places an error may stand in.
fn find(root: &Value) -> Option<UpstreamError> {
    let mut error = top(root)
        .or_else(|| in_choice(root))
        .or_else(|| in_response(root))
        .or_else(|| event(root))?;
    error.user_id = text(root.get("user_id"));
    let id = error.generation_id.take();
    error.generation_id = id
        .or_else(|| text(root.get("request_id")))
        .or_else(|| text(root.get("id")));
    if error.error_type.is_none() {
        error.error_type = text(root.get("error_type"));
    }
    if error.native_finish_reason.is_none() {
        error.native_finish_reason = text(root.pointer("/choices/0/native_finish_reason"));
    }
    Some(error)
}

/// `{"error": …}`: OpenRouter's own, a validator's, Anthropic's, that of a failed response, and a bare string.
fn top(root: &Value) -> Option<UpstreamError> {
    let value = root.get("error").filter(|value| is_error(value))?;
    let mut error = read(value);
    if error.error_type.is_none() {
        // Anthropic says `type`, a validator `name`.
        error.error_type = text(value.get("type")).or_else(|| text(value.get("name")));
    }
    let choice_failed =
        choices(root).any(|choice| choice.get("finish_reason").and_then(Value::as_str) == Some("error"));
    error.in_choice = choice_failed && root.get("object").and_then(Value::as_str) == Some("chat.completion");
    Some(error)
}

/// An error in a choice, or a choice that ended in one and says no more.
fn in_choice(root: &Value) -> Option<UpstreamError> {
    let told = choices(root)
        .filter_map(|choice| choice.get("error"))
        .find(|value| is_error(value))
        .map(read);
    let untold = || {
        choices(root)
            .find(|choice| choice.get("finish_reason").and_then(Value::as_str) == Some("error"))
            .map(|choice| UpstreamError {
                native_finish_reason: text(choice.get("native_finish_reason")),
                provider_name: text(root.get("provider")),
                ..UpstreamError::default()
            })
    };
    told.or_else(untold).map(|error| UpstreamError {
        in_choice: true,
        ..error
    })
}

/// `{"type": "response.failed", "response": {"error": …}}`.
fn in_response(root: &Value) -> Option<UpstreamError> {
    let response = root.get("response").filter(|response| response.is_object())?;
    let mut error = top(response)?;
    if error.error_type.is_none() {
        error.error_type = text(response.get("error_type"));
    }
    error.generation_id = text(response.get("id"));
    Some(error)
}

/// `{"type": "error", "code": …, "message": …}`, `{"object": "error", …}`, and `{"status": "failed"}` that says no more.
fn event(root: &Value) -> Option<UpstreamError> {
    match root.get("type").and_then(Value::as_str) {
        Some("error" | "response.error") => Some(read(root)),
        Some("response.failed") => Some(UpstreamError::default()),
        _ if root.get("object").and_then(Value::as_str) == Some("error") => Some(read(root)),
        _ => {
            let failed = root.get("status").and_then(Value::as_str) == Some("failed") && root.get("object").is_some();
            failed.then(UpstreamError::default)
        }
    }
}

fn choices(root: &Value) -> impl Iterator<Item = &Value> {
    root.get("choices").and_then(Value::as_array).into_iter().flatten()
}

fn is_error(value: &Value) -> bool {
    match value {
        Value::Object(_) => true,
        Value::String(text) => !text.is_empty(),
        _ => false,
    }
}

fn read(value: &Value) -> UpstreamError {
    if let Value::String(message) = value {
        return UpstreamError {
            message: message.clone(),
            ..UpstreamError::default()
        };
    }
    let metadata = value.get("metadata");
    let meta = |name: &str| metadata.and_then(|metadata| metadata.get(name));
    UpstreamError {
        code: value.get("code").and_then(ErrorCode::read),
        message: text(value.get("message")).unwrap_or_default(),
        error_type: text(meta("error_type")).or_else(|| text(value.get("error_type"))),
        http_status: number(value.get("http_status")).and_then(status),
        provider_name: text(meta("provider_name")),
        provider_code: text(meta("provider_code")).or_else(|| text(meta("provider_error_code"))),
        raw: meta("raw").and_then(raw),
        is_byok: meta("is_byok").and_then(Value::as_bool),
        availability: value.get("availability").and_then(Availability::read),
        limit_source: text(meta("limit_source")),
        reason: text(meta("reason")),
        scope: text(meta("scope")),
        remedy_hint: text(meta("remedy_hint")),
        limit_usd: text(meta("limit_usd")),
        spend_usd: text(meta("spend_usd")),
        resets_at: text(meta("resets_at")),
        reasons: texts(meta("reasons")),
        flagged_input: text(meta("flagged_input")),
        patterns: texts(meta("patterns")),
        model_slug: text(meta("model_slug")),
        retry_after_seconds: number(meta("retry_after_seconds")).or_else(|| number(meta("retry_after_seconds_raw"))),
        headers: headers(meta("headers")),
        previous_errors: meta("previous_errors")
            .and_then(Value::as_array)
            .into_iter()
            .flatten()
            .map(previous)
            .collect(),
        ..UpstreamError::default()
    }
}

fn previous(value: &Value) -> PreviousError {
    PreviousError {
        provider: text(value.get("provider")).or_else(|| text(value.get("provider_name"))),
        code: value.get("code").and_then(ErrorCode::read),
        status: number(value.get("status")).and_then(status),
        message: text(value.get("message")),
    }
}

fn headers(value: Option<&Value>) -> Vec<(String, String)> {
    let pairs = value.and_then(Value::as_object).into_iter().flatten();
    pairs
        .filter_map(|(name, value)| Some((name.to_ascii_lowercase(), text(Some(value))?)))
        .collect()
}

fn raw(value: &Value) -> Option<String> {
    let text = match value {
        Value::Null => return None,
        Value::String(text) => text.clone(),
        other => other.to_string(),
    };
    Some(truncate(text, RAW_LIMIT))
}

/// Text, or a number or boolean as text.
pub(super) fn text(value: Option<&Value>) -> Option<String> {
    match value? {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        Value::Bool(flag) => Some(flag.to_string()),
        _ => None,
    }
}

/// A list of texts, or a text by itself.
pub(super) fn texts(value: Option<&Value>) -> Vec<String> {
    match value {
        Some(Value::Array(items)) => items.iter().filter_map(|item| text(Some(item))).collect(),
        other => text(other).into_iter().collect(),
    }
}

/// A number, or a number in a string.
pub(super) fn number(value: Option<&Value>) -> Option<f64> {
    match value? {
        Value::Number(number) => number.as_f64(),
        Value::String(text) => text.trim().parse().ok().filter(|number: &f64| number.is_finite()),
        _ => None,
    }
}

fn status(number: f64) -> Option<u16> {
    (100_u16..1000).find(|status| f64::from(*status).to_bits() == number.to_bits())
}
