//! What each setting does to the builder.

use std::sync::Arc;

use tower_llm_layers::fallback::RequestedModel;

use super::{
    CacheSettings, HedgeSettings, MinThroughputSettings, OrOff, RequestedModelSettings, ResumeSettings, Settings,
    SettingsProblem, StreamUpstreamSettings, Time, WrongSetting, carried::Carried, conformance,
};
use crate::{
    Catalogue, Stack,
    degrade::CannedReply,
    stack::{BuildProblem, StackBuilder, known_as},
    stream_upstream::StreamUpstreamLayer,
};

/// The base URL of an upstream that has none: the build fails, and its candidates are no problem of their own.
const STAND_IN: &str = "http://upstream.invalid";

/// A builder with everything but the budgets.
pub(super) fn apply(settings: &Settings, carried: &mut Carried, wrong: &mut Vec<SettingsProblem>) -> StackBuilder {
    ranges(settings, wrong);
    above_deadline(settings, wrong);
    let builder = upstreams(Stack::builder(), settings, carried, wrong);
    let builder = finish_reasons(candidates(builder, settings), settings, wrong);
    let builder = conformance::apply(prices(builder, settings, wrong), settings, wrong);
    limits(layers(builder, settings), settings, carried, wrong)
        .retry_budget(carried.retry_budget.clone())
        .hedge(carried.hedge.clone())
        .observe(carried.observe.clone())
        .pauses(carried.pauses.clone())
}

/// Reports numbers that the layers would take for others, and those that contradict one another.
fn ranges(settings: &Settings, wrong: &mut Vec<SettingsProblem>) {
    let hedge = settings.hedge.as_ref().and_then(HedgeSettings::wrong);
    let resume = settings.resume.and_then(ResumeSettings::wrong);
    let cache = settings.cache.iter().flat_map(CacheSettings::wrong);
    let retries = settings.retry_budget.wrong().chain(settings.backoff.wrong());
    for (key, message) in retries.chain(hedge).chain(resume).chain(cache) {
        let problem = WrongSetting::Value(message.to_owned());
        wrong.push(SettingsProblem::new(&settings.source, key, problem));
    }
}

/// Reports timeouts that differ from their defaults and would never run out before the deadline. The builder reports that of the first token.
fn above_deadline(settings: &Settings, wrong: &mut Vec<SettingsProblem>) {
    let usual = Settings::default();
    let deadline = settings.deadline.as_ref().and_then(OrOff::on);
    // One of zero is a problem by itself.
    let Some(deadline) = deadline.filter(|deadline| !deadline.0.is_zero()) else {
        return;
    };
    for (field, limit, usual) in [
        ("response_timeout", settings.response_timeout, usual.response_timeout),
        ("idle_timeout", settings.idle_timeout, usual.idle_timeout),
    ] {
        let Some(above) = limit.on().filter(|time| limit != usual && *time > deadline) else {
            continue;
        };
        let (limit, deadline) = (above.0, deadline.0);
        let problem = WrongSetting::Build(BuildProblem::AboveDeadline { field, limit, deadline });
        wrong.push(SettingsProblem::new(&settings.source, field, problem));
    }
}

fn upstreams(
    mut builder: StackBuilder,
    settings: &Settings,
    carried: &mut Carried,
    wrong: &mut Vec<SettingsProblem>,
) -> StackBuilder {
    let mut problem = |key: String, what| wrong.push(SettingsProblem::new(&settings.source, &key, what));
    for (place, entry) in settings.upstream.iter().enumerate() {
        let keys = carried.keys(entry, |number, message| {
            let list = if entry.secrets().len() > 1 {
                format!("[{number}]")
            } else {
                String::new()
            };
            problem(format!("upstream[{place}].key{list}"), WrongSetting::Value(message));
        });
        builder = match entry.upstream() {
            Some(Ok(upstream)) => builder.upstream(upstream, keys),
            // The builder reports it again, and knows that the upstream was given.
            Some(Err(_)) => builder.upstream((&*entry.name, entry.base_url.as_deref().unwrap_or_default()), keys),
            None => {
                problem(format!("upstream[{place}].base_url"), WrongSetting::Missing);
                builder.upstream((&*entry.name, STAND_IN), keys)
            }
        };
    }
    builder
        .attribution(settings.attribution.attribution())
        .max_event_bytes(settings.max_event_bytes)
        .trailer_timeout(settings.trailer_timeout.0)
        .connections(|transport| {
            settings.connections.apply(transport.clone()).unwrap_or_else(|error| {
                problem("connections.proxy".to_owned(), WrongSetting::Value(error.to_string()));
                transport
            })
        })
}

fn candidates(mut builder: StackBuilder, settings: &Settings) -> StackBuilder {
    // An empty list is none at all.
    if !settings.chain.is_empty() {
        builder = builder.chain(&settings.chain);
    }
    if !settings.cheaper.is_empty() {
        builder = builder.cheaper(&settings.cheaper);
    }
    builder
        .requested_model(match settings.requested_model {
            RequestedModelSettings::First => RequestedModel::First,
            RequestedModelSettings::Ignored => RequestedModel::Ignored,
        })
        .fallback_on_refusal(settings.fallback_on_refusal)
        .fallback_for_embeddings(settings.fallback_for_embeddings)
        .server_side_fallback(settings.server_side_fallback)
        .router_metadata(settings.router_metadata)
}

