//! How far the tenant's limits are used, in the headers that clients read.

use std::time::Duration;

use http::{HeaderMap, HeaderName, HeaderValue, header::RETRY_AFTER};
use tower_llm_layers::rate_limit::{LimitReport, LimitStanding, RateStanding};

/// The limits of the caller: structured fields by `draft-ietf-httpapi-ratelimit-headers`.
pub const RATE_LIMIT_POLICY_HEADER: HeaderName = HeaderName::from_static("ratelimit-policy");
/// What is left of them now, by the same draft.
pub const RATE_LIMIT_HEADER: HeaderName = HeaderName::from_static("ratelimit");

/// OpenAI's headers of one unit: limit, remaining, reset.
type OpenAi = [HeaderName; 3];

static REQUESTS: OpenAi = [
    HeaderName::from_static("x-ratelimit-limit-requests"),
    HeaderName::from_static("x-ratelimit-remaining-requests"),
    HeaderName::from_static("x-ratelimit-reset-requests"),
];
static TOKENS: OpenAi = [
    HeaderName::from_static("x-ratelimit-limit-tokens"),
    HeaderName::from_static("x-ratelimit-remaining-tokens"),
    HeaderName::from_static("x-ratelimit-reset-tokens"),
];

/// The largest integer that a structured field can hold.
const LARGEST: u128 = 999_999_999_999_999;

/// The names of all of these.
pub(super) fn names() -> impl Iterator<Item = HeaderName> {
    let own = [RATE_LIMIT_POLICY_HEADER, RATE_LIMIT_HEADER].into_iter();
    own.chain(REQUESTS.iter().chain(&TOKENS).cloned())
}

/// Writes what the limiter knows by now; nothing if it did not see the call.
pub(super) fn write_limits(headers: &mut HeaderMap, report: &LimitReport) {
    let Some(standing) = report.standing() else { return };
    let (policy, left) = fields(&standing, retry_after(headers));
    for (name, value) in [(RATE_LIMIT_POLICY_HEADER, policy), (RATE_LIMIT_HEADER, left)] {
        if let Ok(value) = HeaderValue::try_from(value) {
            headers.insert(name, value);
        }
    }
    for (rate, names) in [(standing.requests, &REQUESTS), (standing.tokens, &TOKENS)] {
        let Some(rate) = rate else { continue };
        let [limit, remaining, reset] = names;
        headers.insert(limit, rate.rate().amount().into());
        headers.insert(remaining, rate.remaining().into());
        if let Ok(value) = HeaderValue::try_from(go_duration(rate.full_in())) {
            headers.insert(reset, value);
        }
    }
}

fn retry_after(headers: &HeaderMap) -> Option<u128> {
    headers.get(RETRY_AFTER)?.to_str().ok()?.parse().ok()
}

/// `RateLimit-Policy` and `RateLimit`: lists of strings with parameters. `requests` and `concurrent-requests` are units of the draft; `tokens` is
/// one that it does not have.
fn fields(standing: &LimitStanding, retry_after: Option<u128>) -> (String, String) {
    let (mut policy, mut left) = (String::new(), String::new());
    let rates = [
        ("requests", "", standing.requests),
        ("tokens", ";qu=\"tokens\"", standing.tokens),
    ];
    for (name, unit, rate) in rates {
        let Some(rate) = rate else { continue };
        let (quota, window) = quota(&rate);
        next(&mut policy);
        next(&mut left);
        let burst = rate.rate().most_at_once();
        policy.push_str(&format!("\"{name}\";q={quota}{unit};w={window};llm-burst={burst}"));
        // A client that heeds both waits no longer than `Retry-After` says.
        let more_in = seconds(rate.more_in()).min(retry_after.unwrap_or(LARGEST));
        left.push_str(&format!("\"{name}\";r={};t={more_in}", rate.remaining()));
    }
    if let Some(places) = standing.concurrency {
        next(&mut policy);
        next(&mut left);
        policy.push_str(&format!(
            "\"concurrency\";q={};qu=\"concurrent-requests\"",
            places.limit
        ));
        left.push_str(&format!("\"concurrency\";r={}", places.remaining));
    }
    (policy, left)
}

fn next(list: &mut String) {
    if !list.is_empty() {
        list.push_str(", ");
    }
}

/// So much in so many whole seconds, as the rate has it: a window shorter than a second, or a broken one, is counted up to whole seconds.
fn quota(rate: &RateStanding) -> (u128, u128) {
    let (amount, per) = (u128::from(rate.rate().amount()), rate.rate().per());
    let window = seconds(per).max(1);
    let quota = amount.saturating_mul(window).saturating_mul(1_000_000_000) / per.as_nanos().max(1);
    (quota.min(LARGEST), window.min(LARGEST))
}

/// Rounded up: earlier would be too early.
fn seconds(time: Duration) -> u128 {
    u128::from(time.as_secs()) + u128::from(time.subsec_nanos() > 0)
}

/// A time as OpenAI writes it: `12ms`, `1.5s`, `6m0s`, `2h0m0s`; rounded up to milliseconds.
fn go_duration(time: Duration) -> String {
    let millis = time.as_nanos().div_ceil(1_000_000);
    if millis == 0 {
        return "0s".to_owned();
    }
    if millis < 1000 {
        return format!("{millis}ms");
    }
    let (whole, rest) = (millis / 1000, millis % 1000);
    let mut seconds = (whole % 60).to_string();
    if rest > 0 {
        seconds.push_str(format!(".{rest:03}").trim_end_matches('0'));
    }
    match (whole / 3600, whole / 60 % 60) {
        (0, 0) => format!("{seconds}s"),
        (0, minutes) => format!("{minutes}m{seconds}s"),
        (hours, minutes) => format!("{hours}h{minutes}m{seconds}s"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_written_as_openai_writes_them() {
        for (millis, written) in [
            (0, "0s"),
            (12, "12ms"),
            (1000, "1s"),
            (1540, "1.54s"),
            (360_000, "6m0s"),
            (90_500, "1m30.5s"),
            (7_200_000, "2h0m0s"),
        ] {
            assert_eq!(go_duration(Duration::from_millis(millis)), written);
        }
        assert_eq!(go_duration(Duration::from_nanos(1)), "1ms", "never too early");
    }
}
