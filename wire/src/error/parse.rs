//! The shapes errors come in.

use serde_json::Value;

use super::fields::{code, details, message, read, read_beside, text};
use super::hints::truncate;
use super::meaning::{CODES, MESSAGES, is_failure_text, is_success, means_failure, names_error};
use super::{RAW_LIMIT, UpstreamError, nested, wait};
use crate::finish::End;
use crate::json::lenient_value;

/// How deep an error may stand in another one.
pub(super) const DEEPEST: usize = 4;

/// How much is known of a body before it is read.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum KnownStatus {
    /// Nothing: it came with a success.
    Unknown,
    /// That the call has failed: whatever the body says is about that.
    Failed,
}

pub(super) fn parse(body: &[u8], told: KnownStatus) -> Option<UpstreamError> {
    let body = body.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(body);
    let (root, _) = lenient_value(body)?;
    let mut error = list(&root, told, DEEPEST)?;
    if error.message.is_empty() && error.raw.is_none() && !error.in_choice {
        error.message = any_words(&root, DEEPEST).unwrap_or_default();
    }
    nested::open(&mut error);
    Some(error)
}

/// The first text with more than one word in it, under whatever name: better than no reason at all.
fn any_words(value: &Value, depth: usize) -> Option<String> {
    match value {
        Value::String(text) => {
            let is_prose = text.trim().contains(char::is_whitespace) || !text.is_ascii();
            is_prose.then(|| truncate(text.clone(), RAW_LIMIT))
        }
        Value::Array(items) if depth > 0 => items.iter().find_map(|item| any_words(item, depth - 1)),
        Value::Object(members) if depth > 0 => members.values().find_map(|item| any_words(item, depth - 1)),
        _ => None,
    }
}

/// Some servers put the one error into a list.
pub(super) fn list(root: &Value, told: KnownStatus, depth: usize) -> Option<UpstreamError> {
    match root {
        Value::Array(items) if depth > 0 => items.iter().find_map(|item| list(item, told, depth - 1)),
        Value::Object(_) => find(root, told, depth),
        Value::String(words) if told == KnownStatus::Failed && !words.trim().is_empty() => Some(UpstreamError {
            message: words.clone(),
            ..UpstreamError::default()
        }),
        _ => None,
    }
}

/// Looks in all the places an error may stand in.
fn find(root: &Value, told: KnownStatus, depth: usize) -> Option<UpstreamError> {
    let bare = || bare(root, told);
    let mut error = top(root)
        .or_else(|| in_choice(root))
        .or_else(|| in_response(root))
        .or_else(|| elsewhere(root))
        .or_else(|| event(root, depth))
        .or_else(|| bare().filter(|error| !error.message.is_empty()))
        .or_else(|| wrapped(root, told, depth))
        .or_else(bare)?;
    error.user_id = text(root.get("user_id"));
    let id = error.generation_id.take();
    error.generation_id = id
        .or_else(|| text(root.get("request_id")))
        .or_else(|| text(root.get("id")).filter(|id| !id.is_empty()));
    if error.error_type.is_none() {
        error.error_type = text(root.get("error_type"));
    }
    if error.native_finish_reason.is_none() {
        error.native_finish_reason = text(root.pointer("/choices/0/native_finish_reason"));
    }
    if error.retry_after_seconds.is_none() {
        error.retry_after_seconds = wait::seconds(root);
    }
    if error.resets_at.is_none() {
        error.resets_at = wait::instant(root);
    }
    // What stands beside an error that has only words: xAI's code, say.
    if error.code.is_none() && (told == KnownStatus::Failed || choices(root).next().is_none()) {
        error.code = root.as_object().and_then(code);
    }
    Some(error)
}

/// `{"error": …}`: OpenRouter's own, a validator's, Anthropic's, that of a failed response, a list of them, and a bare string.
fn top(root: &Value) -> Option<UpstreamError> {
    let value = root.get("error").filter(|value| means_failure(value))?;
    // In the shapes of Messages and Responses the metadata stands beside the error.
    let mut error = read_beside(value, root.get("metadata"));
    if error.error_type.is_none() {
        // Anthropic says `type`, a validator `name`.
        error.error_type = text(value.get("type")).or_else(|| text(value.get("name")));
    }
    // Beside words alone, or none, stand more.
    if error.message.is_empty() || value.is_string() {
        let beside = root.as_object().and_then(message);
        let success = beside.as_deref().is_some_and(is_success);
        error.message = both(error.message, beside.as_deref().filter(|_| !success));
    }
    let choice_failed = choices(root).any(ended_in_error);
    error.in_choice = choice_failed && root.get("object").and_then(Value::as_str) == Some("chat.completion");
    Some(error)
}

