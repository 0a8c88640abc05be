//! What a stack knows that outlives its settings: it is carried over to the stack that replaces it.

use std::collections::BTreeMap;

use tower_llm_layers::{
    adaptive_concurrency::ConcurrencyLimits,
    auth::{ApiKey, KeyPool, KeySource},
    circuit_breaker::Circuits,
    fallback::Hedge,
    observe::ObserveLayer,
    pause::Pauses,
    provider_health::ProviderHealth,
    rate_limit::{PerCandidate, RateLimitLayer},
    retry::RetryBudget,
};

use super::{KeySettings, Settings, SettingsProblem, UpstreamSettings, WrongSetting};
use crate::stack::{ChatCache, ChatIdempotency, IntoCandidate, TenantKey};

/// The handles of all state but the budgets' accounts. A part whose settings have changed begins again, apart from what rate limits have counted;
/// all others are shared with the stack before.
#[derive(Clone)]
pub(super) struct Carried {
    pub(super) retry_budget: RetryBudget,
    pub(super) circuits: Option<Circuits>,
    pub(super) hedge: Option<Hedge>,
    pub(super) concurrency: Option<ConcurrencyLimits>,
    pub(super) observe: ObserveLayer,
    pub(super) cache: Option<ChatCache>,
    pub(super) idempotency: Option<ChatIdempotency>,
    pub(super) provider_health: Option<ProviderHealth>,
    pub(super) tenant_limits: Option<RateLimitLayer<TenantKey>>,
    pub(super) upstream_limits: Option<RateLimitLayer<PerCandidate>>,
    pub(super) pauses: Pauses,
    /// The upstreams, by name.
    upstreams: BTreeMap<Box<str>, Known>,
    /// Those that are gone, new, or have other keys or another base URL than before.
    changed: Vec<Box<str>>,
}

/// What is known of an upstream.
#[derive(Clone)]
struct Known {
    base_url: Option<String>,
    keys: Vec<ApiKey>,
    /// Of these keys, if they are a list.
    pool: Option<KeyPool>,
}

impl Known {
    fn has(&self, keys: &[ApiKey]) -> bool {
        self.keys.iter().map(ApiKey::header).eq(keys.iter().map(ApiKey::header))
    }
}

/// The settings before, and what they had.
type Before<'a> = Option<(&'a Settings, &'a Carried)>;

/// The handle before, if what it was made of is the same now.
fn kept<T: PartialEq, H: Clone>(
    before: Before<'_>,
    now: &Settings,
    part: impl Fn(&Settings) -> T,
    handle: impl Fn(&Carried) -> &H,
) -> Option<H> {
    let (settings, carried) = before?;
    (part(settings) == part(now)).then(|| handle(carried).clone())
}

impl Carried {
    /// What these settings begin with, and share with those before. Parts that cannot be made are problems, and left out.
    pub(super) fn new(settings: &Settings, before: Before<'_>, wrong: &mut Vec<SettingsProblem>) -> Self {
        let mut problem = |key: &str, message: String| {
            wrong.push(SettingsProblem::new(
                &settings.source,
                key,
                WrongSetting::Value(message),
            ));
        };
        let retry_budget = kept(
            before,
            settings,
            |all| all.retry_budget,
            |carried| &carried.retry_budget,
        );
        let circuits = kept(before, settings, |all| all.circuit_breaker, |carried| &carried.circuits);
        let hedge = kept(before, settings, |all| all.hedge, |carried| &carried.hedge);
        let concurrency = kept(
            before,
            settings,
            |all| all.adaptive_concurrency.clone(),
            |carried| &carried.concurrency,
        );
        let observe = kept(before, settings, |all| all.observe.clone(), |carried| &carried.observe);
        let cache = kept(before, settings, answers, |carried| &carried.cache);
        let idempotency = kept(
            before,
            settings,
            |all| all.idempotency.clone(),
            |carried| &carried.idempotency,
        );
        let provider_health = kept(
            before,
            settings,
            |all| all.provider_health.clone(),
            |carried| &carried.provider_health,
        );
        let tenant_limits = kept(
            before,
            settings,
            |all| all.tenant_limits.clone(),
            |carried| &carried.tenant_limits,
        );
        let upstream_limits = kept(
            before,
            settings,
            |all| all.upstream_limits.clone(),
            |carried| &carried.upstream_limits,
        );
        let budget = settings.retry_budget;
        Self {
            retry_budget: retry_budget.unwrap_or_else(|| RetryBudget::new(budget.ratio, budget.floor)),
            // The builder reports what is wrong with the policy, and with the limits.
            circuits: circuits.unwrap_or_else(|| Circuits::new(settings.circuit_breaker.on()?.policy()).ok()),
            hedge: hedge.unwrap_or_else(|| Some(settings.hedge.as_ref()?.hedge())),
            concurrency: concurrency.unwrap_or_else(|| {
                let limits = ConcurrencyLimits::new(settings.adaptive_concurrency.as_ref()?.policy());
                limits
                    .map_err(|error| problem("adaptive_concurrency", error.to_string()))
                    .ok()
            }),
            observe: observe.unwrap_or_else(|| ObserveLayer::new().tags(&settings.observe.tags)),
            cache: cache.unwrap_or_else(|| {
                let cache = settings.cache.as_ref()?.cache();
                cache
                    .map_err(|error| problem("cache.ignore_header", error.to_string()))
                    .ok()
            }),
            idempotency: idempotency.unwrap_or_else(|| {
                let keys = settings.idempotency.as_ref()?.keys();
                keys.map_err(|error| problem("idempotency.ignore_header", error.to_string()))
                    .ok()
            }),
            provider_health: provider_health.unwrap_or_else(|| {
                let health = ProviderHealth::new(settings.provider_health.as_ref()?.policy());
                health
                    .map_err(|error| problem("provider_health", error.to_string()))
                    .ok()
            }),
            tenant_limits: tenant_limits.unwrap_or_else(|| {
                let tenants = settings.tenant_limits.as_ref()?;
                let layer = RateLimitLayer::new(tenants.limits().ok()?, tenants.tenant.key()).ok()?;
                // What the same tenants have used under other limits stays used.
                let before = before.and_then(|(settings, carried)| {
                    let is_same = settings.tenant_limits.as_ref()?.tenant == tenants.tenant;
                    carried.tenant_limits.as_ref().filter(|_| is_same)
                });
                Some(match before {
                    Some(before) => layer.taking_over(before),
                    None => layer,
                })
            }),
            upstream_limits: upstream_limits.unwrap_or_else(|| {
                let limits = settings.upstream_limits.as_ref()?.limits().ok()?;
                let layer = RateLimitLayer::new(limits, PerCandidate).ok()?;
                let before = before.and_then(|(_, carried)| carried.upstream_limits.as_ref());
                Some(match before {
                    Some(before) => layer.taking_over(before),
                    None => layer,
                })
            }),
            pauses: before
                .map(|(_, carried)| carried.pauses.successor())
                .unwrap_or_default(),
            upstreams: upstreams(settings, before),
            changed: gone(settings, before),
        }
    }

