//! What an error says of itself, under the names of many servers.

use serde_json::{Map, Value};

use super::availability::Availability;
use super::code::ErrorCode;
use super::hints::{self, truncate};
use super::meaning::{CODES, MESSAGES, means_failure};
use super::{PreviousError, RAW_LIMIT, UpstreamError, wait};

/// The members of an error without words that may hold another one.
const INNER: [&str; 9] = [
    "error",
    "errors",
    "issues",
    "fault",
    "innererror",
    "inner_error",
    "exception",
    "cause",
    "details",
];

/// What an error says, under whatever name.
pub(super) fn message(object: &Map<String, Value>) -> Option<String> {
    let words = |name: &&str| {
        let value = object.get(*name)?;
        let words = match value {
            Value::String(words) => words.clone(),
            Value::Array(_) | Value::Object(_) => details(value)?,
            _ => return None,
        };
        (!words.trim().is_empty()).then_some(words)
    };
    MESSAGES.iter().find_map(words)
}

/// What is wrong with the fields of a request, as `FastAPI` lists it, or any list or object with words in it.
pub(super) fn details(value: &Value) -> Option<String> {
    match value {
        Value::String(words) => Some(words.clone()).filter(|words| !words.trim().is_empty()),
        Value::Array(items) => {
            let all: Vec<String> = items.iter().take(8).filter_map(details).collect();
            (!all.is_empty()).then(|| all.join("; "))
        }
        Value::Object(object) => {
            let nested = || object.get("error").and_then(details);
            let words = message(object).or_else(nested)?;
            let place: Vec<String> = object
                .get("loc")
                .or_else(|| object.get("path"))
                .and_then(Value::as_array)
                .into_iter()
                .flatten()
                .filter_map(|part| text(Some(part)))
                .collect();
            Some(if place.is_empty() {
                words
            } else {
                format!("{}: {words}", place.join("."))
            })
        }
        _ => None,
    }
}

/// The first code that tells of a failure.
pub(super) fn code(object: &Map<String, Value>) -> Option<ErrorCode> {
    let codes = CODES.iter().filter(|name| !matches!(**name, "type" | "error_type"));
    codes
        .filter_map(|name| object.get(*name))
        .filter(|code| means_failure(code))
        .find_map(ErrorCode::read)
}

pub(super) fn read(value: &Value) -> UpstreamError {
    read_beside(value, None)
}

/// Reads an error; `beside` is the metadata if it has none within.
pub(super) fn read_beside(value: &Value, beside: Option<&Value>) -> UpstreamError {
    if let Value::String(message) = value {
        return UpstreamError {
            message: message.clone(),
            ..UpstreamError::default()
        };
    }
    if let Value::Array(items) = value {
        // The first of a list that tells of a failure, with the words of all.
        let first = items.iter().find(|item| means_failure(item)).map(read);
        let mut error = first.unwrap_or_default();
        error.message = details(value).unwrap_or(error.message);
        return error;
    }
    let Some(object) = value.as_object() else {
        return UpstreamError {
            code: ErrorCode::read(value),
            ..UpstreamError::default()
        };
    };
    let words = message(object);
    if words.is_none() {
        // An error within an error.
        let mut inner = INNER.iter().filter_map(|name| object.get(*name));
        if let Some(inner) = inner.find(|inner| means_failure(inner)) {
            let mut error = read(inner);
            error.code = error.code.or_else(|| code(object));
            return error;
        }
    }
    let within = value.get("metadata").filter(|metadata| metadata.is_object());
    let metadata = within.or(beside);
    let meta = |name: &str| metadata.and_then(|metadata| metadata.get(name));
    UpstreamError {
        code: value.get("code").and_then(ErrorCode::read).or_else(|| code(object)),
        message: words.or_else(|| text(value.get("message"))).unwrap_or_default(),
        error_type: text(meta("error_type")).or_else(|| text(value.get("error_type"))),
        kind: text(value.get("type")),
        http_status: number(value.get("http_status")).and_then(status),
        provider_name: text(meta("provider_name")),
        provider_code: text(meta("provider_code")).or_else(|| text(meta("provider_error_code"))),
        raw: meta("raw").and_then(raw),
        is_byok: meta("is_byok").and_then(Value::as_bool),
        availability: value.get("availability").and_then(Availability::read),
        limit_source: text(meta("limit_source")),
        reason: text(meta("reason"))
            .or_else(|| text(value.get("reason")))
            .or_else(|| reason_within(value)),
        param: place(value),
        scope: text(meta("scope")),
        remedy_hint: text(meta("remedy_hint")),
        limit_usd: text(meta("limit_usd")),
        spend_usd: text(meta("spend_usd")),
        resets_at: text(meta("resets_at"))
            .or_else(|| wait::instant(value))
            .or_else(|| wait::instant(metadata?)),
        reasons: texts(meta("reasons")),
        flagged_input: text(meta("flagged_input")),
        patterns: texts(meta("patterns")),
        model_slug: text(meta("model_slug")),
        retry_after_seconds: number(meta("retry_after_seconds"))
            .or_else(|| number(meta("retry_after_seconds_raw")))
            .or_else(|| hints::retry_delay(value))
            .or_else(|| wait::seconds(value))
            .or_else(|| wait::seconds(metadata?)),
        headers: headers(meta("headers")),
        previous_errors: meta("previous_errors")
            .and_then(Value::as_array)
            .into_iter()
            .flatten()
            .map(previous)
            .collect(),
        has_failed_generation: value.get("failed_generation").is_some_and(|text| !text.is_null()),
        ..UpstreamError::default()
    }
}

