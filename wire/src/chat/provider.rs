//! Which providers may serve a request.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::{
    Decimal, DecimalError,
    view::{open_enum, read_by_serde, wire_struct},
};

wire_struct! {
    /// Which providers may serve a request, and which of them first.
    ///
    /// ```
    /// use openrouter_wire::chat::{ProviderPreferences, SortKey};
    ///
    /// let preferences = ProviderPreferences::new().ignore(["deepinfra"]).sort(SortKey::Latency).max_price("1", "3.5")?;
    /// let json = serde_json::to_string(&preferences)?;
    /// assert_eq!(json, r#"{"ignore":["deepinfra"],"sort":"latency","max_price":{"prompt":1,"completion":3.5}}"#);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ProviderPreferences {
        /// Tried first, in this order. Turns load balancing and stickiness off.
        order: Option<Vec<String>> = "order",
        /// None but these.
        only: Option<Vec<String>> = "only",
        /// None of these.
        ignore: Option<Vec<String>> = "ignore",
        /// Whether others may serve when the first fails; they may, by default.
        allow_fallbacks: Option<bool> = "allow_fallbacks",
        /// Only providers that know every parameter sent.
        require_parameters: Option<bool> = "require_parameters",
        /// Whether the provider may keep the data.
        data_collection: Option<DataCollection> = "data_collection",
        /// Only providers that retain nothing.
        zdr: Option<bool> = "zdr",
        /// Only models whose output may train others.
        enforce_distillable_text: Option<bool> = "enforce_distillable_text",
        /// Only these precisions: `int4`, `int8`, `fp8`, `bf16` and so on.
        quantizations: Option<Vec<String>> = "quantizations",
        /// What to put first. Turns load balancing off.
        sort: Option<Sort> = "sort",
        /// The highest price that may serve.
        max_price: Option<MaxPrice> = "max_price",
        /// Tokens a second; slower endpoints come last.
        preferred_min_throughput: Option<Cutoff> = "preferred_min_throughput",
        /// Seconds to the first token; slower endpoints come last.
        preferred_max_latency: Option<Cutoff> = "preferred_max_latency",
        /// Settings for one provider, by its slug.
        options: Option<BTreeMap<String, Value>> = "options",
    }
}

wire_struct! {
    /// The highest prices that may serve, in US dollars.
    MaxPrice {
        /// For a million tokens of prompt.
        prompt: Option<Decimal> = "prompt",
        /// For a million tokens of answer.
        completion: Option<Decimal> = "completion",
        /// For a request.
        request: Option<Decimal> = "request",
        /// For a picture.
        image: Option<Decimal> = "image",
        /// For sound.
        audio: Option<Decimal> = "audio",
    }
}

impl ProviderPreferences {
    /// None yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Tried first, in this order.
    #[must_use]
    pub fn order<S: Into<String>>(mut self, slugs: impl IntoIterator<Item = S>) -> Self {
        self.order = Some(strings(slugs));
        self
    }

    /// None but these.
    #[must_use]
    pub fn only<S: Into<String>>(mut self, slugs: impl IntoIterator<Item = S>) -> Self {
        self.only = Some(strings(slugs));
        self
    }

    /// None of these.
    #[must_use]
    pub fn ignore<S: Into<String>>(mut self, slugs: impl IntoIterator<Item = S>) -> Self {
        self.ignore = Some(strings(slugs));
        self
    }

    /// Whether others may serve when the first fails.
    #[must_use]
    pub fn allow_fallbacks(mut self, allow: bool) -> Self {
        self.allow_fallbacks = Some(allow);
        self
    }

    /// Only providers that know every parameter sent.
    #[must_use]
    pub fn require_parameters(mut self, require: bool) -> Self {
        self.require_parameters = Some(require);
        self
    }

    /// Only providers that do not keep the data.
    #[must_use]
    pub fn deny_data_collection(mut self) -> Self {
        self.data_collection = Some(DataCollection::Deny);
        self
    }

    /// Only providers that retain nothing.
    #[must_use]
    pub fn zero_data_retention(mut self) -> Self {
        self.zdr = Some(true);
        self
    }

