//! Errors, in whichever of their seven shapes.

use std::fmt;

use serde_json::Value;

use super::{RetryHints, hints::text};

/// The longest upstream text that is kept.
const LONGEST_RAW: usize = 2048;

/// An upstream's own code: OpenRouter writes numbers, others words.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum ErrorCode {
    /// An HTTP status, also where it came as a string.
    Number(u64),
    /// A word such as `server_error`.
    Text(String),
}

impl fmt::Display for ErrorCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Number(number) => number.fmt(f),
            Self::Text(text) => f.write_str(text),
        }
    }
}

/// An error as an upstream reports it, whatever its envelope.
#[derive(Debug, Clone, PartialEq, Default)]
#[non_exhaustive]
pub struct UpstreamError {
    /// The code.
    pub code: Option<ErrorCode>,
    /// In words; may be a constant that says nothing, and then `raw` has the truth.
    pub message: String,
    /// OpenRouter's typed code, the stable one; or another provider's `type`.
    pub error_type: Option<String>,
    /// Set where a provider behind the router produced the error.
    pub provider_name: Option<String>,
    /// The provider's own text, at most two kilobytes of it.
    pub raw: Option<String>,
    /// Which limit was reached.
    pub limit_source: Option<String>,
    /// Why, in a word.
    pub reason: Option<String>,
    /// What moderation found.
    pub reasons: Vec<String>,
    /// What a guardrail found.
    pub patterns: Vec<String>,
    /// Why no endpoint is available, in a word.
    pub availability_code: Option<String>,
    /// Whether availability says that the same may work later.
    pub availability_retryable: Option<bool>,
    /// Models that could answer instead, as a hint.
    pub fallback_models: Vec<String>,
    /// When a limit comes back, as written.
    pub resets_at: Option<String>,
    /// When to come back.
    pub hints: RetryHints,
    /// The generation, where one had begun.
    pub generation_id: Option<String>,
}

impl UpstreamError {
    /// Reads an error out of a body or an event; `None` where there is none in it.
    #[must_use]
    pub fn parse(bytes: &[u8]) -> Option<Self> {
        let document: Value = serde_json::from_slice(bytes).ok()?;
        let error = find(&document)?;
        let generation_id = document.get("id").and_then(text);
        Some(Self { generation_id, ..Self::read(error, &document) })
    }

    fn read(error: &Value, document: &Value) -> Self {
        const NOTHING: &Value = &Value::Null;
        if let Value::String(message) = error {
            return Self { message: message.clone(), ..Self::default() };
        }
        let field = |name: &str| error.get(name).unwrap_or(NOTHING);
        let metadata = field("metadata");
        let availability = field("availability");
        let of_metadata = |name: &str| metadata.get(name).and_then(text);
        let mut read = Self {
            code: error.get("code").or_else(|| error.get("http_status")).and_then(code),
            message: message(error),
            error_type: of_metadata("error_type")
                .or_else(|| error.get("error_type").and_then(text))
                .or_else(|| document.get("error_type").and_then(text))
                .or_else(|| error.get("type").and_then(text)),
            provider_name: of_metadata("provider_name"),
            raw: metadata.get("raw").and_then(raw),
            limit_source: of_metadata("limit_source"),
            reason: of_metadata("reason"),
            reasons: words(metadata.get("reasons")),
            patterns: words(metadata.get("patterns")),
            availability_code: availability.get("code").and_then(text),
            availability_retryable: availability.get("retryable").and_then(Value::as_bool),
            fallback_models: words(availability.get("fallback_models")),
            resets_at: of_metadata("resets_at"),
            hints: RetryHints::read(availability, metadata),
            generation_id: None,
        };
        if read.code.is_none() && error.get("name").and_then(Value::as_str) == Some("ZodError") {
            // Validation on some routes: always a bad request.
            read.code = Some(ErrorCode::Number(400));
        }
        read
    }

    /// The `max_tokens` that the balance could carry, from "can only afford N".
    #[must_use]
    pub fn affordable_tokens(&self) -> Option<u64> {
        let (_, rest) = self.message.split_once("can only afford ")?;
        let digits: String = rest.chars().take_while(|c| c.is_ascii_digit() || *c == ',').filter(|c| *c != ',').collect();
        digits.parse().ok()
    }

    /// Whether moderation refused the input.
    #[must_use]
    pub fn is_moderation(&self) -> bool {
        !self.reasons.is_empty() || self.message.contains("requires moderation")
    }

    /// Whether a guardrail of the account refused the input.
    #[must_use]
    pub fn is_guardrail(&self) -> bool {
        !self.patterns.is_empty()
    }
}

/// The error object: at the top, in a choice, in a failed response.
fn find(document: &Value) -> Option<&Value> {
    let there = |value: &&Value| !value.is_null() && **value != Value::Bool(false);
    let top = document.get("error").filter(there);
    let in_choice = || {
        let choices = document.get("choices")?.as_array()?;
        choices.iter().find_map(|choice| choice.get("error").filter(there))
    };
    let in_response = || document.get("response")?.get("error").filter(there);
    top.or_else(in_choice).or_else(in_response)
}

fn code(value: &Value) -> Option<ErrorCode> {
    match value {
        Value::Number(number) => number.as_u64().map(ErrorCode::Number),
        Value::String(text) => Some(text.trim().parse().map_or_else(|_| ErrorCode::Text(text.clone()), ErrorCode::Number)),
        _ => None,
    }
}

fn message(error: &Value) -> String {
    let said = error.get("message").and_then(text).unwrap_or_default();
    cut(said)
}

/// The provider's text: a string, JSON in a string, or an object.
fn raw(value: &Value) -> Option<String> {
    let inner = match value {
        Value::Null => return None,
        Value::String(text) => serde_json::from_str::<Value>(text).ok().filter(Value::is_object),
        other => Some(other.clone()),
    };
    // Its own words, where it is an envelope again.
    let said = inner.as_ref().and_then(|inner| {
        let nested = inner.get("error").unwrap_or(inner);
        nested.get("message").and_then(text).or_else(|| nested.as_str().map(str::to_owned))
    });
    Some(cut(said.unwrap_or_else(|| match value {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    })))
}

fn words(value: Option<&Value>) -> Vec<String> {
    value.and_then(Value::as_array).into_iter().flatten().filter_map(text).collect()
}

fn cut(mut text: String) -> String {
    if text.len() > LONGEST_RAW {
        let end = (0..=LONGEST_RAW).rev().find(|end| text.is_char_boundary(*end)).unwrap_or(0);
        text.truncate(end);
    }
    text
}
