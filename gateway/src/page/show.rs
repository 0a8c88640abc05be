//! Amounts, times and shares as a person reads them.

use std::time::Duration;

use tower_openrouter::{UsdAmount, layers::UtcTime};

/// Dollars with as many digits as say something: `$12.40`, `$0.0312`, `$0.000042`.
pub(super) fn usd(amount: UsdAmount) -> String {
    usd_to(amount, digits(amount))
}

/// How many digits after the point say something.
pub(super) fn digits(amount: UsdAmount) -> u32 {
    match amount.pico().unsigned_abs() {
        0 => 2,
        1_000_000_000_000.. => 2,
        10_000_000_000.. => 4,
        _ => 6,
    }
}

/// Rounded to so many digits after the point, 12 at most.
pub(super) fn rounded(amount: UsdAmount, digits: u32) -> UsdAmount {
    let unit = 10_i128.pow(12 - digits);
    let units = amount.pico().saturating_add(unit / 2).div_euclid(unit);
    UsdAmount::from_pico(units.saturating_mul(unit))
}

/// Dollars with so many digits after the point, from 2 to 12, but without zeros at the end.
pub(super) fn usd_to(amount: UsdAmount, digits: u32) -> String {
    let rounded = rounded(amount, digits).pico() / 10_i128.pow(12 - digits);
    if rounded == 0 && amount.pico() > 0 {
        return "<$0.000001".to_owned();
    }
    let one = 10_i128.pow(digits);
    let sign = if rounded < 0 { "-" } else { "" };
    let (whole, rest) = (rounded.abs() / one, rounded.abs() % one);
    let rest = format!("{rest:0width$}", width = digits as usize);
    // Zeros at the end say nothing, but cents have two digits.
    let (cents, finer) = rest.split_at(2);
    let rest = format!("{cents}{}", finer.trim_end_matches('0'));
    format!("{sign}${}.{rest}", grouped(u64::try_from(whole).unwrap_or(u64::MAX)))
}

/// A count with its thousands apart.
pub(super) fn grouped(count: u64) -> String {
    let digits = count.to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// A time in milliseconds: `850 ms`, `2.3 s`, `1 min 12 s`.
pub(super) fn millis(millis: u64) -> String {
    match millis {
        0..1_000 => format!("{millis} ms"),
        1_000..60_000 => format!("{}.{} s", millis / 1_000, millis % 1_000 / 100),
        _ => duration(Duration::from_millis(millis)),
    }
}

/// A time in its two largest units.
pub(super) fn duration(time: Duration) -> String {
    let seconds = time.as_secs();
    match seconds {
        0..60 => format!("{seconds} s"),
        60..3_600 => format!("{} min {} s", seconds / 60, seconds % 60),
        3_600..86_400 => format!("{} h {} min", seconds / 3_600, seconds % 3_600 / 60),
        _ => format!("{} d {} h", seconds / 86_400, seconds % 86_400 / 3_600),
    }
}

/// Thousandths as percent: `99.2 %`.
pub(super) fn percent(per_mille: u64) -> String {
    match per_mille % 10 {
        0 => format!("{} %", per_mille / 10),
        rest => format!("{}.{rest} %", per_mille / 10),
    }
}

/// The part of the day in UTC: `14:32:07`.
pub(super) fn clock(at: UtcTime) -> String {
    at.to_string().get(11..19).unwrap_or_default().to_owned()
}

/// Day and minute in UTC: `25 Nov 14:32`; today's without the day.
pub(super) fn moment(at: UtcTime, now: UtcTime) -> String {
    const MONTHS: [&str; 12] = [
        "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
    ];
    let text = at.to_string();
    let minute = text.get(11..16).unwrap_or_default();
    if at.day_start() == now.day_start() {
        return minute.to_owned();
    }
    let (_, month, day) = at.date();
    let month = MONTHS
        .get(usize::from(month).saturating_sub(1))
        .copied()
        .unwrap_or_default();
    format!("{day} {month} {minute}")
}

/// A text whose times are written as `2026-11-25T14:32:07.000Z`, with these as [`moment`] shows them.
pub(super) fn with_moments(text: &str, now: UtcTime) -> String {
    let shown = |word: &str| {
        let time = word.trim_end_matches([',', ';', '.', ')']);
        let at: Option<UtcTime> = time.ends_with('Z').then(|| time.parse().ok()).flatten();
        let end = word.strip_prefix(time).unwrap_or_default();
        at.map_or_else(|| word.to_owned(), |at| format!("{} UTC{end}", moment(at, now)))
    };
    text.split(' ').map(shown).collect::<Vec<_>>().join(" ")
}

/// The second in UTC: `14:32:07`; of another day its day and minute.
pub(super) fn second(at: UtcTime, now: UtcTime) -> String {
    if at.day_start() == now.day_start() {
        clock(at)
    } else {
        moment(at, now)
    }
}

/// A time up to now in words; `since the start at …` if the process began later.
pub(super) fn span(words: &str, length: Duration, began: UtcTime, now: UtcTime) -> String {
    if now.since(began) < length {
        format!("since the start at {} UTC", moment(began, now))
    } else {
        words.to_owned()
    }
}

/// How large a part is of a whole, in thousandths, at most all of it.
pub(super) fn per_mille(part: UsdAmount, whole: UsdAmount) -> u64 {
    if whole <= UsdAmount::ZERO || part <= UsdAmount::ZERO {
        return 0;
    }
    let share = part.pico().saturating_mul(1_000) / whole.pico();
    u64::try_from(share).unwrap_or(0).min(1_000)
}

/// `s` unless there is one.
pub(super) const fn plural(count: u64) -> &'static str {
    if count == 1 { "" } else { "s" }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn money_has_the_digits_that_say_something() {
        for (amount, text) in [
            ("0", "$0.00"),
            ("12.4", "$12.40"),
            ("1234567.891", "$1,234,567.89"),
            ("0.03125", "$0.0313"),
            ("0.000042", "$0.000042"),
            ("0.004", "$0.004"),
            ("0.0000000001", "<$0.000001"),
            ("-1.5", "-$1.50"),
        ] {
            assert_eq!(usd(amount.parse().unwrap()), text);
        }
    }

    #[test]
    fn times_and_shares() {
        assert_eq!((millis(850), millis(2_345)), ("850 ms".to_owned(), "2.3 s".to_owned()));
        assert_eq!(millis(72_000), "1 min 12 s");
        assert_eq!((percent(992), percent(1000)), ("99.2 %".to_owned(), "100 %".to_owned()));
        let at = UtcTime::from_millis(1_709_164_800_000);
        assert_eq!(moment(at, at), "00:00");
        assert_eq!(moment(at, at.after(Duration::from_secs(90_000))), "29 Feb 00:00");
        assert_eq!(second(at, at), "00:00:00");
        assert_eq!(
            with_moments("Z,  or at 2024-02-29T00:00:00.000Z; then", at),
            "Z,  or at 00:00 UTC; then"
        );
        let hour = Duration::from_secs(3_600);
        assert_eq!(span("in the last hour", hour, at, at.after(hour)), "in the last hour");
        let young = at.after(Duration::from_secs(20));
        assert_eq!(
            span("in the last hour", hour, at, young),
            "since the start at 00:00 UTC"
        );
    }
}
