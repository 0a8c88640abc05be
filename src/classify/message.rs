//! The message of a failure: the upstream's own words.

use openrouter_wire::error::{RAW_LIMIT, UpstreamError};

/// At most [`RAW_LIMIT`] bytes of what an upstream says.
pub(super) fn cut_words(mut words: String) -> String {
    if words.len() > RAW_LIMIT {
        let cut = (0..=RAW_LIMIT)
            .rev()
            .find(|at| words.is_char_boundary(*at))
            .unwrap_or(0);
        words.truncate(cut);
        words.push('…');
    }
    words
}

/// The upstream's words; if they say nothing, the cause behind them.
pub(super) fn words(error: &UpstreamError) -> String {
    let words = words_alone(error);
    match error.param.as_deref().filter(|param| is_prose(param)) {
        Some(more) if !words.contains(more) => format!("{words}: {more}"),
        _ => words,
    }
}

/// Whether what stands in the place of a parameter's name is more than a name: "text is not set".
pub(super) fn is_prose(param: &str) -> bool {
    param.trim().contains(char::is_whitespace)
}

fn words_alone(error: &UpstreamError) -> String {
    match &error.raw {
        Some(raw) if is_blank(&error.message) && !is_nothing(raw) => raw_words(raw),
        _ if error.message.is_empty() => {
            let native = error.native_finish_reason.as_deref().unwrap_or("no reason given");
            format!("the model failed ({native})")
        }
        _ => error.message.clone(),
    }
}

/// Whether a message only says that a provider failed, maybe behind a name: "Error from provider: Provider returned error".
pub(super) fn is_blank(message: &str) -> bool {
    let message = message.trim().trim_end_matches('.');
    message.is_empty() || message.ends_with("Provider returned error")
}

/// Whether a provider's own text has no words.
fn is_nothing(raw: &str) -> bool {
    matches!(raw.trim(), "" | "{}" | "[]" | "null" | "\"\"")
}

/// A provider's own words, if its text is an envelope again.
fn raw_words(raw: &str) -> String {
    let said = serde_json::from_str::<serde_json::Value>(raw).ok().and_then(|raw| {
        let inner = raw.get("error").unwrap_or(&raw);
        let message = inner.get("message").or(Some(inner))?;
        message.as_str().map(str::to_owned)
    });
    said.unwrap_or_else(|| raw.to_owned())
}
