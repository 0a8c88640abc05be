//! Rate limits, concurrency limits, and the tenant of a call.

use std::{fmt, str::FromStr};

use http::HeaderName;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use tower_llm_layers::{
    adaptive_concurrency::ConcurrencyPolicy,
    rate_limit::{Limits, LimitsError, Rate},
};

use super::{
    Time,
    text::{InvalidValue, written_as_text},
};
use crate::stack::TenantKey;

/// Limits of each tenant, once a call: see [`StackBuilder::tenant_limits`](crate::stack::StackBuilder::tenant_limits).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct TenantLimitsSettings {
    /// Requests of a tenant.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub requests: Option<RateSettings>,
    /// Tokens of a tenant, of prompts and answers together.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tokens: Option<RateSettings>,
    /// Calls of a tenant at once, their streams included.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub concurrency: Option<u32>,
    /// The tenant of a call: `global` for one limit over all, `tag:NAME` for the value of a tag, `header:NAME` for that of a header. A call without
    /// it is not limited.
    pub tenant: TenantSettings,
    /// How long a call may wait for its turn.
    #[serde(default)]
    pub max_wait: Time,
}

/// Limits of each candidate, once an attempt: see [`StackBuilder::upstream_limits`](crate::stack::StackBuilder::upstream_limits).
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct UpstreamLimitsSettings {
    /// Requests to a candidate.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub requests: Option<RateSettings>,
    /// Tokens of a candidate, of prompts and answers together.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tokens: Option<RateSettings>,
    /// Attempts on a candidate at once, their streams included.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub concurrency: Option<u32>,
    /// How long an attempt may wait for its turn.
    #[serde(default)]
    pub max_wait: Time,
}

/// So much in so long: see [`Rate`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct RateSettings {
    /// How much.
    pub amount: u32,
    /// In how long.
    pub per: Time,
    /// How much may come at once after a quiet time; by default a tenth of the amount.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub burst: Option<u32>,
}

impl RateSettings {
    /// So much in so long; a tenth of it may come at once.
    pub fn new(amount: u32, per: impl Into<Time>) -> Self {
        Self {
            amount,
            per: per.into(),
            burst: None,
        }
    }

    fn rate(&self) -> Result<Rate, LimitsError> {
        let rate = Rate::new(self.amount, self.per.0)?;
        self.burst.map_or(Ok(rate), |burst| rate.burst(burst))
    }
}

fn limits(
    requests: Option<&RateSettings>,
    tokens: Option<&RateSettings>,
    concurrency: Option<u32>,
) -> Result<Limits, LimitsError> {
    let mut limits = Limits::new();
    if let Some(rate) = requests {
        limits = limits.requests(rate.rate()?);
    }
    if let Some(rate) = tokens {
        limits = limits.tokens(rate.rate()?);
    }
    concurrency.map_or(Ok(limits), |calls| limits.concurrency(calls))
}

impl TenantLimitsSettings {
    /// No limit yet, by this tenant.
    #[must_use]
    pub fn new(tenant: TenantSettings) -> Self {
        Self {
            requests: None,
            tokens: None,
            concurrency: None,
            tenant,
            max_wait: Time::default(),
        }
    }

    pub(super) fn limits(&self) -> Result<Limits, LimitsError> {
        limits(self.requests.as_ref(), self.tokens.as_ref(), self.concurrency)
    }
}

impl UpstreamLimitsSettings {
    pub(super) fn limits(&self) -> Result<Limits, LimitsError> {
        limits(self.requests.as_ref(), self.tokens.as_ref(), self.concurrency)
    }
}

/// A learned concurrency limit per candidate: see [`ConcurrencyPolicy`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
#[non_exhaustive]
pub struct AdaptiveConcurrencySettings {
    /// How many attempts at once before anything is learned.
    pub initial: u32,
    /// The fewest at once.
    pub floor: u32,
    /// The most at once.
    pub ceiling: u32,
    /// How many may wait for each candidate.
    pub queue: usize,
    /// What is left of the limit after an attempt that was rate limited or met an overload, as a share.
    pub decrease: f64,
    /// How many times slower than usual first tokens may come before the limit is lowered.
    pub slower: f64,
}

impl Default for AdaptiveConcurrencySettings {
    fn default() -> Self {
        Self {
            initial: 20,
            floor: 1,
            ceiling: 1000,
            queue: 100,
            decrease: 0.7,
            slower: 2.0,
        }
    }
}

impl AdaptiveConcurrencySettings {
    pub(super) const fn policy(&self) -> ConcurrencyPolicy {
        ConcurrencyPolicy::new()
            .initial(self.initial)
            .floor(self.floor)
            .ceiling(self.ceiling)
            .queue(self.queue)
            .decrease(self.decrease)
            .slower(self.slower)
    }
}

/// The tenant of a call: see [`TenantKey`].
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum TenantSettings {
    /// All callers together.
    Global,
    /// The value of this tag.
    Tag(String),
    /// The value of this header of the request.
    Header(HeaderName),
}

impl TenantSettings {
    pub(super) fn key(&self) -> TenantKey {
        match self {
            Self::Global => TenantKey::global(),
            Self::Tag(name) => TenantKey::tag(name),
            Self::Header(name) => {
                let name = name.clone();
                TenantKey::new(move |headers, _| Some(headers.get(&name)?.to_str().ok()?.into()))
            }
        }
    }
}

impl FromStr for TenantSettings {
    type Err = InvalidValue;

    fn from_str(text: &str) -> Result<Self, InvalidValue> {
        let wrong = || InvalidValue::new("no tenant: write \"global\", \"tag:NAME\" or \"header:NAME\"");
        match text.trim().split_once(':') {
            None if text.trim() == "global" => Ok(Self::Global),
            Some(("tag", name)) if !name.trim().is_empty() => Ok(Self::Tag(name.trim().to_owned())),
            Some(("header", name)) => name.trim().parse().map(Self::Header).map_err(|_| wrong()),
            _ => Err(wrong()),
        }
    }
}

impl fmt::Display for TenantSettings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Global => f.write_str("global"),
            Self::Tag(name) => write!(f, "tag:{name}"),
            Self::Header(name) => write!(f, "header:{name}"),
        }
    }
}

written_as_text!(TenantSettings, "tenant", ["global", "tag:tenant", "header:x-tenant"]);
