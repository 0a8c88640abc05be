//! A zone of the tz database: its days and their first instants.

use jiff::{Timestamp, civil::Date, tz::TimeZone};

use crate::{UtcTime, util::days_since_1970};

/// A zone that the database has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct NamedZone(TimeZone);

impl NamedZone {
    pub(super) fn find(name: &str) -> Option<Self> {
        TimeZone::get(name).ok().map(Self)
    }

    pub(super) fn name(&self) -> &str {
        self.0.iana_name().unwrap_or("UTC")
    }

    /// The local date at an instant, in days since 1970; none beyond the years that the database covers.
    pub(super) fn day_of(&self, at: UtcTime) -> Option<u64> {
        let time = Timestamp::from_millisecond(i64::try_from(at.millis()).ok()?).ok()?;
        let date = self.0.to_datetime(time).date();
        let number = |part: i64| u64::try_from(part).unwrap_or(0);
        days_since_1970(
            number(date.year().into()),
            number(date.month().into()),
            number(date.day().into()),
        )
    }

    /// The first instant of a local day; none as above.
    pub(super) fn midnight(&self, day: UtcTime) -> Option<UtcTime> {
        let (year, month, day) = day.date();
        let date = Date::new(
            i16::try_from(year).ok()?,
            i8::try_from(month).ok()?,
            i8::try_from(day).ok()?,
        )
        .ok()?;
        let time = self.0.to_timestamp(date.at(0, 0, 0, 0)).ok()?;
        u64::try_from(time.as_millisecond()).ok().map(UtcTime::from_millis)
    }
}
