//! What can be read from the words of an error, in addition to its fields.

use std::time::Duration;

use serde_json::Value;

/// A number of seconds as a span of time; `None` if it is negative, not a number, or overflows.
pub(super) fn seconds(seconds: f64) -> Option<Duration> {
    Duration::try_from_secs_f64(seconds).ok()
}

/// Google's `details`: `{"@type": "…RetryInfo", "retryDelay": "34s"}`, in seconds.
pub(super) fn retry_delay(error: &Value) -> Option<f64> {
    let details = error.get("details")?.as_array()?;
    let delay = details.iter().find_map(|detail| detail.get("retryDelay"))?;
    match delay {
        Value::String(text) => text.trim().strip_suffix('s')?.trim().parse().ok(),
        Value::Object(parts) => parts.get("seconds")?.as_f64(),
        other => other.as_f64(),
    }
}

/// The number in "can only afford 1480": how many tokens the balance would pay for. Thousands may be set off with commas.
#[must_use]
pub fn affordable_tokens(message: &str) -> Option<u64> {
    let (_, rest) = message.split_once("can only afford ")?;
    let digits: String = rest
        .chars()
        .take_while(|mark| mark.is_ascii_digit() || *mark == ',')
        .filter(char::is_ascii_digit)
        .collect();
    digits.parse().ok()
}

/// At most `limit` bytes of a text, cut between two characters.
pub(super) fn truncate(mut text: String, limit: usize) -> String {
    if text.len() > limit {
        let cut = (0..=limit)
            .rev()
            .find(|index| text.is_char_boundary(*index))
            .unwrap_or(0);
        text.truncate(cut);
    }
    text
}
