//! Exact money.

use std::fmt;

/// Powers of ten in a dollar: amounts are whole pico-dollars. The cheapest token costs some ten thousand of them.
const SCALE: u32 = 12;

/// An amount of US dollars, exact to a pico-dollar (10⁻¹² USD).
///
/// ```
/// use tower_llm_layers::UsdAmount;
///
/// let per_token: UsdAmount = "0.00000015".parse()?;
/// let total = per_token.checked_mul(15)?.checked_add("0.0000054".parse()?)?;
/// assert_eq!(total.to_string(), "$0.00000765");
/// # Ok::<(), tower_llm_layers::UsdError>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct UsdAmount(i128);

impl UsdAmount {
    /// Nothing.
    pub const ZERO: Self = Self(0);

    /// So many pico-dollars.
    #[must_use]
    pub const fn from_pico(pico: i128) -> Self {
        Self(pico)
    }

    /// How many pico-dollars it is.
    #[must_use]
    pub const fn pico(self) -> i128 {
        self.0
    }

    /// As spans and metrics take it: they are no bills.
    #[expect(clippy::cast_precision_loss, reason = "to look at, not to add up")]
    pub(crate) const fn in_dollars(self) -> f64 {
        self.0 as f64 / 1e12
    }

    /// The sum.
    ///
    /// # Errors
    ///
    /// If it is too large.
    pub fn checked_add(self, other: Self) -> Result<Self, UsdError> {
        self.0.checked_add(other.0).map(Self).ok_or(UsdError::Overflow)
    }

    /// The difference.
    ///
    /// # Errors
    ///
    /// If it is too large.
    pub fn checked_sub(self, other: Self) -> Result<Self, UsdError> {
        self.0.checked_sub(other.0).map(Self).ok_or(UsdError::Overflow)
    }

    /// The sum, or the largest amount there is.
    #[must_use]
    pub const fn saturating_add(self, other: Self) -> Self {
        Self(self.0.saturating_add(other.0))
    }

    /// The difference, or the smallest amount there is.
    #[must_use]
    pub const fn saturating_sub(self, other: Self) -> Self {
        Self(self.0.saturating_sub(other.0))
    }

    /// The decimal number of dollars without the sign of the dollar, such as `0.0125`: exact where a JSON number is not.
    #[must_use]
    pub fn decimal(self) -> String {
        self.to_string().replacen('$', "", 1)
    }

    /// Whether it is below nothing.
    #[must_use]
    pub const fn is_negative(self) -> bool {
        self.0 < 0
    }

    /// So many times the amount.
    ///
    /// # Errors
    ///
    /// If it is too large.
    pub fn checked_mul(self, times: u64) -> Result<Self, UsdError> {
        self.0
            .checked_mul(i128::from(times))
            .map(Self)
            .ok_or(UsdError::Overflow)
    }
}

impl std::str::FromStr for UsdAmount {
    type Err = UsdError;

    /// Reads a decimal number of dollars, with or without an exponent, and rounds up what is smaller than a pico-dollar.
    fn from_str(text: &str) -> Result<Self, UsdError> {
        let text = text.trim();
        let (negative, unsigned) = text.strip_prefix('-').map_or((false, text), |rest| (true, rest));
        let (mantissa, exponent) = match unsigned.split_once(['e', 'E']) {
            Some((mantissa, exponent)) => (mantissa, read_exponent(exponent)?),
            None => (unsigned, 0),
        };
        let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
        let point = i64::try_from(whole.len()).map_err(|_| UsdError::Overflow)?;
        if whole.is_empty() {
            return Err(UsdError::NotANumber);
        }
        // The power of ten in pico-dollars of the next digit.
        let mut weight = i64::from(SCALE).saturating_add(exponent).saturating_add(point - 1);
        let mut amount = 0_i128;
        let mut rest = false;
        for digit in whole.bytes().chain(fraction.bytes()) {
            if !digit.is_ascii_digit() {
                return Err(UsdError::NotANumber);
            }
            let digit = i128::from(digit - b'0');
            if weight >= 0 {
                amount = amount
                    .checked_mul(10)
                    .and_then(|amount| amount.checked_add(digit))
                    .ok_or(UsdError::Overflow)?;
            } else {
                rest |= digit != 0;
            }
            weight = weight.saturating_sub(1);
        }
        if weight >= 0 && amount != 0 {
            let missing = u32::try_from(weight.saturating_add(1)).map_err(|_| UsdError::Overflow)?;
            let factor = 10_i128.checked_pow(missing).ok_or(UsdError::Overflow)?;
            amount = amount.checked_mul(factor).ok_or(UsdError::Overflow)?;
        }
        Ok(Self(match (negative, rest) {
            (true, _) => -amount,
            (false, true) => amount.checked_add(1).ok_or(UsdError::Overflow)?,
            (false, false) => amount,
        }))
    }
}

