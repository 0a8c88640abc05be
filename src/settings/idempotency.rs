//! Idempotency keys.

use http::HeaderName;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use tower_llm_layers::cache::idempotency::{IdempotencyStore, InFlight, InMemoryIdempotency};

use super::{TenantSettings, Time, text::InvalidValue};
use crate::{ChatFrame, stack::ChatIdempotency};

/// Calls with the same idempotency key are made once: see [`StackBuilder::idempotency`](crate::stack::StackBuilder::idempotency).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct IdempotencySettings {
    /// The most bytes of answers that are kept.
    pub bytes: u64,
    /// The tenant of a call: each tenant has keys of its own. `global` for one tenant, `tag:NAME` and `header:NAME` distinguish tenants.
    pub tenant: TenantSettings,
    /// The most keys that are known.
    #[serde(default = "hundred_thousand")]
    pub max_keys: usize,
    /// How long an answer is kept.
    #[serde(default = "a_day")]
    pub keep_for: Time,
    /// The largest answer that is kept, in bytes.
    #[serde(default = "eight_mebibytes")]
    pub largest: usize,
    /// What a call gets whose key is in flight.
    #[serde(default)]
    pub in_flight: InFlightSettings,
    /// Headers that differ from call to call and make no other request.
    #[serde(default)]
    pub ignore_header: Vec<String>,
}

/// What a call gets whose idempotency key is in flight.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum InFlightSettings {
    /// The answer of the call in flight.
    #[default]
    Wait,
    /// A refusal, 409 to a client.
    Refuse,
}

const fn hundred_thousand() -> usize {
    100_000
}

const fn a_day() -> Time {
    Time::seconds(24 * 60 * 60)
}

const fn eight_mebibytes() -> usize {
    8 * 1024 * 1024
}

impl IdempotencySettings {
    /// So many bytes at most, for this tenant.
    #[must_use]
    pub const fn new(bytes: u64, tenant: TenantSettings) -> Self {
        Self {
            bytes,
            tenant,
            max_keys: hundred_thousand(),
            keep_for: a_day(),
            largest: eight_mebibytes(),
            in_flight: InFlightSettings::Wait,
            ignore_header: Vec::new(),
        }
    }

    pub(super) fn keys(&self) -> Result<ChatIdempotency, InvalidValue> {
        self.layer_in(InMemoryIdempotency::new(self.bytes).max_keys(self.max_keys))
    }

    /// The layer with these options over another store than the memory of this process, such as one that several processes share; then it needs a
    /// [secret](tower_llm_layers::cache::idempotency::IdempotencyLayer::key_secret) as well. `bytes` and `max_keys` are without effect: the store
    /// has its own bounds.
    ///
    /// # Errors
    ///
    /// If `ignore_header` has a name that no header can have.
    pub fn layer_in(&self, store: impl IdempotencyStore<ChatFrame>) -> Result<ChatIdempotency, InvalidValue> {
        let mut keys = ChatIdempotency::new(store, self.tenant.key())
            .keep_for(self.keep_for.0)
            .largest(self.largest)
            .in_flight(match self.in_flight {
                InFlightSettings::Wait => InFlight::Wait,
                InFlightSettings::Refuse => InFlight::Refuse,
            });
        for name in &self.ignore_header {
            let name: HeaderName = name
                .parse()
                .map_err(|_| InvalidValue::new("`ignore_header` has a name that no header can have"))?;
            keys = keys.ignore_header(name);
        }
        Ok(keys)
    }
}
