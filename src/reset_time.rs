//! The time to a reset, in whatever form an upstream writes it.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use tower_llm_layers::UtcTime;

/// The longest reset that is believed. The farthest real one is the next midnight, when daily quotas come back.
pub(crate) const LONGEST_RESET: Duration = Duration::from_secs(24 * 60 * 60);

/// The time to a reset: an instant in Unix milliseconds or seconds or as RFC 3339 writes it, seconds from now, parts such as `6m0s`
/// and `120ms`, or an HTTP date. `None` if it is negative or no time.
pub(crate) fn time_to(text: &str, now: SystemTime) -> Option<Duration> {
    let text = text.trim();
    const FIRST_MILLIS: f64 = 1e11;
    const FIRST_INSTANT: f64 = 1e9;
    // Beyond any instant that is a time.
    const FARTHEST: f64 = 1e12;
    let Ok(number) = text.parse::<f64>() else {
        let rfc3339 = || {
            let time: UtcTime = text.parse().ok()?;
            UNIX_EPOCH.checked_add(Duration::from_millis(time.millis()))
        };
        return match rfc3339().or_else(|| httpdate::parse_http_date(text).ok()) {
            // An instant that has passed means now.
            Some(instant) => Some(instant.duration_since(now).unwrap_or_default()),
            None => parts(text),
        };
    };
    let seconds = if number >= FIRST_MILLIS {
        number / 1000.0
    } else {
        number
    };
    if seconds > FARTHEST {
        return Some(LONGEST_RESET);
    }
    let time = Duration::try_from_secs_f64(seconds).ok()?;
    if number < FIRST_INSTANT {
        return Some(time);
    }
    Some(UNIX_EPOCH.checked_add(time)?.duration_since(now).unwrap_or_default())
}

/// `1h2m3.5s`, `120ms`.
fn parts(mut text: &str) -> Option<Duration> {
    let mut whole = Duration::ZERO;
    while !text.is_empty() {
        let digits = text.find(|character: char| !character.is_ascii_digit() && character != '.')?;
        let (number, rest) = text.split_at_checked(digits)?;
        let unit = rest
            .find(|character: char| !character.is_ascii_alphabetic())
            .unwrap_or(rest.len());
        let (unit, rest) = rest.split_at_checked(unit)?;
        let seconds = match unit {
            "d" => 86_400.0,
            "h" => 3_600.0,
            "m" => 60.0,
            "s" => 1.0,
            "ms" => 0.001,
            _ => return None,
        };
        let part = Duration::try_from_secs_f64(number.parse::<f64>().ok()? * seconds).ok()?;
        whole = whole.checked_add(part)?;
        text = rest;
    }
    (!whole.is_zero()).then_some(whole)
}
