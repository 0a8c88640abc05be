//! The order in force, in words.

use std::{fmt, time::Duration};

use tower_llm_layers::{
    deadline::DEADLINE_HEADER,
    fallback::Chain,
    rate_limit::{Limits, Rate},
};

use super::{StackBuilder, caching, settings::Settings, slots::Slots};

/// One line a layer, outermost first.
pub(super) fn describe<R, F, E>(settings: &Settings, slots: &Slots<R, F, E>, chain: &Chain) -> String {
    let timeouts = &settings.timeouts;
    let reach = if settings.sets_deadline {
        "in all"
    } else {
        "and the time for reasoning until the answer begins, then 1s for each 10 tokens of its limit and 3600s at most"
    };
    let deadline = settings
        .deadline
        .map_or_else(String::new, |limit| format!("{} {reach}, or ", seconds(limit)));
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
        ("Degrade", degrade(settings, slots)),
        (
            "Deadline",
            format!("{deadline}what the caller's `{DEADLINE_HEADER}` leaves"),
        ),
        ("Cache", caching::describe(slots)),
        ("TenantRateLimit", limits(settings.tenant_limits, "a tenant")),
        ("around_call", own(&slots.around_call)),
        (
            "StreamUpstream",
            slots
                .stream_upstream
                .as_ref()
                .map_or_else(off, |(layer, ..)| layer.to_string()),
        ),
        (
            "Resume",
            slots.resume.as_ref().map_or_else(off, |(layer, _)| layer.to_string()),
        ),
        ("Fallback", format!("{chain}{server_side}{catalogue}{hedge}")),
        (
            "Retry",
            format!(
                "{} attempts per candidate, waits up to {}, {} while another can answer, retries up to {:.0} % of calls and {:.0} more a second",
                settings.attempts_per_candidate,
                seconds(settings.max_retry_delay),
                seconds(settings.max_retry_delay_with_fallback.min(settings.max_retry_delay)),
                settings.budget.ratio() * 100.0,
                settings.budget.floor(),
            ),
        ),
        (
            "Conformance",
            slots
                .conformance
                .as_ref()
                .map_or_else(off, |slot| slot.description.clone()),
        ),
        (
            "CircuitBreaker",
            settings
                .circuits
                .as_ref()
                .map_or_else(off, |circuits| circuits.policy().to_string()),
        ),
        (
            "AdaptiveConcurrency",
            settings
                .concurrency
                .as_ref()
                .map_or_else(off, |limits| limits.policy().to_string()),
        ),
        (
            "UpstreamRateLimit",
            format!(
                "{}; upstream pauses are respected, waits up to {} with no other candidate",
                limits(settings.upstream_limits, "a candidate"),
                seconds(settings.max_retry_delay),
            ),
        ),
        (
            "Attempt",
            format!(
                "{} in all, each logged{}{}{}",
                settings.attempts,
                if settings.router_metadata {
                    ", with what the router tried by itself"
                } else {
                    ""
                },
                if slots.classify.is_some() {
                    ", its failure classified"
                } else {
                    ""
                },
                slots
                    .provider_health
                    .as_ref()
                    .map_or_else(String::new, |(health, _)| format!("; {}", health.policy()))
            ),
        ),
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
        ("around_attempt", own(&slots.around_attempt)),
        (
            "FirstToken",
            format!("frames are held until the answer begins{}", settings.failing.describe()),
        ),
        ("Cost", settings.money.describe()),
        ("Auth", auth(settings)),
        ("Transport", transport(settings)),
    ];
    lines.map(|(layer, what)| format!("{layer:<21}{what}")).join("\n")
}

/// The APIs of each upstream that does not support all of them.
fn transport(settings: &Settings) -> String {
    if settings.limited_apis.is_empty() {
        return "one HTTP exchange; every upstream supports all APIs".to_owned();
    }
    let limited_apis = settings
        .limited_apis
        .iter()
        .map(|(name, apis)| format!("; {name} supports {apis}"));
    format!(
        "one HTTP exchange{}; any other upstream supports all APIs",
        limited_apis.collect::<String>()
    )
}

fn off() -> String {
    "off".to_owned()
}

/// Without a key the inner service is called as it is.
fn auth(settings: &Settings) -> String {
    if settings.keys.is_empty() {
        return off();
    }
    "the key of each upstream".to_owned()
}

/// The layers that the program added.
fn own<T>(layers: &[T]) -> String {
    match layers.len() {
        0 => off(),
        1 => "1 added layer".to_owned(),
        several => format!("{several} added layers"),
    }
}

fn tags(settings: &Settings) -> String {
    let told = settings.tags.describe();
    settings
        .required_tag
        .as_ref()
        .map_or_else(|| told.to_owned(), |name| format!("{told}; `{name}` is required"))
}

fn observe(settings: &Settings) -> String {
    let mut told = "a span and metrics for each call, and for each attempt".to_owned();
    let tags: Vec<_> = settings.observe.recorded_tags().collect();
    if !tags.is_empty() {
        told.push_str(&format!(", with the tags {}", tags.join(", ")));
    }
    if settings.events.is_some() {
        told.push_str("; events over a channel");
    }
    told
}

fn degrade<R, F, E>(settings: &Settings, slots: &Slots<R, F, E>) -> String {
    let mut sources: Vec<_> = settings.cheaper.iter().map(ToString::to_string).collect();
    if slots.keeps_stale() {
        sources.push("a stale answer".to_owned());
    }
    if slots.canned.is_some() {
        sources.push("a canned reply".to_owned());
    }
    if sources.is_empty() {
        return off();
    }
    sources.join(", then ")
}

fn limits(limits: Option<(Limits, Duration)>, of: &str) -> String {
    let Some((limits, max_wait)) = limits else {
        return off();
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

/// Every setting, to look at: keys are redacted.
impl<R, F, E> fmt::Debug for StackBuilder<R, F, E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let upstreams = self.transport.upstreams().iter();
        let apis: Vec<_> = upstreams
            .map(|upstream| (upstream.name(), upstream.limited_apis()))
            .collect();
        f.debug_struct("StackBuilder")
            .field("settings", &self.settings)
            .field("slots", &self.slots)
            .field("transport", &self.transport)
            .field("apis", &apis)
            .field("wrong", &self.wrong)
            .finish()
    }
}