/// An error in a choice, or a choice that ended in one and says no more.
fn in_choice(root: &Value) -> Option<UpstreamError> {
    let places = ["/error", "/delta/error", "/message/error"];
    let told = choices(root)
        .flat_map(|choice| places.iter().filter_map(|place| choice.pointer(place)))
        .find(|value| means_failure(value))
        .map(read);
    let untold = || {
        choices(root)
            .find(|choice| ended_in_error(choice))
            .map(|choice| UpstreamError {
                native_finish_reason: text(choice.get("native_finish_reason"))
                    .or_else(|| text(choice.get("finish_reason")).filter(|word| word != "error")),
                provider_name: text(root.get("provider")),
                ..UpstreamError::default()
            })
    };
    told.or_else(untold).map(|error| UpstreamError {
        in_choice: true,
        ..error
    })
}

fn ended_in_error(choice: &Value) -> bool {
    ["finish_reason", "native_finish_reason"].iter().any(|name| {
        let word = choice.get(*name).and_then(Value::as_str);
        word.is_some_and(|word| End::of(word) == End::Error)
    })
}

/// `{"type": "response.failed", "response": {"error": …}}`, and Tencent's `{"Response": {"Error": …}}`.
fn in_response(root: &Value) -> Option<UpstreamError> {
    if let Some(value) = root.pointer("/Response/Error").filter(|value| means_failure(value)) {
        return Some(read(value));
    }
    let response = root.get("response").filter(|response| response.is_object())?;
    let mut error = top(response)?;
    if error.error_type.is_none() {
        error.error_type = text(response.get("error_type"));
    }
    error.generation_id = text(response.get("id"));
    Some(error)
}

/// Names under which only some servers put their errors: those of Groq, `MiniMax`, Cloudflare, Apigee and others. If there is no answer
/// beside it, any member counts that is called an error, an exception, a fault or a failure.
fn elsewhere(root: &Value) -> Option<UpstreamError> {
    let always = ["/x_groq/error", "/base_resp"]
        .iter()
        .filter_map(|place| root.pointer(place));
    if let Some(value) = always.into_iter().find(|value| means_failure(value)) {
        return Some(read(value));
    }
    if choices(root).next().is_some() {
        return None;
    }
    let object = root.as_object()?;
    let named = object
        .iter()
        .filter(|(name, _)| names_error(name))
        .map(|(_, value)| value);
    let value = named
        .filter(|value| matches!(value, Value::String(_) | Value::Array(_) | Value::Object(_)))
        .find(|value| means_failure(value))?;
    let mut error = read(value);
    if error.message.is_empty() {
        error.message = any_words(value, DEEPEST).unwrap_or_default();
    }
    error.message = both(error.message, message(object).as_deref());
    Some(error)
}

/// What both say, unless one says it all.
fn both(first: String, second: Option<&str>) -> String {
    match second {
        Some(second) if first.is_empty() || second.contains(&first) => second.to_owned(),
        Some(second) if !first.contains(second) => format!("{first}: {second}"),
        _ => first,
    }
}

/// Objects around what a server says: an error may stand in them as it would by itself.
fn wrapped(root: &Value, told: KnownStatus, depth: usize) -> Option<UpstreamError> {
    const AROUND: [&str; 8] = [
        "data", "response", "Response", "header", "result", "Result", "output", "body",
    ];
    if depth == 0 || choices(root).next().is_some() {
        return None;
    }
    let object = root.as_object()?;
    let failed = CODES
        .iter()
        .any(|name| object.get(*name).is_some_and(|code| is_failing(name, code)));
    AROUND.iter().filter_map(|name| object.get(*name)).find_map(|value| {
        let told = if failed { KnownStatus::Failed } else { told };
        match value {
            Value::String(text) => list(&lenient_value(text.as_bytes())?.0, told, depth - 1),
            value => list(value, told, depth - 1),
        }
    })
}

/// `{"type": "error", "code": …, "message": …}`, `{"object": "error", …}`, and `{"status": "failed"}` that says no more.
fn event(root: &Value, depth: usize) -> Option<UpstreamError> {
    match root.get("type").and_then(Value::as_str) {
        Some("error" | "response.error" | "exception") => {
            let mut error = read(root);
            if error.message.is_empty() {
                error = wrapped(root, KnownStatus::Failed, depth).unwrap_or(error);
            }
            if error.message.is_empty() {
                error.message = text(root.get("content")).unwrap_or_default();
            }
            Some(error)
        }
        Some("response.failed") => Some(UpstreamError::default()),
        _ if root.get("object").and_then(Value::as_str) == Some("error") => Some(flat(root)),
        _ => {
            let failed = root.get("status").and_then(Value::as_str) == Some("failed") && root.get("object").is_some();
            failed.then(|| read(root))
        }
    }
}

/// An error that is the whole document: its `type` says what kind of error it is, unless it only says that it is an error or is a link.
fn flat(root: &Value) -> UpstreamError {
    let mut error = read(root);
    if error.error_type.is_none() {
        let names_kind =
            |word: &String| !matches!(&**word, "error" | "response.error" | "exception") && !word.contains(':');
        error.error_type = text(root.get("type")).filter(names_kind);
    }
    error
}

