//! Numbers, however they are written.

use super::Cursor;
use super::error::{Expected, JsonError};

/// The most digits that a `u64` has.
const MOST_DIGITS: usize = 20;

/// The whole number that a JSON number is: `10`, `10.0` and `1e1` are ten. `None` for a fraction, a negative or too large a number, and for
/// what is no number.
pub fn whole_number(raw: &[u8]) -> Option<u64> {
    let text = std::str::from_utf8(raw).ok()?;
    if let Ok(number) = text.parse() {
        // Rust reads a sign that JSON does not.
        return (!text.starts_with('+')).then_some(number);
    }
    let (negative, text) = text.strip_prefix('-').map_or((false, text), |rest| (true, rest));
    let (mantissa, exponent) = text.split_once(['e', 'E']).unwrap_or((text, "0"));
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let is_number = |digits: &str| digits.bytes().all(|byte| byte.is_ascii_digit());
    if whole.is_empty() || !is_number(whole) || !is_number(fraction) {
        return None;
    }
    let digits = [whole, fraction].concat();
    let significant = digits.trim_start_matches('0').trim_end_matches('0');
    if significant.is_empty() {
        return Some(0);
    }
    // How many zeros stand behind the significant digits once the point is moved.
    let trailing = digits.len() - digits.trim_end_matches('0').len();
    let moved = exponent.parse::<i64>().ok()?;
    let zeros = moved
        .checked_add(i64::try_from(trailing).ok()?)?
        .checked_sub(i64::try_from(fraction.len()).ok()?)?;
    let zeros = usize::try_from(zeros).ok()?;
    if negative || significant.len().checked_add(zeros)? > MOST_DIGITS {
        return None;
    }
    let power = 10_u64.checked_pow(u32::try_from(zeros).ok()?)?;
    significant.parse::<u64>().ok()?.checked_mul(power)
}

impl Cursor<'_> {
    /// How long a number here is that JSON has no form for; 0 if there is none, or if it is not to be read.
    #[cold]
    pub(super) fn not_finite(&self) -> usize {
        let rest = self.bytes.get(self.at..).unwrap_or_default();
        let words = [b"NaN".as_slice(), b"Infinity", b"-Infinity", b"-NaN"];
        let found = words.into_iter().find(|word| self.lenient && rest.starts_with(word));
        found.map_or(0, <[u8]>::len)
    }

    pub(super) fn skip_number(&mut self) -> Result<(), JsonError> {
        if self.byte() == Some(b'-') {
            let word = if self.lenient { self.not_finite() } else { 0 };
            if word > 0 {
                self.at += word;
                return Ok(());
            }
            self.at += 1;
        }
        if self.byte() == Some(b'0') {
            self.at += 1;
        } else {
            self.digits()?;
        }
        if self.byte() == Some(b'.') {
            self.at += 1;
            self.digits()?;
        }
        if matches!(self.byte(), Some(b'e' | b'E')) {
            self.at += 1;
            if matches!(self.byte(), Some(b'+' | b'-')) {
                self.at += 1;
            }
            self.digits()?;
        }
        Ok(())
    }

    fn digits(&mut self) -> Result<(), JsonError> {
        if !self.byte().is_some_and(|byte| byte.is_ascii_digit()) {
            return Err(self.fail(Expected::Digit));
        }
        while self.byte().is_some_and(|byte| byte.is_ascii_digit()) {
            self.at += 1;
        }
        Ok(())
    }
}