/// The reason in Google's `details` or `errors`, such as `BILLING_DISABLED` and `userRateLimitExceeded`.
fn reason_within(value: &Value) -> Option<String> {
    let lists = ["details", "errors"].into_iter();
    let mut items = lists
        .filter_map(|name| value.get(name)?.as_array())
        .flat_map(|items| items.iter().take(8));
    items.find_map(|item| item.get("reason")?.as_str().map(str::to_owned))
}

/// The member of the request that the error is about: `param`, or the place of the first fault, as `FastAPI` lists them.
fn place(value: &Value) -> Option<String> {
    let listed = || {
        let lists = ["detail", "details", "errors"].into_iter();
        lists
            .filter_map(|name| value.get(name)?.as_array()?.first())
            .find_map(path)
    };
    // `LiteLLM` writes Python's word for none.
    let param = text(value.get("param")).filter(|param| !matches!(param.trim(), "" | "None" | "null"));
    param.or_else(|| path(value)).or_else(listed)
}

/// The place of one fault, with a point between its parts and without the `body` that it begins with.
fn path(fault: &Value) -> Option<String> {
    let parts = fault.get("loc").or_else(|| fault.get("path"))?.as_array()?;
    let parts: Vec<String> = parts.iter().filter_map(|part| text(Some(part))).collect();
    let inner = parts.strip_prefix(&["body".to_owned()]).unwrap_or(&parts);
    (!inner.is_empty()).then(|| inner.join("."))
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

#[cfg(test)]
mod tests {
    use super::*;

    fn failed(body: &str) -> UpstreamError {
        UpstreamError::parse_failed(body.as_bytes()).unwrap()
    }

    #[test]
    fn the_member_of_the_request_is_read() {
        for (body, param) in [
            (r#"{"error":{"message":"x","param":"model"}}"#, Some("model")),
            (
                r#"{"detail":[{"loc":["body","model"],"msg":"Input should be 'a' or 'b'","type":"enum"}]}"#,
                Some("model"),
            ),
            (
                r#"{"detail":[{"loc":["body","messages",0,"content"],"msg":"x"}]}"#,
                Some("messages.0.content"),
            ),
            (r#"{"error":[{"path":["model"],"message":"x"}]}"#, Some("model")),
            (
                r#"{"error":{"message":"x","details":[{"loc":["model"]}]}}"#,
                Some("model"),
            ),
            (r#"{"error":{"message":"x","param":null}}"#, None),
            (r#"{"error":{"message":"x","param":" "}}"#, None),
            (r#"{"error":{"message":"x","param":"None"}}"#, None),
            (r#"{"error":{"message":"x","path":"/v1/chat/completions"}}"#, None),
            (r#"{"detail":[{"loc":["body"],"msg":"x"}]}"#, None),
        ] {
            assert_eq!(failed(body).param.as_deref(), param, "{body}");
        }
    }

    #[test]
    fn a_reason_is_read_in_a_list_of_details() {
        for (body, reason) in [
            (
                r#"[{"error":{"code":403,"message":"x","status":"PERMISSION_DENIED","details":[{"@type":"t/Help"},{"@type":"t/ErrorInfo","reason":"BILLING_DISABLED"}]}}]"#,
                Some("BILLING_DISABLED"),
            ),
            (
                r#"{"error":{"code":403,"message":"x","errors":[{"domain":"usageLimits","reason":"userRateLimitExceeded"}]}}"#,
                Some("userRateLimitExceeded"),
            ),
            (
                r#"{"error":{"message":"x","reason":"own","details":[{"reason":"other"}]}}"#,
                Some("own"),
            ),
            (r#"{"error":{"message":"x","details":"reason"}}"#, None),
            (
                r#"{"error":{"message":"x","details":[{"reason":5},"reason",null]}}"#,
                None,
            ),
        ] {
            assert_eq!(failed(body).reason.as_deref(), reason, "{body}");
        }
    }
}
