//! How long the upstream asks to wait: twelve places, in the order of how much they can be trusted.

use std::time::{Duration, SystemTime};

use http::{HeaderMap, HeaderName, HeaderValue};

use super::GENERATION_HEADER;
use crate::{
    limit_status::{is_of_limits, reset_of_error},
    reset_time::{LONGEST_RESET, time_to},
};
use openrouter_wire::error::UpstreamError;

/// The first hint that can be read and is not over, clamped; zero if all that can be read are. `is_limit`: whether the error is a rate
/// limit, so that the headers which tell of limits are about it.
pub(super) fn retry_after(
    headers: &HeaderMap,
    error: Option<&UpstreamError>,
    is_limit: bool,
    now: SystemTime,
) -> Option<Duration> {
    let time = |text: &str| time_to(text, now);
    let of_header = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
    let of_copy = |name: &str| error.and_then(|error| error.header(name));
    let header = |name: &str| of_header(name).and_then(time);
    let copied = |name: &str| of_copy(name).and_then(time);
    // What has something left is not the limit that was met.
    let is_spent = |left: Option<&str>| left.is_none_or(|left| left.trim().parse() == Ok(0.0));
    let places: [&dyn Fn() -> Option<Duration>; 12] = [
        &|| milliseconds(headers.get("retry-after-ms")?.to_str().ok()?),
        &|| header("retry-after"),
        &|| of_another_name(headers, is_limit, now),
        &|| seconds(error?.availability.as_ref()?.retry_after?),
        &|| seconds(error?.retry_after_seconds?),
        &|| copied("retry-after"),
        &|| header("x-ratelimit-reset").filter(|_| is_limit && is_spent(of_header("x-ratelimit-remaining"))),
        &|| copied("x-ratelimit-reset").filter(|_| is_limit && is_spent(of_copy("x-ratelimit-remaining"))),
        &|| time(error?.resets_at.as_deref()?).filter(|wait| is_limit && !wait.is_zero()),
        &|| error?.reported_wait(),
        // One that is over may be one of another zone: it says nothing.
        &|| time(error?.reported_reset()?.as_str()).filter(|wait| is_limit && !wait.is_zero()),
        &|| reset_of_error(headers, now).filter(|_| is_limit),
    ];
    let mut over = None;
    for hint in places.into_iter().filter_map(|place| place()) {
        if !hint.is_zero() {
            return Some(hint.min(LONGEST_RESET));
        }
        over = Some(hint);
    }
    over
}

/// The longest wait in headers that are named like `Retry-After`: `x-ratelimit-retry-after`, `x-rate-limit-retry-after-seconds`. Of a limit also
/// `x-ratelimit-timeremaining`.
fn of_another_name(headers: &HeaderMap, is_limit: bool, now: SystemTime) -> Option<Duration> {
    let wait = |name: &str, value: &HeaderValue| {
        let name = name.replace('-', "");
        let ends = |ends: &[&str]| ends.iter().any(|end| name.ends_with(end));
        let value = value.to_str().ok()?;
        if ends(&["retryafterms", "retryaftermilliseconds"]) {
            milliseconds(value)
        } else if ends(&["retryafter", "retryafterseconds"]) || (is_limit && ends(&["ratelimittimeremaining"])) {
            time_to(value, now)
        } else {
            None
        }
    };
    let others = headers
        .iter()
        .filter(|(name, _)| !matches!(name.as_str(), "retry-after" | "retry-after-ms"));
    others.filter_map(|(name, value)| wait(name.as_str(), value)).max()
}

/// Whether trying again is of use: read of upstreams, and written to clients.
pub(crate) const SHOULD_RETRY: HeaderName = HeaderName::from_static("x-should-retry");

/// Whether the upstream asks to repeat the same request, or not to: OpenAI's and Anthropic's clients obey it.
pub(super) fn should_retry(headers: &HeaderMap) -> Option<bool> {
    let asked = headers.get(SHOULD_RETRY)?.to_str().ok()?;
    match asked.trim() {
        asked if asked.eq_ignore_ascii_case("true") => Some(true),
        asked if asked.eq_ignore_ascii_case("false") => Some(false),
        _ => None,
    }
}

/// What a plain answer cost, in US dollars, as `LiteLLM`'s proxy says it.
pub(crate) const COST_HEADER: HeaderName = HeaderName::from_static("x-litellm-response-cost");

