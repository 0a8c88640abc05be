//! Prices of the catalogue.

use std::fmt;
use std::ops::Deref;

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::{Value, value::RawValue};

use crate::decimal::Decimal;
use crate::json::whole_number;
use crate::view::{Absent, read_by_serde, wire_struct};

/// A price in US dollars for one unit: a token, a request, a picture.
///
/// The catalogue writes `"-1"` for models that route to others: their price varies, and is no credit.
///
/// ```
/// use openrouter_wire::catalogue::Price;
///
/// assert_eq!(serde_json::from_str::<Price>(r#""-1""#)?, Price::Varies);
/// assert_eq!(serde_json::from_str::<Price>(r#""0.00000015""#)?.to_string(), "0.00000015");
/// # Ok::<(), serde_json::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Price {
    /// This much.
    Fixed(Decimal),
    /// It depends.
    Varies,
    /// It is not a price. It does not count as zero: the cost of a request is unknown.
    Unreadable(Box<str>),
}

impl Price {
    /// Whether it is known to be nothing.
    #[must_use]
    pub fn is_free(&self) -> bool {
        matches!(self, Self::Fixed(price) if price.is_zero())
    }
}

impl From<Decimal> for Price {
    /// Minus one stands for a price that varies; no other price is below nothing.
    fn from(price: Decimal) -> Self {
        if !price.is_negative() {
            return Self::Fixed(price);
        }
        let is_one = |text: &str| whole_number(text.as_bytes()) == Some(1);
        if price.as_str().strip_prefix('-').is_some_and(is_one) {
            return Self::Varies;
        }
        Self::Unreadable(price.as_str().into())
    }
}

impl fmt::Display for Price {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Fixed(price) => price.fmt(f),
            Self::Varies => f.write_str("-1"),
            Self::Unreadable(text) => f.write_str(text),
        }
    }
}

impl Serialize for Price {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Price {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let raw = Box::<RawValue>::deserialize(deserializer)?;
        if let Ok(price) = serde_json::from_str::<Decimal>(raw.get()) {
            return Ok(price.into());
        }
        let text = serde_json::from_str::<Box<str>>(raw.get());
        Ok(Self::Unreadable(text.unwrap_or_else(|_| raw.get().into())))
    }
}

/// Prices under conditions, in their order. Of several that hold, the later counts.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct PriceOverrides(pub Vec<PriceOverride>);

impl Absent for PriceOverrides {
    fn is_absent(&self) -> bool {
        self.is_empty()
    }
}

impl Deref for PriceOverrides {
    type Target = [PriceOverride];

    fn deref(&self) -> &[PriceOverride] {
        &self.0
    }
}

impl Serialize for PriceOverrides {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.0.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for PriceOverrides {
    /// What is no override becomes one of an unreadable price, so that it is not taken for none.
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let raw = Box::<RawValue>::deserialize(deserializer)?;
        let unreadable = |raw: &RawValue| PriceOverride {
            prompt: Some(Price::Unreadable(raw.get().into())),
            ..PriceOverride::default()
        };
        let read = match serde_json::from_str::<Option<Vec<Box<RawValue>>>>(raw.get()) {
            Ok(each) => each
                .unwrap_or_default()
                .iter()
                .map(|raw| serde_json::from_str(raw.get()).unwrap_or_else(|_| unreadable(raw)))
                .collect(),
            Err(_) => vec![unreadable(&raw)],
        };
        Ok(Self(read))
    }
}

read_by_serde!(Price, PriceOverrides);

wire_struct! {
    /// Prices in US dollars for one unit each. What is not there costs nothing of its own.
    ///
    /// On a model they are those of its cheapest endpoint; the one that serves may cost more.
    Pricing {
        /// For a token of prompt.
        prompt: Option<Price> = "prompt",
        /// For a token of answer.
        completion: Option<Price> = "completion",
        /// For a request.
        request: Option<Price> = "request",
        /// For a picture sent.
        image: Option<Price> = "image",
        /// For a token of a picture.
        image_token: Option<Price> = "image_token",
        /// For a picture made.
        image_output: Option<Price> = "image_output",
        /// For a token of sound sent.
        audio: Option<Price> = "audio",
        /// For a token of sound made.
        audio_output: Option<Price> = "audio_output",
        /// For a token of sound read from the cache.
        input_audio_cache: Option<Price> = "input_audio_cache",
        /// For a search.
        web_search: Option<Price> = "web_search",
        /// For a token of reasoning.
        internal_reasoning: Option<Price> = "internal_reasoning",
        /// For a token read from the cache.
        input_cache_read: Option<Price> = "input_cache_read",
        /// For a token written to the cache, for the shortest time there is.
        input_cache_write: Option<Price> = "input_cache_write",
        /// For a token written to the cache for an hour.
        input_cache_write_1h: Option<Price> = "input_cache_write_1h",
        /// The share, 0 to 1, that the prices shown are below the list: already taken off.
        discount: Option<Decimal> = "discount",
        /// Prices under conditions.
        overrides: PriceOverrides = "overrides",
    }
}

