//! Money, exactly.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

/// Digits after the point of a US dollar that are kept: pico-dollars. The cheapest token costs about ten thousand of them.
const DIGITS: usize = 12;

/// An amount of US dollars as the wire wrote it, in whole pico-dollars (10⁻¹² USD).
///
/// The wire writes prices as decimal strings and costs as numbers; both are read here, digit by digit. What is finer than a
/// pico-dollar is rounded up, so that an estimate is never too low.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Amount(i128);

/// Why a text is no amount.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum AmountError {
    /// It is no decimal number.
    NotANumber,
    /// It is larger than any amount of money.
    TooLarge,
}

impl fmt::Display for AmountError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NotANumber => "this is no decimal number of US dollars",
            Self::TooLarge => "this is more than any amount of US dollars",
        })
    }
}

impl std::error::Error for AmountError {}

impl Amount {
    /// Nothing.
    pub const ZERO: Self = Self(0);

    /// This many pico-dollars.
    #[must_use]
    pub const fn from_pico_dollars(pico: i128) -> Self {
        Self(pico)
    }

    /// In pico-dollars.
    #[must_use]
    pub const fn pico_dollars(self) -> i128 {
        self.0
    }

    /// In dollars, for showing only.
    #[must_use]
    #[expect(clippy::cast_precision_loss, reason = "for showing only")]
    pub fn dollars(self) -> f64 {
        self.0 as f64 / 1e12
    }
}

impl FromStr for Amount {
    type Err = AmountError;

    fn from_str(text: &str) -> Result<Self, AmountError> {
        let text = text.trim();
        let (negative, text) = match text.strip_prefix('-') {
            Some(rest) => (true, rest),
            None => (false, text.strip_prefix('+').unwrap_or(text)),
        };
        let (mantissa, exponent) = match text.split_once(['e', 'E']) {
            Some((mantissa, exponent)) => (mantissa, exponent.parse::<i32>().map_err(|_| AmountError::NotANumber)?),
            None => (text, 0),
        };
        let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
        if whole.is_empty() && fraction.is_empty() {
            return Err(AmountError::NotANumber);
        }
        // The number is `digits × 10^shift` pico-dollars.
        let fraction_digits = i32::try_from(fraction.len()).map_err(|_| AmountError::TooLarge)?;
        let shift = exponent
            .checked_sub(fraction_digits)
            .and_then(|shift| shift.checked_add(i32::try_from(DIGITS).ok()?))
            .ok_or(AmountError::TooLarge)?;
        let mut pico: i128 = 0;
        let mut lost = false;
        let count = whole.len() + fraction.len();
        // Digits that fall behind the last pico-dollar only say whether to round up.
        let dropped = usize::try_from(shift.saturating_neg()).unwrap_or(0);
        for (index, digit) in whole.bytes().chain(fraction.bytes()).enumerate() {
            if !digit.is_ascii_digit() {
                return Err(AmountError::NotANumber);
            }
            if index + dropped >= count {
                lost |= digit != b'0';
                continue;
            }
            pico = pico
                .checked_mul(10)
                .and_then(|pico| pico.checked_add(i128::from(digit - b'0')))
                .ok_or(AmountError::TooLarge)?;
        }
        if shift > 0 && pico != 0 {
            let power = u32::try_from(shift).ok().and_then(|shift| 10_i128.checked_pow(shift));
            pico = power.and_then(|power| pico.checked_mul(power)).ok_or(AmountError::TooLarge)?;
        }
        if negative {
            // Up is toward zero here.
            return Ok(Self(-pico));
        }
        pico.checked_add(i128::from(lost)).map(Self).ok_or(AmountError::TooLarge)
    }
}

impl fmt::Display for Amount {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const UNIT: u128 = 10_u128.pow(12);
        let pico = self.0.unsigned_abs();
        if self.0 < 0 {
            f.write_str("-")?;
        }
        write!(f, "{}", pico / UNIT)?;
        let fraction = format!("{:0DIGITS$}", pico % UNIT);
        let fraction = fraction.trim_end_matches('0');
        if fraction.is_empty() { Ok(()) } else { write!(f, ".{fraction}") }
    }
}

impl<'de> Deserialize<'de> for Amount {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Visitor;

