//! The time of day and the date: for the windows of budgets and the lines of a ledger.

use std::{fmt, time::Duration};

use tokio::time::Instant;

use super::wall;

/// A day in milliseconds.
pub(crate) const DAY: u64 = 24 * 60 * 60 * 1000;

/// An instant of UTC, in milliseconds since 1970.
///
/// ```
/// use tower_llm_layers::UtcTime;
///
/// let time = UtcTime::from_millis(1_700_000_000_123);
/// assert_eq!(time.to_string(), "2023-11-14T22:13:20.123Z");
/// assert_eq!(time.day_start().to_string(), "2023-11-14T00:00:00.000Z");
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct UtcTime(u64);

impl UtcTime {
    /// Now, by tokio's clock, so that paused time is paused here too. It is set by the system's clock, and set again within a second if that
    /// has stepped, or stood still for a suspended machine.
    #[must_use]
    pub fn now() -> Self {
        Self::at(Instant::now())
    }

    /// The same for an instant that is known already.
    #[must_use]
    pub fn at(instant: Instant) -> Self {
        Self(wall::millis_at(instant))
    }

    /// So many milliseconds since 1970.
    #[must_use]
    pub const fn from_millis(millis: u64) -> Self {
        Self(millis)
    }

    /// Milliseconds since 1970.
    #[must_use]
    pub const fn millis(self) -> u64 {
        self.0
    }

    /// How long after another instant it is; zero if it is before.
    #[must_use]
    pub const fn since(self, earlier: Self) -> Duration {
        Duration::from_millis(self.0.saturating_sub(earlier.0))
    }

    /// So much later.
    #[must_use]
    pub fn after(self, span: Duration) -> Self {
        Self(
            self.0
                .saturating_add(u64::try_from(span.as_millis()).unwrap_or(u64::MAX)),
        )
    }

    /// So much earlier, but not before 1970.
    #[must_use]
    pub fn before(self, span: Duration) -> Self {
        Self(
            self.0
                .saturating_sub(u64::try_from(span.as_millis()).unwrap_or(u64::MAX)),
        )
    }

    /// The last midnight.
    #[must_use]
    pub const fn day_start(self) -> Self {
        Self(self.0 - self.0 % DAY)
    }

    /// The time of day, in milliseconds since midnight.
    #[must_use]
    pub const fn millis_of_day(self) -> u64 {
        self.0 % DAY
    }

    /// Year, month and day.
    #[must_use]
    pub const fn date(self) -> (u64, u8, u8) {
        // Days since 0000-03-01, in years that begin in March: the leap day is then the last one.
        let days = self.0 / DAY + 719_468;
        let (era, day_of_era) = (days / 146_097, days % 146_097);
        let year_of_era = (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
        let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
        let shifted = (5 * day_of_year + 2) / 153;
        let day = day_of_year - (153 * shifted + 2) / 5 + 1;
        let month = if shifted < 10 { shifted + 3 } else { shifted - 9 };
        let year = year_of_era + era * 400 + if month <= 2 { 1 } else { 0 };
        (year, small(month), small(day))
    }
}

/// A number of at most 31.
const fn small(number: u64) -> u8 {
    (number & 0x1f) as u8
}

impl fmt::Display for UtcTime {
    /// As ISO 8601, to the millisecond.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (year, month, day) = self.date();
        let millis = self.millis_of_day();
        let (hour, minute, second) = (millis / 3_600_000, millis / 60_000 % 60, millis / 1000 % 60);
        write!(
            f,
            "{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{:03}Z",
            millis % 1000
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Checked against another calendar: `date -u -d … +%s`.
    const SUNDAY: u64 = 1_709_424_000_000; // 2024-03-03
    const LEAP_DAY: u64 = 1_709_164_800_000; // 2024-02-29, a Thursday

    #[test]
    fn days_begin_at_midnight() {
        assert_eq!(UtcTime(SUNDAY + 5_000).day_start(), UtcTime(SUNDAY));
        assert_eq!(UtcTime(LEAP_DAY).date(), (2024, 2, 29));
    }

    #[test]
    fn every_day_of_four_hundred_years_follows_on() {
        let mut last = (1969, 12, 31);
        for day in 0..=146_097 {
            let date = UtcTime(day * DAY).date();
            let (year, month, of_month) = last;
            let next = [(year, month, of_month + 1), (year, month + 1, 1), (year + 1, 1, 1)];
            assert!(next.contains(&date), "{date:?} after {last:?}");
            last = date;
        }
        assert_eq!(last, (2370, 1, 1));
    }

    #[tokio::test(start_paused = true)]
    async fn it_goes_with_tokios_clock() {
        let begun = UtcTime::now();
        tokio::time::advance(Duration::from_secs(86_400)).await;
        assert_eq!(UtcTime::now().since(begun), Duration::from_secs(86_400));
    }
}
