//! When to come back, as the members of an error have it, under the names of many servers.

use serde_json::Value;

use super::fields::{number, text};
use super::hints::amount;

/// The members of an error that may hold the wait.
const WITHIN: [&str; 5] = ["metadata", "details", "detail", "meta", "rate_limit"];

/// From here on a number of seconds is an instant since 1970.
const FIRST_INSTANT: f64 = 1e9;

/// What a member's name means for its value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Meaning {
    unit: Unit,
    /// It is the time of a limit, which is a wait only if that limit was met.
    is_reset: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Unit {
    /// Seconds, or an amount of time in words; an instant if it is a date, or too large a number.
    Seconds,
    /// The same of milliseconds, without words.
    Milliseconds,
}

/// The wait in seconds: `retry_after` in any spelling, `wait_seconds`, `cooldown_ms`, or the time that a model takes to load, as Hugging Face has
/// it. In the error itself, or one object deeper. The time to a reset is none: see [`instant`].
pub(super) fn seconds(error: &Value) -> Option<f64> {
    let wait = |meaning: Meaning, value: &Value| amount_of(value, meaning.unit).filter(|_| !meaning.is_reset);
    places(error).find_map(|object| members(object, wait))
}

/// The time of a reset: a date, or a number of seconds or milliseconds since 1970, as it is written; or the seconds until then, as `21s`.
pub(super) fn instant(error: &Value) -> Option<String> {
    places(error).find_map(|object| members(object, instant_of))
}

/// The error, and the objects in it that may have the wait.
fn places(error: &Value) -> impl Iterator<Item = &Value> {
    let within = WITHIN.iter().filter_map(move |name| error.get(*name));
    std::iter::once(error).chain(within)
}

/// The first value that can be read, of the members in seconds, else of those in milliseconds.
fn members<T>(object: &Value, read: impl Fn(Meaning, &Value) -> Option<T>) -> Option<T> {
    let object = object.as_object()?;
    let plain = |value: &Value| value.is_number() || value.is_string();
    let of_unit = |unit: Unit| {
        let mut members = object.iter().filter(|(_, value)| plain(value));
        members.find_map(|(name, value)| {
            let meaning = meaning_of(name).filter(|meaning| meaning.unit == unit)?;
            read(meaning, value)
        })
    };
    of_unit(Unit::Seconds).or_else(|| of_unit(Unit::Milliseconds))
}

/// A number in its unit, or a text such as `30s` or `30 seconds`, in seconds.
fn amount_of(value: &Value, unit: Unit) -> Option<f64> {
    let number = number(Some(value));
    let seconds = match unit {
        Unit::Seconds => number.or_else(|| amount(value.as_str()?))?,
        Unit::Milliseconds => number? / 1000.0,
    };
    (0.0..FIRST_INSTANT).contains(&seconds).then_some(seconds)
}

fn instant_of(meaning: Meaning, value: &Value) -> Option<String> {
    let text = text(Some(value)).filter(|text| text.trim_start().starts_with(|mark: char| mark.is_ascii_digit()))?;
    match amount_of(value, meaning.unit) {
        None => Some(text),
        Some(seconds) => meaning.is_reset.then(|| format!("{seconds}s")),
    }
}

/// The meaning of a name that has a word for a wait, and behind it one for its measure: `retryAfter`, `reset_at`, `cooldown-seconds`.
fn meaning_of(name: &str) -> Option<Meaning> {
    const WAITS: [&str; 4] = ["retry", "reset", "wait", "cooldown"];
    const SECONDS: [&str; 6] = ["in", "after", "seconds", "secs", "at", "time"];
    const MILLISECONDS: [&str; 2] = ["ms", "milliseconds"];
    /// What has passed, a setting, and minutes.
    const SOMETHING_ELSE: [&str; 9] = [
        "waited", "elapsed", "total", "max", "min", "timeout", "last", "previous", "start",
    ];
    let letters = name.chars().filter(char::is_ascii_alphabetic);
    let name: String = letters.map(|letter| letter.to_ascii_lowercase()).collect();
    let ends = |ends: &[&str]| ends.iter().any(|end| name.ends_with(end));
    let is_wait = WAITS.iter().any(|word| name.contains(word));
    let unit = if name == "estimatedtime" {
        Unit::Seconds
    } else if !is_wait || SOMETHING_ELSE.iter().any(|word| name.contains(word)) {
        return None;
    } else if ends(&MILLISECONDS) {
        Unit::Milliseconds
    } else if ends(&SECONDS) {
        Unit::Seconds
    } else {
        return None;
    };
    let is_reset = name.contains("reset");
    Some(Meaning { unit, is_reset })
}

#[cfg(test)]
mod tests {
    use super::super::UpstreamError;

    fn failed(body: &str) -> UpstreamError {
        UpstreamError::parse_failed(body.as_bytes()).unwrap()
    }