        impl de::Visitor<'_> for Visitor {
            type Value = Amount;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an amount of US dollars, as a number or a decimal string")
            }

            fn visit_str<E: de::Error>(self, text: &str) -> Result<Amount, E> {
                text.parse().map_err(E::custom)
            }

            fn visit_u64<E: de::Error>(self, number: u64) -> Result<Amount, E> {
                number.to_string().parse().map_err(E::custom)
            }

            fn visit_i64<E: de::Error>(self, number: i64) -> Result<Amount, E> {
                number.to_string().parse().map_err(E::custom)
            }

            fn visit_f64<E: de::Error>(self, number: f64) -> Result<Amount, E> {
                // The shortest text that means this number is the one the wire wrote, up to 15 digits.
                format!("{number}").parse().map_err(E::custom)
            }
        }

        deserializer.deserialize_any(Visitor)
    }
}

impl Serialize for Amount {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_f64(self.dollars())
    }
}

/// A price per unit in a catalogue.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Price {
    /// Known, in US dollars per unit.
    Known(Amount),
    /// `-1`: it depends on the model that a router picks. Never a credit.
    Varies,
    /// Absent, or no number.
    #[default]
    Unknown,
}

impl Price {
    /// Pico-dollars per unit, where known and not negative.
    #[must_use]
    pub fn pico_dollars(self) -> Option<u64> {
        match self {
            Self::Known(amount) => u64::try_from(amount.pico_dollars()).ok(),
            Self::Varies | Self::Unknown => None,
        }
    }

    /// US dollars per million units, for showing.
    #[must_use]
    pub fn per_million(self) -> Option<f64> {
        match self {
            Self::Known(amount) => Some(amount.dollars() * 1e6),
            Self::Varies | Self::Unknown => None,
        }
    }

    /// Whether it costs nothing.
    #[must_use]
    pub fn is_free(self) -> bool {
        self == Self::Known(Amount::ZERO)
    }
}

impl<'de> Deserialize<'de> for Price {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let amount = super::lenient::optional::<D, Amount>(deserializer)?;
        Ok(match amount {
            // Any negative price is a sentinel.
            Some(amount) if amount < Amount::ZERO => Self::Varies,
            Some(amount) => Self::Known(amount),
            None => Self::Unknown,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pico(text: &str) -> Result<i128, AmountError> {
        text.parse::<Amount>().map(Amount::pico_dollars)
    }

    #[test]
    fn reads_every_digit() {
        assert_eq!(pico("0.00000015"), Ok(150_000));
        assert_eq!(pico("5"), Ok(5_000_000_000_000));
        assert_eq!(pico("5.7915e-06"), Ok(5_791_500));
        assert_eq!(pico("1E2"), Ok(100_000_000_000_000));
        assert_eq!(pico("-1"), Ok(-1_000_000_000_000));
        assert_eq!(pico(".5"), Ok(500_000_000_000));
        assert_eq!(pico("0e999999"), Ok(0));
    }

    #[test]
    fn rounds_up_what_is_finer() {
        assert_eq!(pico("0.0000000000001"), Ok(1));
        assert_eq!(pico("0.0000000000010"), Ok(1));
        assert_eq!(pico("1e-400"), Ok(1));
        assert_eq!(pico("-0.0000000000019"), Ok(-1));
    }

    #[test]
    fn refuses_the_rest() {
        for bad in ["", "NaN", "inf", "1.2.3", "1e", "0x1", "1,5", "-", "."] {
            assert_eq!(pico(bad), Err(AmountError::NotANumber), "{bad}");
        }
        assert_eq!(pico("1e40"), Err(AmountError::TooLarge));
        assert_eq!(pico("1e2147483647"), Err(AmountError::TooLarge));
    }

    #[test]
    fn prints_what_it_read() {
        for text in ["0", "0.00000765", "12.5", "-1", "1000000"] {
            assert_eq!(text.parse::<Amount>().map(|amount| amount.to_string()), Ok(text.to_owned()));
        }
        let amount: Amount = serde_json::from_str("0.0000057915").unwrap();
        assert_eq!(amount.to_string(), "0.0000057915");
    }

    #[test]
    fn minus_one_is_no_credit() {
        let read = |text| serde_json::from_str::<Price>(text).unwrap();
        assert_eq!(read("\"-1\""), Price::Varies);
        assert_eq!(read("\"0\"").is_free(), true);
        assert_eq!(read("\"abc\""), Price::Unknown);
        assert_eq!(read("null"), Price::Unknown);
        assert_eq!(read("\"0.000003\"").per_million(), Some(3.0));
    }
}
