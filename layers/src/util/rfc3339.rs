//! Reads an instant as RFC 3339 writes it.

use std::{fmt, str::FromStr};

use super::UtcTime;

const SECOND: u64 = 1_000;

/// A text that is no instant of RFC 3339 since 1970.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct ParseUtcTimeError;

impl fmt::Display for ParseUtcTimeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("this is no time since 1970: write it as `2026-11-29T09:30:00Z`")
    }
}

impl std::error::Error for ParseUtcTimeError {}

/// Reads `2026-11-29T09:30:00Z`, with a fraction of a second or an offset if there is one.
///
/// ```
/// use tower_llm_layers::UtcTime;
///
/// let time: UtcTime = "2023-11-15T00:13:20.123+02:00".parse()?;
/// assert_eq!(time.millis(), 1_700_000_000_123);
/// # Ok::<(), tower_llm_layers::ParseUtcTimeError>(())
/// ```
impl FromStr for UtcTime {
    type Err = ParseUtcTimeError;

    fn from_str(text: &str) -> Result<Self, ParseUtcTimeError> {
        read(text).map(Self::from_millis).ok_or(ParseUtcTimeError)
    }
}

fn read(text: &str) -> Option<u64> {
    let (date, rest) = text.split_at_checked(10)?;
    let [year, month, day] = numbers(date, '-', [4, 2, 2])?;
    let rest = rest.strip_prefix(['T', 't', ' '])?;
    let (time, rest) = rest.split_at_checked(8)?;
    let [hour, minute, second] = numbers(time, ':', [2, 2, 2])?;
    let is_real = (1..=12).contains(&month) && (1..=days_of_month(year, month)).contains(&day);
    // A leap second is the first of the next minute.
    if !is_real || hour > 23 || minute > 59 || second > 60 {
        return None;
    }
    let (millis, offset) = fraction(rest)?;
    let seconds = days_since_1970(year, month, day)? * 86_400 + hour * 3_600 + minute * 60 + second;
    (seconds * SECOND + millis).checked_add_signed(-minutes(offset)? * 60_000)
}

/// Numbers of so many digits each, with this sign between them.
fn numbers(text: &str, between: char, digits: [usize; 3]) -> Option<[u64; 3]> {
    let mut parts = text.split(between);
    let mut all = [0; 3];
    for (number, digits) in all.iter_mut().zip(digits) {
        *number = number_of(parts.next()?, digits)?;
    }
    parts.next().is_none().then_some(all)
}

fn number_of(text: &str, digits: usize) -> Option<u64> {
    let is_number = text.len() == digits && text.bytes().all(|byte| byte.is_ascii_digit());
    is_number.then(|| text.parse().ok())?
}

/// The milliseconds of a fraction, and what stands behind it.
fn fraction(text: &str) -> Option<(u64, &str)> {
    let Some(digits) = text.strip_prefix('.') else {
        return Some((0, text));
    };
    let end = digits.find(|digit: char| !digit.is_ascii_digit())?;
    let (digits, rest) = digits.split_at_checked(end).filter(|(digits, _)| !digits.is_empty())?;
    let millis = digits.bytes().chain(*b"00").take(3);
    let millis = millis.fold(0, |whole, digit| whole * 10 + u64::from(digit - b'0'));
    Some((millis, rest))
}

/// The minutes of an offset.
fn minutes(text: &str) -> Option<i64> {
    if text.eq_ignore_ascii_case("z") {
        return Some(0);
    }
    let sign = match text.as_bytes().first()? {
        b'+' => 1,
        b'-' => -1,
        _ => return None,
    };
    let (hours, minutes) = text.get(1..)?.split_once(':')?;
    let (hours, minutes) = (number_of(hours, 2)?, number_of(minutes, 2)?);
    let whole = i64::try_from(hours * 60 + minutes).ok()?;
    (hours < 24 && minutes < 60).then_some(sign * whole)
}

const fn is_leap(year: u64) -> bool {
    year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400))
}

/// How many days a month has.
pub(crate) const fn days_of_month(year: u64, month: u64) -> u64 {
    match month {
        2 if is_leap(year) => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

/// The number of a date, from 0 for the first day of 1970; `None` before it.
pub(crate) fn days_since_1970(year: u64, month: u64, day: u64) -> Option<u64> {
    // Years begin in March: the leap day is then the last one.
    let (year, month) = if month > 2 {
        (year, month - 3)
    } else {
        (year.checked_sub(1)?, month + 9)
    };
    let days = 365 * year + year / 4 - year / 100 + year / 400 + (153 * month + 2) / 5 + day - 1;
    days.checked_sub(719_468)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read_back() {
        let mut random = fastrand::Rng::with_seed(3339);
        for _ in 0..10_000 {
            let time = UtcTime::from_millis(random.u64(0..253_402_300_800_000));
            assert_eq!(time.to_string().parse(), Ok(time));
        }
    }

    #[test]
    fn all_forms_of_the_standard_are_read() {
        for (text, millis) in [
            ("1970-01-01T00:00:00Z", 0),
            ("1970-01-01t00:00:01.5z", 1_500),
            ("1970-01-01 00:00:00.123456789Z", 123),
            ("1970-01-01T01:00:00+01:00", 0),
            ("2024-02-29T00:00:00Z", 1_709_164_800_000),
            ("1990-12-31T23:59:60Z", 662_688_000_000),
        ] {
            assert_eq!(text.parse(), Ok(UtcTime::from_millis(millis)), "{text}");
        }
    }

    #[test]
    fn what_is_no_time_is_refused() {
        for text in [
            "",
            "soon",
            "2026-11-29",
            "2026-13-01T00:00:00Z",
            "2026-02-29T00:00:00Z",
            "2026-11-31T00:00:00Z",
            "2026-11-29T24:00:00Z",
            "2026-11-29T00:60:00Z",
            "2026-11-29T00:00:00",
            "2026-11-29T00:00:00.Z",
            "2026-11-29T00:00:00+1",
            "2026-11-29T00:00:00+25:00",
            "2026-11-29T00:00:00Z ",
            "+026-11-29T00:00:00Z",
            "2026-11-29T00:00:0éZ",
            "0000-01-01T00:00:00Z",
            "1969-12-31T23:59:59Z",
        ] {
            assert_eq!(text.parse::<UtcTime>(), Err(ParseUtcTimeError), "{text}");
        }
    }
}
