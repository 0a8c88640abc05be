//! Durations as short text: `20s`, `50ms`, `250us`, `2m`.

use std::time::Duration;

/// Reads `20s`, `50ms`, `250us`, `2m`; a bare number is seconds.
pub(crate) fn parse(text: &str) -> Option<Duration> {
    let end = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let (number, unit) = text.split_at_checked(end)?;
    let number: u64 = number.parse().ok()?;
    match unit {
        "us" => Some(Duration::from_micros(number)),
        "ms" => Some(Duration::from_millis(number)),
        "s" | "" => Some(Duration::from_secs(number)),
        "m" => number.checked_mul(60).map(Duration::from_secs),
        _ => None,
    }
}

/// Writes what [`parse`] reads, in the largest of s, ms, us that loses nothing.
pub(crate) fn show(span: Duration) -> String {
    if span.subsec_nanos() == 0 {
        format!("{}s", span.as_secs())
    } else if span.subsec_micros().is_multiple_of(1000) {
        format!("{}ms", span.as_millis())
    } else {
        format!("{}us", span.as_micros())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_shown_is_read_back() {
        for text in ["20s", "50ms", "250us", "0s", "1500ms"] {
            assert_eq!(show(parse(text).unwrap()), text);
        }
        assert_eq!(parse("2m"), Some(Duration::from_secs(120)));
        assert_eq!(parse("7"), Some(Duration::from_secs(7)));
        for wrong in ["", "s", "1h", "-1s", "1.5s"] {
            assert_eq!(parse(wrong), None, "{wrong}");
        }
    }
}
