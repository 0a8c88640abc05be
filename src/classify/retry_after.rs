//! How long the upstream asks to wait: five places, in the order of how much they can be trusted.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use http::HeaderMap;

use super::GENERATION_HEADER;
use openrouter_wire::error::UpstreamError;

/// The longest hint that is kept. The farthest real one is the next midnight, when daily quotas come back.
const LONGEST_HINT: Duration = Duration::from_secs(24 * 60 * 60);

/// When the limit is reset.
const RESET_HEADER: &str = "x-ratelimit-reset";

/// The first hint that can be read, clamped.
pub(super) fn retry_after(headers: &HeaderMap, error: Option<&UpstreamError>, now: SystemTime) -> Option<Duration> {
    let header = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
    let copied = |name: &str| error.and_then(|error| error.header(name));
    let availability = || error?.availability.as_ref()?.retry_after;
    header("retry-after-ms")
        .and_then(seconds)
        .map(|milliseconds| milliseconds / 1000)
        .or_else(|| header("retry-after").and_then(|text| seconds_or_date(text, now)))
        .or_else(|| availability().and_then(duration))
        .or_else(|| error?.retry_after_seconds.and_then(duration))
        .or_else(|| copied("retry-after").and_then(|text| seconds_or_date(text, now)))
        .or_else(|| header(RESET_HEADER).and_then(|text| until(text, now)))
        .or_else(|| copied(RESET_HEADER).and_then(|text| until(text, now)))
        .or_else(|| error?.told_wait())
        .map(|wait| wait.min(LONGEST_HINT))
}

/// Those of a response's headers that an error in its body is read with: an open stream keeps no others.
pub(crate) fn headers_of_errors(headers: &HeaderMap) -> HeaderMap {
    let mut kept = HeaderMap::new();
    for (name, value) in headers {
        let text = name.as_str();
        if text.starts_with("retry-after") || text == RESET_HEADER || text == GENERATION_HEADER.as_str() {
            kept.append(name.clone(), value.clone());
        }
    }
    kept
}

fn seconds_or_date(text: &str, now: SystemTime) -> Option<Duration> {
    seconds(text).or_else(|| {
        let date = httpdate::parse_http_date(text.trim()).ok()?;
        // A date that has passed means now.
        Some(date.duration_since(now).unwrap_or_default())
    })
}

fn seconds(text: &str) -> Option<Duration> {
    duration(text.trim().parse().ok()?)
}

fn duration(seconds: f64) -> Option<Duration> {
    if seconds > LONGEST_HINT.as_secs_f64() {
        return Some(LONGEST_HINT);
    }
    Duration::try_from_secs_f64(seconds).ok()
}

/// An instant in Unix milliseconds.
fn until(text: &str, now: SystemTime) -> Option<Duration> {
    let reset = UNIX_EPOCH.checked_add(Duration::from_millis(text.trim().parse().ok()?))?;
    Some(reset.duration_since(now).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn from_header(name: &'static str, value: &'static str) -> Option<Duration> {
        let mut headers = HeaderMap::new();
        headers.insert(name, http::HeaderValue::from_static(value));
        retry_after(&headers, None, UNIX_EPOCH + Duration::from_secs(784_111_777))
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
    fn ignores_what_is_no_time_and_clamps_the_rest() {
        for bad in ["soon", "-1", "NaN", ""] {
            assert_eq!(from_header("retry-after", bad), None, "{bad}");
        }
        for far in ["1e300", "99999999999", "inf"] {
            assert_eq!(from_header("retry-after", far), Some(LONGEST_HINT), "{far}");
        }
        assert_eq!(from_header("x-ratelimit-reset", "99999999999999999999"), None);
    }
}
