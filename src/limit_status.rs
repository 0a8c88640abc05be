//! How little is left of an upstream's limit, by the headers of a success, and when a limit that is used up is filled again, by those of an error.

use std::time::{Duration, SystemTime};

use http::HeaderMap;
use tower_llm_layers::pause::RateLimitStatus;

use crate::reset_time::{LONGEST_RESET, time_to};

/// The names of resets that are believed by themselves, without a header that says how much is left; without their dashes.
const RESETS: [&str; 8] = [
    "xratelimitresetrequests",
    "xratelimitresettokens",
    "xratelimitreset",
    "ratelimitreset",
    "anthropicratelimitrequestsreset",
    "anthropicratelimittokensreset",
    "anthropicratelimitinputtokensreset",
    "anthropicratelimitoutputtokensreset",
];

/// How many limits of one response are read.
const MOST: usize = 32;

/// What an upstream says of one limit, each as it is written. The names of the three headers differ in one word.
struct LimitHeaders<'a> {
    /// That of the reset.
    name: &'a str,
    remaining: Option<&'a str>,
    limit: Option<&'a str>,
    reset: &'a str,
    /// It counts tokens or bytes, and not calls.
    is_of_size: bool,
}

impl LimitHeaders<'_> {
    /// The time to the reset.
    fn time(&self, now: SystemTime) -> Option<Duration> {
        /// A larger number is an instant, which has its own unit, and so has a text such as `120ms`.
        const FIRST_INSTANT: f64 = 1e9;
        let time = time_to(self.reset, now)?;
        let is_amount = || {
            let number = self.reset.split(',').next()?.trim().parse::<f64>().ok()?;
            Some(number < FIRST_INSTANT)
        };
        let is_in_milliseconds = self.name.ends_with("-ms") && is_amount() == Some(true);
        Some(if is_in_milliseconds { time / 1000 } else { time })
    }

    /// Whether its reset is believed by itself, whatever unit its name ends with.
    fn is_known(&self) -> bool {
        let letters = self.name.replace('-', "");
        let mut name = letters.as_str();
        for end in ["ms", "seconds", "after", "in"] {
            name = name.strip_suffix(end).unwrap_or(name);
        }
        if name.ends_with("resets") {
            name = name.strip_suffix('s').unwrap_or(name);
        }
        RESETS.contains(&name)
    }
}

/// The limits that an upstream names in headers of their own, whatever it calls them: `x-ratelimit-reset-tokens-minute`,
/// `ratelimitbysize-reset`, `anthropic-ratelimit-requests-reset`.
fn limit_headers(headers: &HeaderMap) -> impl Iterator<Item = LimitHeaders<'_>> {
    let text = text_of(headers);
    let names = headers.keys().map(http::HeaderName::as_str);
    let resets = names.filter(|name| is_of_limits(name) && name.contains("reset"));
    resets.take(MOST).filter_map(move |name| {
        Some(LimitHeaders {
            name,
            remaining: text(&name.replace("reset", "remaining")),
            limit: text(&name.replace("reset", "limit")),
            reset: text(name)?,
            is_of_size: name.contains("-tokens") || name.contains("bysize"),
        })
    })
}

/// The limit that is used up first. What is negative or cannot be read is unknown, and says nothing.
pub(crate) fn limit_status(headers: &HeaderMap, now: impl FnOnce() -> SystemTime) -> Option<RateLimitStatus> {
    if !headers.keys().any(|name| is_of_limits(name.as_str())) {
        return None;
    }
    let now = now();
    let text = text_of(headers);
    let separate = limit_headers(headers).filter_map(|limit| {
        let left = status(limit.remaining?, limit.limit, limit.time(now))?;
        // How many calls some tokens are is not known; that none are left is.
        (!limit.is_of_size || left.remaining == 0).then_some(left)
    });
    let together = text("ratelimit").into_iter().flat_map(|header| structured(header, now));
    separate.chain(together).min_by_key(|status| status.remaining)
}

