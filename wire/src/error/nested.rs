//! An error whose message is the text of another one.

use super::parse::{DEEPEST, KnownStatus, list};
use super::{ErrorCode, UpstreamError};
use crate::json::lenient_value;

/// Puts what an envelope in the message says in the place of that text.
pub(super) fn open(error: &mut UpstreamError) {
    if let Some(inner) = envelope(&error.message) {
        take(error, inner);
    }
}

/// The error in a message that is itself an envelope: a gateway quotes what the server behind it sent.
fn envelope(message: &str) -> Option<UpstreamError> {
    let text = message.trim();
    if !text.starts_with(['{', '[']) {
        return None;
    }
    let (root, _) = lenient_value(text.as_bytes())?;
    // A list of anything else is that of the faults of a request, which says more as it is.
    let root = root
        .get(0)
        .filter(|first| first.get("error").is_some())
        .unwrap_or(&root);
    let inner = root
        .as_object()
        .and_then(|_| list(root, KnownStatus::Failed, DEEPEST))?;
    (!inner.message.trim().is_empty()).then_some(inner)
}

/// Takes the words of an inner error, and what the outer one does not say.
fn take(error: &mut UpstreamError, inner: UpstreamError) {
    let status = inner.status();
    let word = match &inner.code {
        Some(ErrorCode::Text(word)) => Some(word.clone()),
        _ => inner.error_type.clone(),
    };
    error.message = inner.message;
    error.http_status = error.http_status.or(status);
    error.provider_code = error.provider_code.take().or(word);
    error.code = error.code.take().or(inner.code);
    error.error_type = error.error_type.take().or(inner.error_type);
    error.kind = error.kind.take().or(inner.kind);
    error.reason = error.reason.take().or(inner.reason);
    error.param = error.param.take().or(inner.param);
    error.availability = error.availability.take().or(inner.availability);
    error.retry_after_seconds = error.retry_after_seconds.or(inner.retry_after_seconds);
    error.resets_at = error.resets_at.take().or(inner.resets_at);
    error.raw = error.raw.take().or(inner.raw);
    error.provider_name = error.provider_name.take().or(inner.provider_name);
    if error.headers.is_empty() {
        error.headers = inner.headers;
    }
    if error.reasons.is_empty() {
        error.reasons = inner.reasons;
    }
    error.has_failed_generation |= inner.has_failed_generation;
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(message: &str, beside: &str) -> UpstreamError {
        let message = serde_json::to_string(message).unwrap();
        UpstreamError::parse_failed(format!(r#"{{"error":{{"message":{message}{beside}}}}}"#).as_bytes()).unwrap()
    }

    #[test]
    fn an_envelope_in_a_message_is_read_once_more() {
        let google = r#"{"error":{"code":429,"message":"Your quota will reset after 44m7s.","status":"RESOURCE_EXHAUSTED",
            "details":[{"@type":"t/ErrorInfo","reason":"QUOTA_EXHAUSTED"},{"@type":"t/RetryInfo","retryDelay":"2647.18s"}]}}"#;
        for message in [google.to_owned(), format!("[{google}]"), format!(" {google}\n")] {
            let error = parse(&message, r#","type":"upstream_error""#);
            assert_eq!(error.message, "Your quota will reset after 44m7s.", "{message}");
            assert_eq!((error.status(), error.retry_after_seconds), (Some(429), Some(2647.18)));
            assert_eq!(error.error_type.as_deref(), Some("upstream_error"));
        }
        let error = parse(
            r#"{"error":{"message":"You exceeded it","type":"insufficient_quota"}}"#,
            r#","code":"bad_response""#,
        );
        assert_eq!(error.code, Some(ErrorCode::Text("bad_response".to_owned())));
        assert_eq!(error.provider_code.as_deref(), Some("insufficient_quota"));
        // Once, however deep they stand in one another.
        let twice = serde_json::json!({ "error": { "message": google } }).to_string();
        assert_eq!(parse(&twice, "").message, google);
    }

    #[test]
    fn any_other_text_stays() {
        for message in [
            "{",
            "{}",
            "[1]",
            r#"{"a":1}"#,
            r#"{"message":""}"#,
            r#"[{"msg":"x","loc":["body"]}]"#,
            "x {}",
        ] {
            assert_eq!(parse(message, "").message, message);
        }
    }
}
