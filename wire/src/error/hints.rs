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

/// The wait that words ask for: "Please try again in 7.66s", "Try again in 26 seconds", "Please retry in 1m30s", in seconds.
pub(super) fn reported_wait(message: &str) -> Option<f64> {
    const BEFORE: [&str; 5] = [
        "try again in ",
        "retry in ",
        "retry after ",
        "try again after ",
        "wait for ",
    ];
    // Later words are another matter.
    let start = message
        .get(..message.len().min(1024))
        .unwrap_or(message)
        .to_ascii_lowercase();
    let rest = BEFORE.iter().find_map(|before| start.split_once(before))?.1;
    let mut rest = rest.trim_start_matches(['~', '"', '\'', '`']);
    let mut total = None;
    loop {
        let digits = rest
            .find(|mark: char| !mark.is_ascii_digit() && mark != '.')
            .unwrap_or(rest.len());
        let (number, behind) = rest.split_at(digits);
        let Ok(number) = number.trim_end_matches('.').parse::<f64>() else {
            break;
        };
        let behind = behind.trim_start();
        let unit = behind
            .find(|mark: char| !mark.is_ascii_alphabetic())
            .unwrap_or(behind.len());
        let (unit, behind) = behind.split_at(unit);
        let seconds = match unit {
            "ms" | "milliseconds" | "millisecond" => 0.001,
            "s" | "sec" | "secs" | "second" | "seconds" => 1.0,
            "m" | "min" | "mins" | "minute" | "minutes" => 60.0,
            "h" | "hr" | "hrs" | "hour" | "hours" => 3600.0,
            "d" | "day" | "days" => 86_400.0,
            _ => break,
        };
        total = Some(total.unwrap_or(0.0) + number * seconds);
        rest = behind.trim_start_matches([' ', ',']).trim_start_matches("and ");
    }
    total
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