    /// Ends the pauses of the upstreams that have changed: a pause is of the place and the account that requested it. What calls of the stacks before
    /// meet there pauses nothing any more. For settings that are accepted: those before share the pauses, and keep them if these are refused.
    pub(super) fn end_pauses(&self) {
        for name in &self.changed {
            self.pauses.restart_upstream(name);
        }
    }

    /// The keys of an upstream, read now. A pool of the same keys as before keeps what is known of them. An upstream with other keys, or another base
    /// URL, has changed.
    pub(super) fn keys(&mut self, upstream: &UpstreamSettings, wrong: impl FnMut(usize, String)) -> KeySource {
        let mut wrong = wrong;
        let secrets = upstream.secrets().iter().enumerate();
        let keys =
            secrets.filter_map(|(place, secret)| secret.key().map_err(|error| wrong(place, error.to_string())).ok());
        let keys: Vec<ApiKey> = keys.collect();
        let mut known = Known {
            base_url: upstream.base_url.clone(),
            keys,
            pool: None,
        };
        let before = self.upstreams.get(&*upstream.name);
        let before = before.filter(|before| before.has(&known.keys));
        if let Some(before) = before {
            known.pool.clone_from(&before.pool);
        }
        if before.is_none_or(|before| before.base_url != known.base_url) {
            self.changed.push(upstream.name.trim().into());
        }
        let source = Self::source(upstream, &mut known, wrong);
        self.upstreams.insert(upstream.name.as_str().into(), known);
        source
    }

    fn source(upstream: &UpstreamSettings, known: &mut Known, mut wrong: impl FnMut(usize, String)) -> KeySource {
        if !matches!(upstream.key, Some(KeySettings::Pool(_))) {
            return known.keys.first().cloned().map_or(KeySource::None, KeySource::Static);
        }
        if let Some(pool) = &known.pool {
            return pool.clone().into();
        }
        match KeyPool::new(known.keys.iter().cloned()) {
            Ok(pool) => {
                known.pool = Some(pool.clone());
                pool.into()
            }
            Err(error) if upstream.secrets().is_empty() => {
                wrong(0, error.to_string());
                KeySource::None
            }
            // Each of its keys is a problem already.
            Err(_) => KeySource::None,
        }
    }
}

/// The upstreams before that are still there.
fn upstreams(settings: &Settings, before: Before<'_>) -> BTreeMap<Box<str>, Known> {
    let mut known = before.map(|(_, carried)| carried.upstreams.clone()).unwrap_or_default();
    known.retain(|name, _| is_there(settings, name));
    known
}

fn is_there(settings: &Settings, name: &str) -> bool {
    settings.upstream.iter().any(|upstream| upstream.name == name)
}

/// The upstreams before that are not there any more.
fn gone(settings: &Settings, before: Before<'_>) -> Vec<Box<str>> {
    let known = before.into_iter().flat_map(|(_, carried)| carried.upstreams.keys());
    known
        .filter(|name| !is_there(settings, name))
        .map(|name| name.trim().into())
        .collect()
}

impl Carried {
    /// Shows no circuit as open that is not in force any more: of candidates that these settings had and the ones in force have not, and all of them
    /// if circuits begin again.
    pub(super) fn hide_circuits(&self, settings: &Settings, now: &Settings) {
        let Some(circuits) = &self.circuits else { return };
        if settings.circuit_breaker != now.circuit_breaker {
            circuits.hide_all();
            return;
        }
        let candidates = |of: &Settings| -> Vec<_> {
            let entries = of.chain.iter().chain(&of.cheaper);
            entries.filter_map(|entry| entry.into_candidate().ok()).collect()
        };
        let now = candidates(now);
        let gone = candidates(settings)
            .into_iter()
            .filter(|candidate| !now.contains(candidate));
        gone.for_each(|candidate| circuits.hide(&candidate));
        now.iter().for_each(|candidate| circuits.show(candidate));
    }
}

/// What decides an answer beside the request: a cache is for one of it.
fn answers(settings: &Settings) -> impl PartialEq + use<> {
    let places = settings.upstream.iter().map(|upstream| UpstreamSettings {
        key: None,
        ..upstream.clone()
    });
    (
        settings.cache.clone(),
        settings.chain.clone(),
        settings.cheaper.clone(),
        settings.requested_model,
        settings.fail_on_finish_reason.clone(),
        places.collect::<Vec<_>>(),
    )
}
