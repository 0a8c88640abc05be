//! The cache of responses.

use http::HeaderName;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use tower_llm_layers::cache::Cache;

use super::{TenantSettings, Time, text::InvalidValue};
use crate::stack::ChatCache;

/// The cache of responses, and whether identical calls share one: see [`StackBuilder::cache`](crate::stack::StackBuilder::cache).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct CacheSettings {
    /// The most that is cached, in bytes; with 0 identical calls in flight are still coalesced.
    pub bytes: u64,
    /// The tenant of a call: no tenant gets a response that another one requested. `global` shares between all callers; `tag:NAME` and
    /// `header:NAME` distinguish tenants.
    pub tenant: TenantSettings,
    /// How long a response is fresh.
    #[serde(default = "five_minutes")]
    pub time_to_live: Time,
    /// How long a stale response is kept after `time_to_live`, for when every candidate has failed.
    #[serde(default)]
    pub stale_if_error: Time,
    /// The largest response that is cached, in bytes.
    #[serde(default = "one_mebibyte")]
    pub largest: usize,
    /// Whether identical calls share one upstream call while it is in flight.
    #[serde(default = "on")]
    pub single_flight: bool,
    /// Whether only requests with temperature 0 are cached and coalesced.
    #[serde(default)]
    pub only_temperature_zero: bool,
    /// Headers that differ from call to call and change no answer.
    #[serde(default)]
    pub ignore_header: Vec<String>,
}

const fn five_minutes() -> Time {
    Time::seconds(300)
}

const fn one_mebibyte() -> usize {
    1024 * 1024
}

const fn on() -> bool {
    true
}

impl CacheSettings {
    /// So many bytes at most, for this tenant.
    #[must_use]
    pub const fn new(bytes: u64, tenant: TenantSettings) -> Self {
        Self {
            bytes,
            tenant,
            time_to_live: five_minutes(),
            stale_if_error: Time::seconds(0),
            largest: one_mebibyte(),
            single_flight: on(),
            only_temperature_zero: false,
            ignore_header: Vec::new(),
        }
    }

    /// What contradicts the rest: the key, and the fix. The default of `largest` contradicts nothing, and without room `largest` bounds the responses
    /// that are shared in flight.
    pub(super) fn wrong(&self) -> impl Iterator<Item = (&'static str, &'static str)> {
        let largest = u64::try_from(self.largest).unwrap_or(u64::MAX);
        let is_above = self.bytes > 0 && self.largest != one_mebibyte() && largest > self.bytes;
        let keeps_nothing = self.bytes == 0 || self.time_to_live.0.saturating_add(self.stale_if_error.0).is_zero();
        let is_above = is_above.then_some((
            "cache.largest",
            "more than all of the cache: write at most `cache.bytes`, or more there",
        ));
        let is_idle = (keeps_nothing && !self.single_flight).then_some((
            "cache.single_flight",
            "the cache keeps nothing, and so would do nothing: write `true`, give it `bytes` and `time_to_live`, or leave `cache` out",
        ));
        is_above.into_iter().chain(is_idle)
    }

    pub(super) fn cache(&self) -> Result<ChatCache, InvalidValue> {
        let cache = Cache::new(self.bytes)
            .time_to_live(self.time_to_live.0)
            .stale_if_error(self.stale_if_error.0)
            .largest(self.largest);
        let mut layer = ChatCache::new(cache, self.tenant.key())
            .single_flight(self.single_flight)
            .only_temperature_zero(self.only_temperature_zero);
        for name in &self.ignore_header {
            let name: HeaderName = name
                .parse()
                .map_err(|_| InvalidValue::new("`ignore_header` has a name that no header can have"))?;
            layer = layer.ignore_header(name);
        }
        Ok(layer)
    }
}