    #[test]
    fn a_wait_is_read_under_its_many_names() {
        for (body, seconds) in [
            (
                r#"{"error":{"message":"Rate limit exceeded","type":"rate_limit","retry_after_ms":9000}}"#,
                Some(9.0),
            ),
            (
                r#"{"statusCode":429,"error":"Too Many Requests","message":"Rate limit exceeded, retry later","retryAfter":9}"#,
                Some(9.0),
            ),
            (r#"{"error":{"message":"busy","retryAfterMs":"1500"}}"#, Some(1.5)),
            (r#"{"message":"busy","retry_after_ms":250,"code":429}"#, Some(0.25)),
            (r#"{"error":{"message":"busy","retryAfterSeconds":7}}"#, Some(7.0)),
            (r#"{"error":{"message":"busy","retry_after":"30 seconds"}}"#, Some(30.0)),
            (r#"{"error":{"message":"busy","retryAfter":"1m30s"}}"#, Some(90.0)),
            (r#"{"error":{"message":"busy","metadata":{"retryAfter":4}}}"#, Some(4.0)),
            (r#"{"error":{"message":"busy","details":{"retry_after":4}}}"#, Some(4.0)),
            // The one in seconds goes before.
            (
                r#"{"error":{"message":"busy","retry_after":2,"retry_after_ms":2100}}"#,
                Some(2.0),
            ),
            (r#"{"error":{"message":"busy","retryAfter":null}}"#, None),
            (r#"{"error":{"message":"busy","retryAfter":"soon"}}"#, None),
            (r#"{"error":{"message":"busy","retry_after_ms":[9]}}"#, None),
        ] {
            assert_eq!(failed(body).retry_after_seconds, seconds, "{body}");
        }
    }

    #[test]
    fn a_wait_is_known_by_the_words_of_its_name_and_may_stand_one_object_deeper() {
        for (members, seconds) in [
            (r#""retry_in_ms":21000"#, Some(21.0)),
            (r#""wait_seconds":21"#, Some(21.0)),
            (r#""cooldownSeconds":"21""#, Some(21.0)),
            (r#""wait_time":"21s","wait_seconds":21"#, Some(21.0)),
            (r#""Wait-Time":21"#, Some(21.0)),
            (r#""detail":{"retry_after":21}"#, Some(21.0)),
            (r#""meta":{"retry_after":21}"#, Some(21.0)),
            (
                r#""rate_limit":{"limit":60,"remaining":0,"retry_after":21}"#,
                Some(21.0),
            ),
            // The time of a limit, which may be one that was not met; and an instant.
            (r#""reset_in":21"#, None),
            (r#""resets_in_seconds":21,"reset_in_ms":21000"#, None),
            (r#""rate_limit":{"limit":60,"remaining":59,"reset_after":3600}"#, None),
            (r#""retry_at_ms":1780000021000"#, None),
            // What has passed, a setting, a count, a unit that is not read.
            (r#""waited_seconds":21"#, None),
            (r#""total_wait_ms":21"#, None),
            (r#""max_retry_wait_seconds":21"#, None),
            (r#""retry_timeout_seconds":21"#, None),
            (r#""retry_count":21,"retries":21,"is_retryable":true"#, None),
            (r#""wait_min":21"#, None),
            (r#""reset_interval":"21 s","preset_name":21"#, None),
            (r#""retry_after":-21"#, None),
            (r#""other":{"retry_after":21}"#, None),
        ] {
            for body in [
                format!(r#"{{"error":{{"message":"busy",{members}}}}}"#),
                format!(r#"{{"error":{{"message":"busy"}},{members}}}"#),
            ] {
                assert_eq!(failed(&body).retry_after_seconds, seconds, "{body}");
            }
        }
        // JSON:API, and FastAPI.
        for body in [
            r#"{"errors":[{"status":"429","title":"Too Many Requests","detail":"busy","meta":{"retry_after":21}}]}"#,
            r#"{"detail":{"message":"busy","retry_after":21}}"#,
        ] {
            assert_eq!(failed(body).retry_after_seconds, Some(21.0), "{body}");
        }
    }

    #[test]
    fn the_time_of_a_reset_is_kept_as_it_is_written() {
        for (members, time) in [
            (r#""resets_at":1780000021"#, Some("1780000021")),
            (r#""resets_at":"2026-12-01T00:00:00Z""#, Some("2026-12-01T00:00:00Z")),
            (r#""reset_at":"2026-12-01T00:00:00Z""#, Some("2026-12-01T00:00:00Z")),
            (
                r#""metadata":{"resets_at":"2026-12-01T00:00:00Z"}"#,
                Some("2026-12-01T00:00:00Z"),
            ),
            (r#""retry_after":"2026-12-01T00:00:00Z""#, Some("2026-12-01T00:00:00Z")),
            (r#""reset_at":"soon","resets_at":null"#, None),
            (r#""created_at":1780000021"#, None),
            (r#""retry_after":21"#, None),
            // The time until then.
            (r#""reset_in":21"#, Some("21s")),
            (r#""resets_in_seconds":"21""#, Some("21s")),
            (r#""reset_after":"1m30s""#, Some("90s")),
            (r#""reset_in_ms":1500"#, Some("1.5s")),
            (
                r#""rate_limit":{"limit":60,"remaining":0,"reset_after":21}"#,
                Some("21s"),
            ),
            (r#""reset_at_ms":1780000021000"#, Some("1780000021000")),
            // The last reset is over.
            (
                r#""last_reset_at":1779990000,"previous_reset":1,"window_start_reset_at":1779990000,"resets_at":1780000021"#,
                Some("1780000021"),
            ),
            (r#""last_reset_at":1779990000"#, None),
        ] {
            let body = format!(r#"{{"error":{{"message":"spent",{members}}}}}"#);
            assert_eq!(failed(&body).resets_at.as_deref(), time, "{body}");
        }
        let beside = r#"{"error":{"message":"spent"},"resets_at":1780000021}"#;
        assert_eq!(failed(beside).resets_at.as_deref(), Some("1780000021"));
    }
}