/// An object that is the error itself: `{"message", "code"}`, `{"detail"}`, `{"success": false, …}`.
fn bare(root: &Value, told: KnownStatus) -> Option<UpstreamError> {
    let object = root.as_object()?;
    if choices(root).next().is_some() {
        return None;
    }
    let detail = object.get("detail").filter(|detail| means_failure(detail));
    let words = message(object).or_else(|| detail.and_then(details));
    let failed = told == KnownStatus::Failed
        // Beside anything else a detail may be that of a progress.
        || (detail.is_some() && object.keys().all(|name| is_of_error(name)))
        || object.get("success").and_then(Value::as_bool) == Some(false)
        || (words.is_some()
            && CODES
                .iter()
                .any(|name| object.get(*name).is_some_and(|code| is_failing(name, code))))
        || words.as_deref().is_some_and(is_failure_text);
    if !failed {
        return None;
    }
    let error = flat(root);
    // A failed status says enough by itself: only words are worth reading.
    (told == KnownStatus::Unknown || !error.message.is_empty() || error.code.is_some()).then_some(error)
}

/// Whether an error by itself has a member of this name.
fn is_of_error(name: &str) -> bool {
    MESSAGES.contains(&name) || CODES.contains(&name) || matches!(name, "id" | "request_id" | "requestId" | "instance")
}

/// A status of 400 or more, any other code but a success, or a word that says so.
fn is_failing(name: &str, code: &Value) -> bool {
    let is_status = name.to_ascii_lowercase().contains("status");
    let is_kind = matches!(name, "type" | "status");
    let number = match code {
        Value::Number(number) => number.as_f64(),
        Value::String(word) => word.trim().parse().ok(),
        _ => return false,
    };
    match (number, code) {
        (Some(number), _) if is_status => number >= 400.0,
        (Some(number), _) => number < 0.0 || (number >= 2.0 && !(100.0..300.0).contains(&number)),
        // `type` and `status` name signs of life as well: `ping`, `progress`, `queued`.
        (None, Value::String(word)) if is_kind => is_failure_text(word),
        (None, _) => means_failure(code),
    }
}

fn choices(root: &Value) -> impl Iterator<Item = &Value> {
    let list = root.get("choices").and_then(Value::as_array).into_iter().flatten();
    list.filter(|choice| choice.is_object())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_flat_envelope_keeps_its_type() {
        for (body, error_type) in [
            (
                r#"{"object":"error","message":"Invalid model: x","type":"invalid_model","code":"1500"}"#,
                Some("invalid_model"),
            ),
            (
                r#"{"message":"busy","type":"engine_overloaded_error","code":503}"#,
                Some("engine_overloaded_error"),
            ),
            (r#"{"type":"error","message":"busy","code":503}"#, None),
            (r#"{"type":"about:blank","title":"busy","status":503}"#, None),
            (
                r#"{"type":"https://example.com/busy","title":"busy","status":503}"#,
                None,
            ),
        ] {
            let error = parse(body.as_bytes(), KnownStatus::Unknown).unwrap();
            assert_eq!(error.error_type.as_deref(), error_type, "{body}");
        }
    }

    #[test]
    fn a_hint_may_stand_beside_an_error_that_has_only_words() {
        for (body, seconds) in [
            (
                r#"{"error":"Model m is currently loading","estimated_time":20.0}"#,
                Some(20.0),
            ),
            (r#"{"error":"busy","retry_after":5}"#, Some(5.0)),
            (r#"{"error":{"message":"busy"},"retry_after":"7"}"#, Some(7.0)),
            (
                r#"{"error":{"message":"busy","retry_after":3},"retry_after":7}"#,
                Some(3.0),
            ),
            (r#"{"message":"busy","code":503,"estimated_time":9}"#, Some(9.0)),
            (r#"{"error":"busy","retry_after":"soon"}"#, None),
        ] {
            let error = parse(body.as_bytes(), KnownStatus::Failed).unwrap();
            assert_eq!(error.retry_after_seconds, seconds, "{body}");
        }
    }

    #[test]
    fn a_reason_is_read_without_metadata_too() {
        let bare = br#"{"code":403,"reason":"NOT_ENOUGH_BALANCE","message":"denied"}"#;
        let error = parse(bare, KnownStatus::Failed).unwrap();
        assert_eq!(error.reason.as_deref(), Some("NOT_ENOUGH_BALANCE"));
        let both = br#"{"error":{"reason":"outer","message":"x","metadata":{"reason":"inner"}}}"#;
        assert_eq!(
            parse(both, KnownStatus::Failed).unwrap().reason.as_deref(),
            Some("inner")
        );
    }

    #[test]
    fn a_generation_that_could_not_be_used_is_noted() {
        let with = br#"{"error":{"message":"x","failed_generation":""}}"#;
        let without = br#"{"error":{"message":"x","failed_generation":null}}"#;
        assert!(parse(with, KnownStatus::Unknown).unwrap().has_failed_generation);
        assert!(!parse(without, KnownStatus::Unknown).unwrap().has_failed_generation);
    }
}