/// Whether a header of this name is one of limits: all names in use have the word, some with a dash in it.
pub(crate) fn is_of_limits(name: &str) -> bool {
    // Few names have the word: the test for it is cheaper than a search for each place of it.
    if !name.contains("limit") {
        return false;
    }
    let mut found = name.match_indices("limit");
    found.any(|(at, _)| {
        let before = name.get(..at).unwrap_or_default();
        before.strip_suffix('-').unwrap_or(before).ends_with("rate")
    })
}

/// The time to the reset of the limit that an error is about: of those that are used up the last to be filled again. If nothing says how much is
/// left, each reset that is named may be the one.
pub(crate) fn reset_of_error(headers: &HeaderMap, now: SystemTime) -> Option<Duration> {
    if !headers.keys().any(|name| is_of_limits(name.as_str())) {
        return None;
    }
    let text = text_of(headers);
    let separate = limit_headers(headers).filter_map(|limit| {
        let left: Option<u64> = limit.remaining.and_then(|left| left.trim().parse().ok());
        // Anthropic's limits of a subscription have a status in the place of what is left.
        let is_rejected = || {
            let status = text(&limit.name.replace("reset", "status"));
            status.is_some_and(|status| status.trim().eq_ignore_ascii_case("rejected"))
        };
        let is_open = left.map_or_else(|| limit.is_known() || is_rejected(), |left| left == 0);
        is_open.then(|| limit.time(now)).flatten()
    });
    let together = text("ratelimit").into_iter().flat_map(|header| structured(header, now));
    let used_up = together.filter(|status| status.remaining == 0);
    let resets = separate.chain(used_up.map(|status| status.reset));
    resets.max().map(|reset| reset.min(LONGEST_RESET))
}

fn text_of<'a>(headers: &'a HeaderMap) -> impl Fn(&str) -> Option<&'a str> {
    |name| headers.get(name).and_then(|value| value.to_str().ok())
}

fn status(remaining: &str, limit: Option<&str>, reset: Option<Duration>) -> Option<RateLimitStatus> {
    Some(RateLimitStatus::new(
        remaining.trim().parse().ok()?,
        // Some name the window as well: `100, 100;w=60`.
        limit.and_then(|limit| limit.split([',', ';']).next()?.trim().parse().ok()),
        reset?.min(LONGEST_RESET),
    ))
}

/// One header for all: `"burst";r=50;t=30, "day";r=5;t=3600`, or in an older form `limit=100, remaining=50, reset=5`.
fn structured(header: &str, now: SystemTime) -> Vec<RateLimitStatus> {
    let value = |part: &str, names: &[&str]| {
        let mut pairs = part.split([';', ',']).filter_map(|pair| pair.trim().split_once('='));
        let found = pairs.find(|(name, _)| names.contains(name));
        found.map(|(_, value)| value.trim().to_owned())
    };
    let read = |part: &str| {
        let remaining = value(part, &["r", "remaining"])?;
        let reset = value(part, &["t", "reset"])?;
        let limit = value(part, &["q", "limit"]);
        status(&remaining, limit.as_deref(), time_to(&reset, now))
    };
    if header.contains("remaining=") {
        return read(header).into_iter().collect();
    }
    header.split(',').filter_map(read).collect()
}

#[cfg(test)]
mod tests {
    use std::time::UNIX_EPOCH;

    use super::*;

    const NOW: u64 = 1_780_000_000;

    /// What is left, the limit, and the reset in milliseconds.
    fn read(pairs: &[(&'static str, &'static str)]) -> Option<(u64, Option<u64>, u128)> {
        let mut headers = HeaderMap::new();
        for (name, value) in pairs {
            headers.insert(*name, http::HeaderValue::from_static(value));
        }
        let status = limit_status(&headers, || UNIX_EPOCH + Duration::from_secs(NOW))?;
        Some((status.remaining, status.limit, status.reset.as_millis()))
    }