/// Those of a response's headers that its body is read with: an open stream keeps no others. They are copies, since each value that was received
/// keeps all of the bytes that it came with, some 8 KiB.
pub(crate) fn headers_of_errors(headers: &HeaderMap) -> HeaderMap {
    let mut kept = HeaderMap::new();
    for (name, value) in headers {
        let text = name.as_str();
        let is_named = name == GENERATION_HEADER || name == COST_HEADER;
        if is_named || text.contains("retry-after") || is_of_limits(text) {
            let own = HeaderValue::from_bytes(value.as_bytes());
            kept.append(name.clone(), own.unwrap_or_else(|_| value.clone()));
        }
    }
    kept
}

fn milliseconds(text: &str) -> Option<Duration> {
    seconds(text.trim().parse::<f64>().ok()? / 1000.0)
}

fn seconds(seconds: f64) -> Option<Duration> {
    if seconds > LONGEST_RESET.as_secs_f64() {
        return Some(LONGEST_RESET);
    }
    Duration::try_from_secs_f64(seconds).ok()
}

#[cfg(test)]
mod tests {
    use std::time::UNIX_EPOCH;

    use super::*;

    fn from_header(name: &'static str, value: &'static str) -> Option<Duration> {
        let mut headers = HeaderMap::new();
        headers.insert(name, HeaderValue::from_static(value));
        retry_after(&headers, None, true, UNIX_EPOCH + Duration::from_secs(784_111_777))
    }

    #[test]
    fn reads_seconds_dates_and_milliseconds() {
        assert_eq!(from_header("retry-after", "17"), Some(Duration::from_secs(17)));
        assert_eq!(from_header("retry-after", "0"), Some(Duration::ZERO));
        assert_eq!(from_header("retry-after", "1.5"), Some(Duration::from_millis(1500)));
        assert_eq!(from_header("retry-after-ms", "250"), Some(Duration::from_millis(250)));
        let date = "Sun, 06 Nov 1994 08:49:47 GMT";
        assert_eq!(from_header("retry-after", date), Some(Duration::from_secs(10)));
        assert_eq!(
            from_header("retry-after", "Sun, 06 Nov 1994 08:00:00 GMT"),
            Some(Duration::ZERO)
        );
        assert_eq!(
            from_header("x-ratelimit-reset", "784111780000"),
            Some(Duration::from_secs(3))
        );
    }

    #[test]
    fn a_wait_is_read_from_headers_of_other_names() {
        let wait = |name: &'static str, value: &'static str| from_header(name, value).map(|wait| wait.as_secs_f64());
        for (name, value, seconds) in [
            ("x-retry-after", "33", Some(33.0)),
            ("x-ratelimit-retry-after", "42", Some(42.0)),
            ("x-rate-limit-retry-after-seconds", "42", Some(42.0)),
            ("x-ai-ratelimit-retry-after", "23", Some(23.0)),
            ("x-retry-after-ms", "1500", Some(1.5)),
            ("x-ratelimit-timeremaining", "38", Some(38.0)),
            ("x-retry-after-count", "3", None),
            ("x-timeremaining", "38", None),
            // Values that were joined, and spans of time of .NET and Java.
            ("retry-after", "42, 42", Some(42.0)),
            ("retry-after", "00:00:42", Some(42.0)),
            ("retry-after", "PT42S", Some(42.0)),
        ] {
            assert_eq!(wait(name, value), seconds, "{name}: {value}");
        }
        // Without a limit that was met, the time that is left of a window is no wait.
        let mut headers = HeaderMap::new();
        headers.insert("x-ratelimit-timeremaining", HeaderValue::from_static("38"));
        assert_eq!(retry_after(&headers, None, false, UNIX_EPOCH), None);
        // A stream keeps such headers for its errors.
        headers.insert("x-retry-after", HeaderValue::from_static("33"));
        headers.insert("x-rate-limit-reset", HeaderValue::from_static("33"));
        headers.insert("x-other", HeaderValue::from_static("33"));
        assert_eq!(headers_of_errors(&headers).len(), 3);
    }

