//! The time to a reset, in whatever form an upstream writes it.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use openrouter_wire::error::seconds_of_unit;
use tower_llm_layers::UtcTime;

/// The longest reset that is believed. The farthest real one is the next midnight, when daily quotas come back.
pub(crate) const LONGEST_RESET: Duration = Duration::from_secs(24 * 60 * 60);

/// The time to a reset: an instant in Unix milliseconds or seconds or as RFC 3339 writes it, seconds from now, parts such as `6m0s`,
/// `120ms` and `30 seconds`, `00:00:42` and `PT42S`, or an HTTP date; of several joined values, the first. `None` if it is negative or no time.
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
            None => parts(text)
                .or_else(|| clock(text))
                .or_else(|| parts(text.strip_prefix("PT")?))
                .or_else(|| first(text, now)),
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

/// The first of several values that were joined: `42, 42`.
fn first(text: &str, now: SystemTime) -> Option<Duration> {
    let (first, _) = text.split_once(',')?;
    first.trim().parse::<f64>().ok().and_then(|_| time_to(first, now))
}

/// `00:00:42`, as .NET writes a span of time: hours, minutes and seconds, maybe behind days and a point.
fn clock(text: &str) -> Option<Duration> {
    let (hours, rest) = text.split_once(':')?;
    let (minutes, seconds) = rest.split_once(':')?;
    let (days, hours) = hours.split_once('.').unwrap_or(("0", hours));
    let whole = |text: &str, most: u32| text.parse::<u32>().ok().filter(|number| *number <= most);
    let seconds = seconds
        .parse::<f64>()
        .ok()
        .filter(|seconds| (0.0..60.0).contains(seconds))?;
    let minutes = whole(days, 366)? * 1440 + whole(hours, 9_999)? * 60 + whole(minutes, 59)?;
    Duration::try_from_secs_f64(f64::from(minutes) * 60.0 + seconds).ok()
}

/// `1h2m3.5s`, `120ms`, `30 seconds`, `1 minute and 5 seconds`.
fn parts(mut text: &str) -> Option<Duration> {
    let mut whole = Duration::ZERO;
    while !text.is_empty() {
        let digits = text.find(|character: char| !character.is_ascii_digit() && character != '.')?;
        let (number, rest) = text.split_at_checked(digits)?;
        let rest = rest.trim_start();
        let unit = rest
            .find(|character: char| !character.is_ascii_alphabetic())
            .unwrap_or(rest.len());
        let (unit, rest) = rest.split_at_checked(unit)?;
        let part =
            Duration::try_from_secs_f64(number.parse::<f64>().ok()? * seconds_of_unit(&unit.to_ascii_lowercase())?)
                .ok()?;
        whole = whole.checked_add(part)?;
        let behind = rest.trim_start_matches([' ', ',']);
        text = behind.strip_prefix("and ").unwrap_or(behind);
    }
    (!whole.is_zero()).then_some(whole)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_is_read_in_parts_and_in_words() {
        for (text, milliseconds) in [
            ("6m0s", Some(360_000)),
            ("1h2m3.5s", Some(3_723_500)),
            ("120ms", Some(120)),
            ("30 seconds", Some(30_000)),
            (" 1 Minute ", Some(60_000)),
            ("1 minute and 5 seconds", Some(65_000)),
            ("1 hour, 2 mins", Some(3_720_000)),
            ("2 days", Some(172_800_000)),
            ("42, 42", Some(42_000)),
            ("1.5,2", Some(1_500)),
            ("00:00:42", Some(42_000)),
            ("1.02:03:04.5", Some(93_784_500)),
            ("PT42S", Some(42_000)),
            ("PT1H2M3.5S", Some(3_723_500)),
            ("42 of them, 42", None),
            ("00:60:00", None),
            ("00:00", None),
            ("P1M", None),
            ("0 seconds", None),
            ("seconds", None),
            ("30 moons", None),
            ("30 seconds from now", None),
            ("- 30 seconds", None),
            ("1 2", None),
        ] {
            let expected = milliseconds.map(Duration::from_millis);
            assert_eq!(time_to(text, UNIX_EPOCH), expected, "{text}");
        }
    }
}