fn finish_reasons(mut builder: StackBuilder, settings: &Settings, wrong: &mut Vec<SettingsProblem>) -> StackBuilder {
    let mut known = Vec::new();
    for (place, entry) in settings.fail_on_finish_reason.iter().enumerate() {
        let reason = known_as(entry.reason.as_str().into());
        // A setter replaces what was set before; in one list the first would do nothing.
        if known.contains(&reason) {
            wrong.push(SettingsProblem::new(
                &settings.source,
                &format!("fail_on_finish_reason[{place}].reason"),
                WrongSetting::Value(
                    "counts as the same finish reason as an entry before it: name it only once, with one kind"
                        .to_owned(),
                ),
            ));
        }
        builder = builder.fail_on_finish_reason(reason.clone(), entry.kind.0);
        known.push(reason);
    }
    builder
}

fn prices(mut builder: StackBuilder, settings: &Settings, wrong: &mut Vec<SettingsProblem>) -> StackBuilder {
    let mut problem = |key: &str, message: String| {
        wrong.push(SettingsProblem::new(
            &settings.source,
            key,
            WrongSetting::Value(message),
        ));
    };
    let mut catalogue = Catalogue::default();
    if let Some(path) = &settings.catalogue {
        match Catalogue::load(path) {
            Ok(saved) => catalogue = saved,
            Err(error) => problem("catalogue", error.to_string()),
        }
        builder = builder.catalogue(Arc::new(catalogue.clone()));
    }
    for (place, price) in settings.prices.iter().enumerate() {
        match price.pricing() {
            Ok(pricing) => catalogue = catalogue.with_price(&price.upstream, &price.model, &pricing),
            Err(error) => problem(&format!("prices[{place}]"), error.to_string()),
        }
    }
    if settings.catalogue.is_some() || !settings.prices.is_empty() {
        builder = builder.prices(Arc::new(catalogue));
    }
    if let Some(unknown) = &settings.unknown_price {
        builder = builder.unknown_price(unknown.policy());
    }
    if settings.allow_unreserved_tools {
        builder = builder.allow_unreserved_tools();
    }
    builder
        .default_output_tokens(settings.default_output_tokens.on().copied())
        .min_output_tokens(settings.min_output_tokens)
        .max_reservation_wait(settings.max_reservation_wait.0)
}

fn layers(mut builder: StackBuilder, settings: &Settings) -> StackBuilder {
    let time = |limit: &OrOff<Time>| limit.on().map(|limit| limit.0);
    // Set by hand it is checked against the deadline.
    if settings.first_token_timeout != Settings::default().first_token_timeout {
        builder = builder.first_token_timeout(time(&settings.first_token_timeout));
    }
    if let Some(resume) = settings.resume {
        builder = builder.resume(resume.layer());
    }
    if let Some(text) = &settings.canned_reply {
        builder = builder.canned_reply(CannedReply::text(&**text));
    }
    if let Some(name) = &settings.require_tag {
        builder = builder.require_tag(name);
    }
    if let Some(deadline) = &settings.deadline {
        builder = builder.deadline(time(deadline));
    }
    builder
        .response_timeout(time(&settings.response_timeout))
        .last_candidate_grace(settings.last_candidate_grace.0)
        .idle_timeout(time(&settings.idle_timeout))
        .min_throughput(settings.min_throughput.map(MinThroughputSettings::floor))
        .attempts(settings.attempts)
        .attempts_per_candidate(settings.attempts_per_candidate)
        .max_retry_delay(settings.max_retry_delay.0)
        .max_retry_delay_with_fallback(settings.max_retry_delay_with_fallback.0)
        .retry_timeouts(settings.retry_timeouts)
        .backoff(settings.backoff.schedule())
        .stream_upstream(match settings.stream_upstream {
            StreamUpstreamSettings::OnRequest => StreamUpstreamLayer::on_request(),
            StreamUpstreamSettings::Always => StreamUpstreamLayer::new(),
        })
}

fn limits(
    mut builder: StackBuilder,
    settings: &Settings,
    carried: &Carried,
    wrong: &mut Vec<SettingsProblem>,
) -> StackBuilder {
    builder = match (settings.circuit_breaker.on(), &carried.circuits) {
        (None, _) => builder.circuit_breaker(None),
        (Some(_), Some(circuits)) => builder.circuits(circuits.clone()),
        // It cannot be made, and the builder says why.
        (Some(policy), None) => builder.circuit_breaker(policy.policy()),
    };
    if let Some(limits) = &carried.concurrency {
        builder = builder.adaptive_concurrency(limits.clone());
    }
    if let Some(cache) = &carried.cache {
        builder = builder.cache(cache.clone());
    }
    if let Some(providers) = &carried.provider_health {
        builder = builder.provider_health(providers.clone());
    }
    if let Some(keys) = &carried.idempotency {
        builder = builder.idempotency(keys.clone());
    }
    let mut problem = |field: &'static str, error| {
        let problem = WrongSetting::Build(BuildProblem::Limits { field, error });
        wrong.push(SettingsProblem::new(&settings.source, field, problem));
    };
    if let Some(tenants) = &settings.tenant_limits {
        match tenants.limits() {
            Ok(limits) => builder = builder.tenant_limits(limits, tenants.tenant.key(), tenants.max_wait.0),
            Err(error) => problem("tenant_limits", error),
        }
    }
    if let Some(limited) = &settings.upstream_limits {
        match limited.limits() {
            Ok(limits) => builder = builder.upstream_limits(limits, limited.max_wait.0),
            Err(error) => problem("upstream_limits", error),
        }
    }
    builder.shared_limits(carried.tenant_limits.clone(), carried.upstream_limits.clone())
}