    /// Only these precisions.
    #[must_use]
    pub fn quantizations<S: Into<String>>(mut self, names: impl IntoIterator<Item = S>) -> Self {
        self.quantizations = Some(strings(names));
        self
    }

    /// What to put first.
    #[must_use]
    pub fn sort(mut self, sort: impl Into<Sort>) -> Self {
        self.sort = Some(sort.into());
        self
    }

    /// The highest prices that may serve, in US dollars for a million tokens of prompt and of answer.
    ///
    /// # Errors
    ///
    /// If a price is not a decimal number.
    pub fn max_price(mut self, prompt: &str, completion: &str) -> Result<Self, DecimalError> {
        let price = self.max_price.get_or_insert_default();
        price.prompt = Some(prompt.parse()?);
        price.completion = Some(completion.parse()?);
        Ok(self)
    }

    /// Tokens a second; slower endpoints come last.
    #[must_use]
    pub fn preferred_min_throughput(mut self, cutoff: impl Into<Cutoff>) -> Self {
        self.preferred_min_throughput = Some(cutoff.into());
        self
    }

    /// Seconds to the first token; slower endpoints come last.
    #[must_use]
    pub fn preferred_max_latency(mut self, cutoff: impl Into<Cutoff>) -> Self {
        self.preferred_max_latency = Some(cutoff.into());
        self
    }
}

fn strings<S: Into<String>>(items: impl IntoIterator<Item = S>) -> Vec<String> {
    items.into_iter().map(Into::into).collect()
}

open_enum! {
    /// Whether the provider may keep the data.
    DataCollection {
        /// It may; the default.
        Allow = "allow",
        /// It may not. This empties most pools of free models.
        Deny = "deny",
    }
}

open_enum! {
    /// What endpoints are sorted by.
    SortKey {
        /// The cheapest first.
        Price = "price",
        /// The most tokens a second first.
        Throughput = "throughput",
        /// The quickest first token first.
        Latency = "latency",
        /// The best at calling tools first.
        Exacto = "exacto",
    }
}

/// What is put first.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
#[non_exhaustive]
pub enum Sort {
    /// By this, the endpoints of one model after those of another.
    Key(SortKey),
    /// By this.
    By {
        /// What they are sorted by.
        by: SortKey,
        /// `model`: one model after another. `none`: the endpoints of all models together, so that a fallback model may be the first.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        partition: Option<String>,
    },
}

impl From<SortKey> for Sort {
    fn from(key: SortKey) -> Self {
        Self::Key(key)
    }
}

/// A limit that puts endpoints last which do not keep to it over five minutes.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
#[non_exhaustive]
pub enum Cutoff {
    /// For the median.
    Median(f64),
    /// For percentiles; all must hold.
    Percentiles(PercentileCutoffs),
}

impl From<f64> for Cutoff {
    fn from(median: f64) -> Self {
        Self::Median(median)
    }
}

impl From<PercentileCutoffs> for Cutoff {
    fn from(percentiles: PercentileCutoffs) -> Self {
        Self::Percentiles(percentiles)
    }
}

/// Limits for percentiles.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
#[non_exhaustive]
pub struct PercentileCutoffs {
    /// Half of the requests.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub p50: Option<f64>,
    /// Three quarters.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub p75: Option<f64>,
    /// Nine in ten.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub p90: Option<f64>,
    /// Ninety-nine in a hundred.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub p99: Option<f64>,
}

impl PercentileCutoffs {
    /// For half of the requests.
    #[must_use]
    pub const fn p50(mut self, limit: f64) -> Self {
        self.p50 = Some(limit);
        self
    }

    /// For three quarters.
    #[must_use]
    pub const fn p75(mut self, limit: f64) -> Self {
        self.p75 = Some(limit);
        self
    }

    /// For nine in ten.
    #[must_use]
    pub const fn p90(mut self, limit: f64) -> Self {
        self.p90 = Some(limit);
        self
    }

    /// For ninety-nine in a hundred.
    #[must_use]
    pub const fn p99(mut self, limit: f64) -> Self {
        self.p99 = Some(limit);
        self
    }
}

read_by_serde!(Sort, Cutoff);
