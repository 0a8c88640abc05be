//! Exact money: whole pico-dollars, never a float.

use std::fmt;
use std::str::FromStr;

use serde::ser::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::value::RawValue;

/// How many pico-dollars make one dollar.
const PER_DOLLAR: u64 = 1_000_000_000_000;

/// An amount of US dollars, held as whole pico-dollars (10⁻¹² USD).
///
/// One token at $0.15 per million costs 150 000 of them, so every product of tokens and price is exact. It prints,
/// and goes over the wire, as a plain decimal number (`0.00000765`): no exponent, no rounding.
///
/// ```
/// use openrouter_simulator::Cost;
///
/// let price: Cost = "0.00000015".parse()?;
/// assert_eq!(price.pico(), 150_000);
/// assert_eq!((price * 15).to_string(), "0.00000225");
/// # Ok::<(), openrouter_simulator::CostError>(())
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Cost(u64);

impl Cost {
    /// Nothing.
    pub const ZERO: Self = Self(0);

    /// An amount in pico-dollars.
    #[must_use]
    pub const fn from_pico(pico: u64) -> Self {
        Self(pico)
    }

    /// The amount in pico-dollars (10⁻¹² USD).
    #[must_use]
    pub const fn pico(self) -> u64 {
        self.0
    }

    /// The difference, or zero if `other` is larger.
    #[must_use]
    pub const fn saturating_sub(self, other: Self) -> Self {
        Self(self.0.saturating_sub(other.0))
    }
}

impl std::ops::Add for Cost {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        Self(self.0.saturating_add(other.0))
    }
}

impl std::ops::AddAssign for Cost {
    fn add_assign(&mut self, other: Self) {
        *self = *self + other;
    }
}

impl std::ops::Mul<u64> for Cost {
    type Output = Self;

    fn mul(self, count: u64) -> Self {
        Self(self.0.saturating_mul(count))
    }
}

impl std::iter::Sum for Cost {
    fn sum<I: Iterator<Item = Self>>(amounts: I) -> Self {
        amounts.fold(Self::ZERO, |sum, next| sum + next)
    }
}

impl fmt::Display for Cost {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (whole, part) = (self.0 / PER_DOLLAR, self.0 % PER_DOLLAR);
        if part == 0 {
            return write!(f, "{whole}");
        }
        let digits = format!("{part:012}");
        write!(f, "{whole}.{}", digits.trim_end_matches('0'))
    }
}

/// The text is no amount of money this type can hold exactly.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CostError {
    text: String,
}

impl fmt::Display for CostError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "`{}` is no amount in USD (digits, at most 12 after the point)",
            self.text
        )
    }
}

impl std::error::Error for CostError {}

impl FromStr for Cost {
    type Err = CostError;

    fn from_str(text: &str) -> Result<Self, CostError> {
        let wrong = || CostError { text: text.to_owned() };
        let (whole, part) = text.split_once('.').unwrap_or((text, ""));
        let digits = |s: &str| s.bytes().all(|b| b.is_ascii_digit());
        if whole.is_empty() || part.len() > 12 || !digits(whole) || !digits(part) {
            return Err(wrong());
        }
        let whole: u64 = whole.parse().map_err(|_| wrong())?;
        let part: u64 = format!("{part:0<12}").parse().map_err(|_| wrong())?;
        whole
            .checked_mul(PER_DOLLAR)
            .and_then(|pico| pico.checked_add(part))
            .map(Self)
            .ok_or_else(wrong)
    }
}

impl Serialize for Cost {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        RawValue::from_string(self.to_string())
            .map_err(S::Error::custom)?
            .serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Cost {
    /// Takes a decimal string (`"2.50"`): a JSON number has been a float before anyone could look at it.
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?
            .parse()
            .map_err(serde::de::Error::custom)
    }
}