    #[test]
    fn the_time_of_a_reset_is_a_hint_of_a_limit() {
        let error = |members: &str| {
            let body = format!(r#"{{"error":{{"message":"Workspace budget exceeded",{members}}}}}"#);
            UpstreamError::parse(body.as_bytes()).unwrap()
        };
        // 1994-11-06 08:49:37 in UTC.
        let now = UNIX_EPOCH + Duration::from_secs(784_111_777);
        let wait = |members: &str, is_limit| {
            let wait = retry_after(&HeaderMap::new(), Some(&error(members)), is_limit, now);
            wait.map(|wait| wait.as_secs())
        };
        for members in [
            r#""metadata":{"resets_at":"1994-11-06T09:00:00Z"}"#,
            r#""resets_at":"1994-11-06T09:00:00Z""#,
            r#""reset_at":"soon","reset_in":623"#,
            r#""resets_in_seconds":"623""#,
            r#""reset_in_ms":623000"#,
            r#""rate_limit":{"limit":60,"remaining":0,"reset_after":623}"#,
        ] {
            assert_eq!(wait(members, true), Some(623), "{members}");
            assert_eq!(wait(members, false), None, "{members}");
        }
        let epoch = UNIX_EPOCH + Duration::from_secs(1_780_000_000);
        let told = error(r#""resets_at":1780000600"#);
        let wait_of_epoch = retry_after(&HeaderMap::new(), Some(&told), true, epoch);
        assert_eq!(wait_of_epoch, Some(Duration::from_secs(600)));
        // One that is over, or of no limit, says nothing.
        assert_eq!(wait(r#""resets_at":"1994-11-06T08:00:00Z""#, true), None);
        assert_eq!(wait(r#""resets_at":"1994-11-06T09:00:00Z""#, false), None);
    }

    /// A reset tells when a limit is full again: that is a hint only if this limit was met.
    #[test]
    fn a_reset_is_a_hint_only_of_a_limit_that_is_spent() {
        let now = UNIX_EPOCH + Duration::from_secs(784_111_777);
        let hour = Some(Duration::from_secs(3600));
        for (remaining, is_limit, hint) in [
            (Some("412"), false, None),
            (Some("0"), false, None),
            (None, false, None),
            (Some("412"), true, None),
            (Some("0"), true, hour),
            (None, true, hour),
        ] {
            let mut headers = HeaderMap::new();
            headers.insert("x-ratelimit-reset", HeaderValue::from_static("784115377000"));
            if let Some(remaining) = remaining {
                headers.insert("x-ratelimit-remaining", HeaderValue::from_static(remaining));
            }
            assert_eq!(
                retry_after(&headers, None, is_limit, now),
                hint,
                "{remaining:?} {is_limit}"
            );
        }
    }

    #[test]
    fn a_date_in_the_words_of_a_limit_is_a_hint() {
        let words =
            |date: &str| format!(r#"{{"error":{{"code":"1308","message":"Your limit will reset at {date}"}}}}"#);
        // 1994-11-06 08:49:37 in UTC.
        let now = UNIX_EPOCH + Duration::from_secs(784_111_777);
        for (date, is_limit, hint) in [
            ("2026-11-06 03:30:06", true, Some(LONGEST_RESET)),
            ("2026-11-06 03:30:06", false, None),
            ("2000-99-99 03:30:06", true, None),
        ] {
            let error = UpstreamError::parse(words(date).as_bytes()).unwrap();
            assert_eq!(
                retry_after(&HeaderMap::new(), Some(&error), is_limit, now),
                hint,
                "{date}"
            );
        }
        // 2026-09-09 03:30:06 in China.
        let reset = UNIX_EPOCH + Duration::from_secs(1_788_895_806);
        let error = UpstreamError::parse(words("2026-09-09 03:30:06").as_bytes()).unwrap();
        let hint = |now| retry_after(&HeaderMap::new(), Some(&error), true, now);
        assert_eq!(hint(reset - Duration::from_secs(90)), Some(Duration::from_secs(90)));
        assert_eq!(
            hint(reset + Duration::from_secs(90)),
            None,
            "it is over, or of another zone"
        );
    }

    #[test]
    fn ignores_what_is_no_time_and_clamps_the_rest() {
        for bad in ["soon", "-1", "NaN", ""] {
            assert_eq!(from_header("retry-after", bad), None, "{bad}");
        }
        for far in ["1e300", "99999999999", "inf"] {
            assert_eq!(from_header("retry-after", far), Some(LONGEST_RESET), "{far}");
        }
        let far = from_header("x-ratelimit-reset", "99999999999999999999");
        assert_eq!(far, Some(LONGEST_RESET));
    }
}
