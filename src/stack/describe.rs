//! The order in force, in words.

use std::time::Duration;

use tower_llm_layers::{
    deadline::DEADLINE_HEADER,
    fallback::Chain,
    rate_limit::{Limits, Rate},
};

use super::{caching, settings::Settings};

/// One line a layer, outermost first.
pub(super) fn describe(settings: &Settings, chain: &Chain) -> String {
    let timeouts = &settings.timeouts;
    let deadline = settings
        .deadline
        .map_or_else(String::new, |total| format!("{} in all, or ", seconds(total)));
    let min_throughput = timeouts.min_throughput.map_or_else(String::new, |floor| {
        format!(", at least {} tokens in {}", floor.tokens, seconds(floor.window))
    });
    let server_side = if settings.server_side {
        ", the router tries the next ones by itself"
    } else {
        ""
    };
    let catalogue = if settings.capabilities.is_some() {
        ", those that cannot take a request are passed over"
    } else {
        ""
    };
    let hedge = settings
        .hedge
        .as_ref()
        .map_or_else(String::new, |hedge| format!("; {hedge}"));
    let lines = [
        ("Tags", tags(settings)),
        ("Observe", observe(settings)),
        ("Degrade", degrade(settings)),
        (
            "Deadline",
            format!("{deadline}what the caller's `{DEADLINE_HEADER}` leaves"),
        ),
        ("Cache", caching::describe(settings)),
        ("TenantRateLimit", limits(settings.admission, "a tenant")),
        ("StreamUpstream", settings.stream_upstream.to_string()),
        ("Resume", settings.resume.to_string()),
        ("Fallback", format!("{chain}{server_side}{catalogue}{hedge}")),
        (
            "Retry",
            format!(
                "{} attempts a candidate, waits up to {}, {} while another can answer, retries up to {:.0} % of calls and {:.0} a second besides",
                settings.attempts_per_candidate,
                seconds(settings.max_retry_delay),
                seconds(settings.max_retry_delay_with_fallback.min(settings.max_retry_delay)),
                settings.budget.ratio() * 100.0,
                settings.budget.floor(),
            ),
        ),
        (
            "CircuitBreaker",
            settings
                .circuits
                .as_ref()
                .map_or_else(|| "off".to_owned(), |circuits| circuits.policy().to_string()),
        ),
        (
            "AdaptiveConcurrency",
            settings
                .concurrency
                .as_ref()
                .map_or_else(|| "off".to_owned(), |limits| limits.policy().to_string()),
        ),
        ("UpstreamRateLimit", limits(settings.upstream_limits, "a candidate")),
        ("Attempt", format!("{} in all, each written down", settings.attempts)),
        (
            "Timeout",
            format!(
                "first token {}, plain answer {}, {} more for the last candidate, silence {}{min_throughput}",
                limit(timeouts.first_token),
                limit(timeouts.response),
                seconds(timeouts.last_candidate_grace),
                limit(timeouts.idle),
            ),
        ),
        ("FirstToken", "frames are held until the answer begins".to_owned()),
        ("Cost", settings.money.describe()),
        ("Auth", "the key of each upstream".to_owned()),
        ("Transport", "one HTTP exchange".to_owned()),
    ];
    lines.map(|(layer, what)| format!("{layer:<21}{what}")).join("\n")
}

fn tags(settings: &Settings) -> String {
    let told = settings.tags.describe();
    settings
        .required_tag
        .as_ref()
        .map_or_else(|| told.to_owned(), |name| format!("{told}; `{name}` is required"))
}

fn observe(settings: &Settings) -> String {
    let mut told = "a span and numbers for each call, and for each attempt".to_owned();
    let tags: Vec<_> = settings.observe.recorded_tags().collect();
    if !tags.is_empty() {
        told.push_str(&format!(", with the tags {}", tags.join(", ")));
    }
    told
}

fn degrade(settings: &Settings) -> String {
    let mut rungs: Vec<_> = settings.cheaper.iter().map(ToString::to_string).collect();
    if caching::keeps_stale(settings) {
        rungs.push("a stale answer".to_owned());
    }
    if settings.canned.is_some() {
        rungs.push("a canned reply".to_owned());
    }
    if rungs.is_empty() {
        return "no rung".to_owned();
    }
    rungs.join(", then ")
}

fn limits(limits: Option<(Limits, Duration)>, of: &str) -> String {
    let Some((limits, max_wait)) = limits else {
        return "no limits".to_owned();
    };
    let rate = |rate: Option<Rate>, unit: &str| {
        rate.map(|rate| format!("{} {unit} in {}", rate.amount(), seconds(rate.per())))
    };
    let at_once = limits.concurrency.map(|calls| format!("{calls} calls at once"));
    let all: Vec<_> = [
        rate(limits.requests, "requests"),
        rate(limits.tokens, "tokens"),
        at_once,
    ]
    .into_iter()
    .flatten()
    .collect();
    format!("{} {of}, waits up to {}", all.join(", "), seconds(max_wait))
}

fn limit(limit: Option<Duration>) -> String {
    limit.map_or_else(|| "without limit".to_owned(), seconds)
}

fn seconds(duration: Duration) -> String {
    format!("{duration:?}")
}