wire_struct! {
    /// Prices that hold under a condition. What is not there stays as it is.
    PriceOverride {
        /// Holds for prompts of more tokens than this.
        min_prompt_tokens: Option<u64> = "min_prompt_tokens",
        /// Holds from this time of day on, UTC, as a number HHMM.
        utc_start: Option<u64> = "utc_start",
        /// Holds before this time of day, UTC, as a number HHMM. May be past midnight.
        utc_end: Option<u64> = "utc_end",
        /// Holds on these days of the week, UTC, as [`days`](Self::days) reads them.
        utc_days: Option<Value> = "utc_days",
        /// For a token of prompt.
        prompt: Option<Price> = "prompt",
        /// For a token of answer.
        completion: Option<Price> = "completion",
        /// For a token of sound sent.
        audio: Option<Price> = "audio",
        /// For a token of sound read from the cache.
        input_audio_cache: Option<Price> = "input_audio_cache",
        /// For a token read from the cache.
        input_cache_read: Option<Price> = "input_cache_read",
        /// For a token written to the cache, for the shortest time there is.
        input_cache_write: Option<Price> = "input_cache_write",
        /// For a token written to the cache for an hour.
        input_cache_write_1h: Option<Price> = "input_cache_write_1h",
    }
}

/// Members of an override that are prices without a meaning here. What is none of them, is not plainly another price, and is not read, is a condition.
const OTHER_PRICES: [&str; 9] = [
    "audio_output",
    "discount",
    "image",
    "image_output",
    "image_token",
    "internal_reasoning",
    "request",
    "video",
    "web_search",
];

/// How the names of prices begin.
const PRICED: [&str; 7] = ["audio", "cache", "image", "input_", "internal_", "output_", "video"];

/// Words in the names of conditions, which may be written as prices are: `"input_tokens_above":"200000"`.
const CONDITIONS: [&str; 7] = ["above", "below", "duration", "max", "min", "size", "tokens"];

/// Whether a member is plainly a price: it is named like one, and written as one, which is a decimal number in a string. Numbers by themselves
/// are conditions.
fn is_price(name: &str, raw: &str) -> bool {
    PRICED.iter().any(|priced| name.starts_with(priced))
        && !name.split('_').any(|word| CONDITIONS.contains(&word))
        && raw.starts_with('"')
        && serde_json::from_str::<Decimal>(raw).is_ok()
}

impl PriceOverride {
    /// The days of the week on which it holds, a bit each from Sunday on; all of them if it names none. `None` if they cannot be read.
    ///
    /// Days are numbers (0 or 7 is Sunday, 1 is Monday) or English names, of three letters at least.
    #[must_use]
    pub fn days(&self) -> Option<u8> {
        const NAMES: [&str; 7] = [
            "sunday",
            "monday",
            "tuesday",
            "wednesday",
            "thursday",
            "friday",
            "saturday",
        ];
        let Some(days) = &self.utc_days else {
            return Some(0x7f);
        };
        let day = |day: &Value| match day {
            Value::Number(number) => number.as_u64().filter(|day| *day <= 7).map(|day| day % 7),
            Value::String(name) => {
                let name = name.to_ascii_lowercase();
                let known = NAMES
                    .iter()
                    .position(|known| name.len() >= 3 && known.starts_with(&name))?;
                u64::try_from(known).ok()
            }
            _ => None,
        };
        let mut days = days.as_array()?.iter().map(day);
        days.try_fold(0, |all, day| day.map(|day| all | 1 << day))
    }

    /// Whether it has a condition that is not known here: then nothing says when it holds.
    #[must_use]
    pub fn has_unknown_condition(&self) -> bool {
        let is_known = |name: &str| {
            let raw = self.extra.raw(name);
            OTHER_PRICES.contains(&name) || raw.is_some_and(|raw| is_price(name, raw))
        };
        self.days().is_none() || !self.extra.names().all(is_known)
    }
}

impl Pricing {
    /// Whether prompt and answer are known to cost nothing.
    #[must_use]
    pub fn is_free(&self) -> bool {
        [&self.prompt, &self.completion]
            .into_iter()
            .all(|price| price.as_ref().is_some_and(Price::is_free))
    }

    /// Whether a price varies, so that no cost can be computed from these.
    #[must_use]
    pub fn varies(&self) -> bool {
        [&self.prompt, &self.completion]
            .into_iter()
            .any(|price| *price == Some(Price::Varies))
    }
}
