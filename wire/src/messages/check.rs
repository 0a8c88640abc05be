//! What is checked of a request for a message that came as JSON: only what is read here.

use crate::request::{
    RequestError,
    check::{common, filled, shape, whole_or_none},
};
use crate::{document::Document, json::Found};

const MESSAGES: &str = "send at least one message, such as [{\"role\":\"user\",\"content\":\"…\"}]";

/// Checks a request. OpenRouter takes one without `max_tokens`; Anthropic does not.
///
/// # Errors
///
/// If it has nothing to answer, or a field that is read here is not what it must be: the error names it.
pub fn check(document: &Document) -> Result<(), RequestError> {
    match shape(document, "messages") {
        Some(Found::Array) => filled(document, "messages", "messages", MESSAGES)?,
        Some(found) => return Err(RequestError::shape("messages", found, "an array", MESSAGES)),
        None => {
            return Err(RequestError::Missing {
                field: "messages",
                fix: MESSAGES,
            });
        }
    }
    if let Some(found) = shape(document, "system")
        && !matches!(found, Found::String | Found::Array)
    {
        let fix = "send text, or blocks such as [{\"type\":\"text\",\"text\":\"…\"}]";
        return Err(RequestError::shape("system", found, "a string or an array", fix));
    }
    // None at all fills the cache of the prompt, and gives no answer.
    whole_or_none(document, "max_tokens")?;
    common(document, &[])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(fields: &str) -> Option<String> {
        let body = format!(r#"{{"model":"a/b","messages":[{{"role":"user","content":"x"}}]{fields}}}"#);
        let error = check(&Document::parse(body.into()).unwrap()).err()?;
        Some(error.field().unwrap_or_default().to_owned())
    }

    #[test]
    fn a_limit_of_no_tokens_fills_the_cache() {
        assert_eq!(refused(r#","max_tokens":0"#), None);
        assert_eq!(refused(r#","max_tokens":1"#), None);
        for wrong in ["-1", "1.5", "\"9\"", "true"] {
            assert_eq!(
                refused(&format!(r#","max_tokens":{wrong}"#)).as_deref(),
                Some("max_tokens")
            );
        }
    }

    #[test]
    fn the_router_needs_no_limit() {
        assert_eq!(refused(""), None);
        assert_eq!(refused(r#","max_tokens":null"#), None);
    }
}