fn read_exponent(text: &str) -> Result<i64, UsdError> {
    let digits = text.strip_prefix(['+', '-']).unwrap_or(text);
    if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(UsdError::NotANumber);
    }
    // Past this, the sign alone decides.
    let size = digits.parse::<i64>().unwrap_or(i64::MAX / 4).min(i64::MAX / 4);
    Ok(if text.starts_with('-') { -size } else { size })
}

impl fmt::Display for UsdAmount {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (sign, amount) = if self.0 < 0 {
            ("-", self.0.unsigned_abs())
        } else {
            ("", self.0.unsigned_abs())
        };
        let one = 10_u128.pow(SCALE);
        let fraction = format!("{:012}", amount % one);
        // At least cents.
        let (cents, finer) = fraction.split_at_checked(2).unwrap_or_default();
        write!(f, "{sign}${}.{cents}{}", amount / one, finer.trim_end_matches('0'))
    }
}

/// An amount that cannot be had exactly.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum UsdError {
    /// The text is not a decimal number.
    NotANumber,
    /// The amount is too large: past 10²⁶ dollars.
    Overflow,
}

impl fmt::Display for UsdError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NotANumber => "not a decimal number",
            Self::Overflow => "an amount of money that is too large",
        })
    }
}

impl std::error::Error for UsdError {}

#[cfg(test)]
mod tests {
    use super::{UsdAmount, UsdError};

    fn pico(text: &str) -> Result<i128, UsdError> {
        text.parse().map(UsdAmount::pico)
    }

    #[test]
    fn reads_every_way_to_write_it() {
        assert_eq!(pico("0"), Ok(0));
        assert_eq!(pico("1"), Ok(1_000_000_000_000));
        assert_eq!(pico("0.00000015"), Ok(150_000));
        assert_eq!(pico("1.5e-7"), Ok(150_000));
        assert_eq!(pico("15E-8"), Ok(150_000));
        assert_eq!(pico("1e2"), Ok(100_000_000_000_000));
        assert_eq!(pico("0e99999999999999999999"), Ok(0));
        assert_eq!(pico("500.12"), Ok(500_120_000_000_000));
    }

    #[test]
    fn rounds_up_never_down() {
        assert_eq!(pico("0.0000000000001"), Ok(1));
        assert_eq!(pico("0.0000000000010"), Ok(1));
        assert_eq!(pico("0.0000000000011"), Ok(2));
        assert_eq!(pico("1e-99999999999999999999"), Ok(1));
        assert_eq!(pico("-0.0000000000011"), Ok(-1));
        assert_eq!(
            pico("0.33333333333333333333333333333333333333333333333333"),
            Ok(333_333_333_334)
        );
    }

    #[test]
    fn says_what_it_cannot_hold() {
        assert_eq!(pico("1e27"), Err(UsdError::Overflow));
        assert_eq!(pico("1e999999999999999999999"), Err(UsdError::Overflow));
        assert_eq!(pico(&"9".repeat(60)), Err(UsdError::Overflow));
        for text in ["", "-", "abc", "1.2.3", "0x1", "1e", ".5", "NaN", "1 2"] {
            assert_eq!(pico(text), Err(UsdError::NotANumber), "{text}");
        }
        assert_eq!(UsdAmount::from_pico(i128::MAX).checked_mul(2), Err(UsdError::Overflow));
        assert_eq!(
            UsdAmount::from_pico(i128::MAX).checked_add(UsdAmount::from_pico(1)),
            Err(UsdError::Overflow)
        );
    }

    #[test]
    fn shows_dollars() {
        assert_eq!(UsdAmount::from_pico(5_000_000_000_000).to_string(), "$5.00");
        assert_eq!(UsdAmount::from_pico(-7_650_000).to_string(), "-$0.00000765");
    }
}