    #[test]
    fn reads_what_upstreams_send() {
        for (pairs, status) in [
            (
                &[
                    ("x-ratelimit-remaining-requests", "3"),
                    ("x-ratelimit-limit-requests", "60"),
                    ("x-ratelimit-reset-requests", "6m0s"),
                ][..],
                (3, Some(60), 360_000),
            ),
            (
                &[("x-ratelimit-remaining", "0"), ("x-ratelimit-reset", "1780000007000")],
                (0, None, 7_000),
            ),
            (
                &[("x-ratelimit-remaining", "2"), ("x-ratelimit-reset", "1780000009")],
                (2, None, 9_000),
            ),
            (
                &[
                    ("ratelimit-remaining", "5"),
                    ("ratelimit-limit", "100, 100;w=60"),
                    ("ratelimit-reset", "30"),
                ],
                (5, Some(100), 30_000),
            ),
            (
                &[("ratelimit", "limit=100, remaining=50, reset=5")],
                (50, Some(100), 5_000),
            ),
            (
                &[("ratelimit", r#""burst";r=50;t=30, "day";r=4;t=3600"#)],
                (4, None, 3_600_000),
            ),
            (
                &[
                    ("x-ratelimit-remaining-tokens", "0"),
                    ("x-ratelimit-reset-tokens", "120ms"),
                ],
                (0, None, 120),
            ),
            (
                &[
                    ("anthropic-ratelimit-requests-remaining", "1"),
                    ("anthropic-ratelimit-requests-limit", "50"),
                    ("anthropic-ratelimit-requests-reset", "2026-05-28T20:26:50Z"),
                    ("anthropic-ratelimit-tokens-remaining", "9000"),
                    ("anthropic-ratelimit-tokens-reset", "2026-05-28T20:26:45Z"),
                ],
                (1, Some(50), 10_000),
            ),
            (
                &[
                    ("anthropic-ratelimit-output-tokens-remaining", "0"),
                    ("anthropic-ratelimit-output-tokens-reset", "2026-05-28T20:26:41.5Z"),
                ],
                (0, None, 1_500),
            ),
            (
                &[("x-ratelimit-remaining", "1"), ("x-ratelimit-reset", "1e12")],
                (1, None, 0),
            ),
            // Cerebras.
            (
                &[
                    ("x-ratelimit-limit-requests-day", "14400"),
                    ("x-ratelimit-remaining-requests-day", "3"),
                    ("x-ratelimit-reset-requests-day", "33011.382867"),
                    ("x-ratelimit-limit-tokens-minute", "60000"),
                    ("x-ratelimit-remaining-tokens-minute", "50000"),
                    ("x-ratelimit-reset-tokens-minute", "11.38"),
                ],
                (3, Some(14_400), 33_011_382),
            ),
            (
                &[
                    ("x-ratelimit-remaining-tokens-minute", "0"),
                    ("x-ratelimit-reset-tokens-minute", "11.5"),
                ],
                (0, None, 11_500),
            ),
            // Mistral: a limit by size says nothing of calls before it is used up.
            (
                &[
                    ("x-ratelimit-limit-requests-minute", "60"),
                    ("x-ratelimit-remaining-requests-minute", "2"),
                    ("x-ratelimit-reset-requests-minute", "7"),
                    ("ratelimitbysize-remaining", "1"),
                    ("ratelimitbysize-reset", "3"),
                ],
                (2, Some(60), 7_000),
            ),
            (
                &[
                    ("ratelimitbysize-limit", "500000"),
                    ("ratelimitbysize-remaining", "0"),
                    ("ratelimitbysize-reset", "19"),
                ],
                (0, Some(500_000), 19_000),
            ),
            // Okta.
            (
                &[
                    ("x-rate-limit-limit", "60"),
                    ("x-rate-limit-remaining", "2"),
                    ("x-rate-limit-reset", "1780000042"),
                ],
                (2, Some(60), 42_000),
            ),
        ] {
            assert_eq!(read(pairs), Some(status), "{pairs:?}");
        }
    }

    #[test]
    fn what_is_negative_or_unreadable_is_unknown() {
        for pairs in [
            &[("x-ratelimit-remaining", "-1"), ("x-ratelimit-reset", "30")][..],
            &[("x-ratelimit-remaining", "many"), ("x-ratelimit-reset", "30")],
            &[("x-ratelimit-remaining", "1"), ("x-ratelimit-reset", "-30")],
            &[("x-ratelimit-remaining", "1"), ("x-ratelimit-reset", "soon")],
            &[("x-ratelimit-remaining", "1"), ("x-ratelimit-reset", "3 parsecs")],
            &[("x-ratelimit-remaining", "1"), ("x-ratelimit-reset", "")],
            &[("x-ratelimit-remaining", "1"), ("x-ratelimit-reset", "NaN")],
            &[("x-ratelimit-remaining", "1")],
            &[
                ("x-ratelimit-remaining-tokens", "9"),
                ("x-ratelimit-reset-tokens", "30"),
            ],
            &[("ratelimit", "r=-1;t=3")],
            &[("ratelimit", "=;=;,,r=;t=")],
            &[("ratelimit", "\"a\";r=1")],
            &[],
        ] {
            assert_eq!(read(pairs), None, "{pairs:?}");
        }
        let far = read(&[("x-ratelimit-remaining", "1"), ("x-ratelimit-reset", "99999999")]);
        assert_eq!(far, Some((1, None, 86_400_000)), "clamped");
    }

    #[test]
    fn the_reset_of_an_error_is_that_of_a_limit_that_is_used_up() {
        let reset = |pairs: &[(&'static str, &'static str)]| {
            let mut headers = HeaderMap::new();
            for (name, value) in pairs {
                headers.insert(*name, http::HeaderValue::from_static(value));
            }
            let reset = reset_of_error(&headers, UNIX_EPOCH + Duration::from_secs(NOW));
            reset.map(|reset| reset.as_secs())
        };
        for (pairs, seconds) in [
            (
                &[
                    ("x-ratelimit-remaining-requests-day", "3"),
                    ("x-ratelimit-reset-requests-day", "33011"),
                    ("x-ratelimit-remaining-tokens-minute", "0"),
                    ("x-ratelimit-reset-tokens-minute", "11"),
                ][..],
                Some(11),
            ),
            (
                &[("ratelimitbysize-remaining", "0"), ("ratelimitbysize-reset", "19")],
                Some(19),
            ),
            (&[("x-ratelimit-reset-requests", "6m0s")], Some(360)),
            // Names with another dash, another unit, another number.
            (
                &[("x-rate-limit-remaining", "0"), ("x-rate-limit-reset", "1780000042")],
                Some(42),
            ),
            (&[("rate-limit-reset", "33")], Some(33)),
            (&[("x-rate-limit-reset-requests", "33s")], Some(33)),
            (&[("x-ratelimit-resets-in", "33")], Some(33)),
            (&[("x-ratelimit-reset-after-ms", "33000")], Some(33)),
            (&[("x-ratelimit-reset-after-ms", "33000, 33000")], Some(33)),
            // A unit of its own goes before that of the name.
            (&[("x-ratelimit-reset-ms", "1780000042000")], Some(42)),
            (&[("x-ratelimit-reset-ms", "42s")], Some(42)),
            // A limit that was met by its status.
            (
                &[
                    ("anthropic-ratelimit-unified-status", "rejected"),
                    ("anthropic-ratelimit-unified-reset", "1780000600"),
                    ("anthropic-ratelimit-unified-5h-status", "rejected"),
                    ("anthropic-ratelimit-unified-5h-reset", "1780000600"),
                    ("anthropic-ratelimit-unified-7d-status", "allowed"),
                    ("anthropic-ratelimit-unified-7d-reset", "1780090000"),
                ],
                Some(600),
            ),
            (&[("x-generated-limit-reset", "33"), ("x-limit-reset", "33")], None),
            // Nothing says that it is the limit that was met.
            (&[("anthropic-ratelimit-unified-7d-reset", "1780400000")], None),
        ] {
            assert_eq!(reset(pairs), seconds, "{pairs:?}");
        }
    }
}
