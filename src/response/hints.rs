use serde_json::Value;

/// What an error envelope says of when to come back, as it was written: three of the five places. The other two are headers.
#[derive(Debug, Clone, PartialEq, Default)]
#[non_exhaustive]
pub struct RetryHints {
    /// `availability.retry_after`, in seconds.
    pub availability_retry_after: Option<f64>,
    /// `metadata.retry_after_seconds`.
    pub metadata_retry_after_seconds: Option<f64>,
    /// `Retry-After` among the headers that the metadata copies: seconds or a date.
    pub metadata_retry_after_header: Option<String>,
    /// `X-RateLimit-Reset` among them, in Unix milliseconds.
    pub metadata_rate_limit_reset: Option<String>,
}

impl RetryHints {
    pub(super) fn read(availability: &Value, metadata: &Value) -> Self {
        let header = |name: &str| {
            let headers = metadata.get("headers")?.as_object()?;
            let (_, value) = headers.iter().find(|(key, _)| key.eq_ignore_ascii_case(name))?;
            text(value)
        };
        Self {
            availability_retry_after: availability.get("retry_after").and_then(number),
            metadata_retry_after_seconds: metadata
                .get("retry_after_seconds")
                .and_then(number)
                .or_else(|| metadata.get("retry_after_seconds_raw").and_then(number)),
            metadata_retry_after_header: header("retry-after"),
            metadata_rate_limit_reset: header("x-ratelimit-reset"),
        }
    }
}

/// A number, also where it came as a string.
fn number(value: &Value) -> Option<f64> {
    value.as_f64().or_else(|| value.as_str()?.trim().parse().ok())
}

/// A string, also where it came as a number.
pub(super) fn text(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        _ => None,
    }
}
