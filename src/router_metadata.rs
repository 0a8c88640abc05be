//! What OpenRouter says of its own attempts, if `X-OpenRouter-Metadata: enabled` asks for it.

use memchr::memmem;
use serde_json::{Deserializer, Value};
use tower_llm_layers::RouterAttempt;

/// The member that has them: of an answer, of its last event, or of an error. In a text its quotes would be escaped.
const NAME: &[u8] = b"\"openrouter_metadata\"";

/// Attempts that are read of one answer.
const MOST: usize = 16;

/// The router's own attempts, wherever they stand in this JSON; what cannot be read is left out.
pub(crate) fn attempts(json: &[u8]) -> Vec<RouterAttempt> {
    let Some(at) = memmem::find(json, NAME) else {
        return Vec::new();
    };
    let rest = json.get(at + NAME.len()..).unwrap_or_default().trim_ascii_start();
    let Some(value) = rest.strip_prefix(b":") else {
        return Vec::new();
    };
    let read = Deserializer::from_slice(value).into_iter::<Value>().next();
    let Some(Ok(metadata)) = read else { return Vec::new() };
    let attempts = metadata.get("attempts").and_then(Value::as_array);
    attempts.into_iter().flatten().take(MOST).map(attempt).collect()
}

fn attempt(value: &Value) -> RouterAttempt {
    let text = |name: &str| value.get(name).and_then(Value::as_str);
    let status = value.get("status").and_then(|status| match status {
        Value::String(text) => text.parse().ok(),
        number => number.as_u64(),
    });
    let status = status.and_then(|status| u16::try_from(status).ok());
    RouterAttempt::new(text("provider"), text("model"), status)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(json: &str) -> String {
        let attempts = attempts(json.as_bytes()).into_iter();
        attempts
            .map(|attempt| attempt.to_string())
            .collect::<Vec<_>>()
            .join(", ")
    }

    #[test]
    fn they_are_read_wherever_they_stand_and_however_odd_they_are() {
        let tried =
            r#"[{"provider":"OpenAI","model":"a","status":429},{"provider":"Azure","status":"503"},{"status":200},7]"#;
        let all = "OpenAI 429, Azure 503, a provider 200, a provider without an answer";
        for json in [
            format!(r#"{{"openrouter_metadata":{{"attempts":{tried}}}}}"#),
            format!(r#"{{"response":{{"openrouter_metadata" : {{"region":null,"attempts":{tried}}}}},"x":1}}"#),
            format!(r#"{{"error":{{"code":502}},"openrouter_metadata":{{"attempts":{tried}}}}}"#),
        ] {
            assert_eq!(told(&json), all, "{json}");
        }
        for json in [
            "{}",
            r#"{"content":"\"openrouter_metadata\":{\"attempts\":[{}]}"}"#,
            r#"{"openrouter_metadata":null}"#,
            r#"{"openrouter_metadata":{"attempts":{}}}"#,
            r#"{"openrouter_metadata":{"attempts":["#,
            r#"{"openrouter_metadata""#,
        ] {
            assert_eq!(told(json), "", "{json}");
        }
        let many = format!(
            r#"{{"openrouter_metadata":{{"attempts":[{}]}}}}"#,
            vec!["{}"; 999].join(",")
        );
        assert_eq!(attempts(many.as_bytes()).len(), MOST);
    }
}
