//! Numbers that keep every digit.

use std::fmt;

use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::value::RawValue;

use crate::request::wire_struct::read_by_serde;
use openrouter_wire::json::{Cursor, Found};
use tower_llm_layers::{UsdAmount, UsdError};

/// A decimal number as it was written: money is never a float here.
///
/// Reads from a JSON number or from a number in a string, and writes a number. Two are equal if they are written alike.
///
/// ```
/// use tower_openrouter::response::Decimal;
///
/// let price: Decimal = "0.00000765".parse()?;
/// assert_eq!(price.to_string(), "0.00000765");
/// assert_eq!(price.to_usd()?.pico(), 7_650_000);
/// # Ok::<(), tower_openrouter::response::UsdError>(())
/// ```
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Decimal(Box<str>);

impl Decimal {
    /// The number as it was written.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The number as an amount of US dollars, rounded up to a whole pico-dollar.
    ///
    /// # Errors
    ///
    /// If it is too large.
    pub fn to_usd(&self) -> Result<UsdAmount, UsdError> {
        self.0.parse()
    }

    /// The nearest float, for statistics and display alone.
    #[must_use]
    pub fn to_f64(&self) -> f64 {
        self.0.parse().unwrap_or(f64::NAN)
    }

    /// Whether it is below zero. A zero with a sign is not.
    #[must_use]
    pub fn is_negative(&self) -> bool {
        let mantissa = self.0.split(['e', 'E']).next().unwrap_or_default();
        mantissa.starts_with('-') && mantissa.bytes().any(|byte| matches!(byte, b'1'..=b'9'))
    }
}

impl std::str::FromStr for Decimal {
    type Err = UsdError;

    fn from_str(text: &str) -> Result<Self, UsdError> {
        let text = text.trim();
        let mut cursor = Cursor::new(text.as_bytes());
        let number = cursor.peek() == Ok(Found::Number) && cursor.skip().is_ok() && cursor.end().is_ok();
        if number {
            Ok(Self(text.into()))
        } else {
            Err(UsdError::NotANumber)
        }
    }
}

impl From<u64> for Decimal {
    fn from(number: u64) -> Self {
        Self(number.to_string().into())
    }
}

impl fmt::Display for Decimal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for Decimal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Serialize for Decimal {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match RawValue::from_string(self.0.to_string()) {
            Ok(raw) => raw.serialize(serializer),
            Err(_) => serializer.serialize_none(),
        }
    }
}

impl<'de> Deserialize<'de> for Decimal {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let raw = Box::<RawValue>::deserialize(deserializer)?;
        raw.get().trim_matches('"').parse().map_err(D::Error::custom)
    }
}

read_by_serde!(Decimal);
