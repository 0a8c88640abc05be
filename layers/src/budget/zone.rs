//! The time zone in which the days of a budget begin: UTC, or one of the tz database with the feature `zones`.

use std::{fmt, str::FromStr};

use super::BudgetError;
#[cfg(feature = "zones")]
use crate::util::days_since_1970;
use crate::{UtcTime, util::DAY_MILLIS};

/// The time zone in which the days, weeks and months of a budget begin.
///
/// A day lasts from one local midnight to the next, so it has 23 or 25 hours if daylight saving time begins or ends on it. If the hour after midnight is left out, the day
/// begins with its first instant; if midnight comes twice, with the first one.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Zone {
    #[cfg(feature = "zones")]
    zone: Option<jiff::tz::TimeZone>,
}

impl Zone {
    /// The default.
    pub const UTC: Self = Self {
        #[cfg(feature = "zones")]
        zone: None,
    };

    /// The zone of this name in the tz database: `Europe/Berlin`. The machine's database is used, else one that is compiled in.
    ///
    /// # Errors
    ///
    /// If there is no such zone; without the feature `zones` if it is another one than `UTC`.
    pub fn named(name: &str) -> Result<Self, BudgetError> {
        if name == "UTC" {
            return Ok(Self::UTC);
        }
        let zone: String = name.chars().take(60).collect();
        #[cfg(feature = "zones")]
        return match jiff::tz::TimeZone::get(name) {
            Ok(found) => Ok(Self { zone: Some(found) }),
            Err(_) => Err(BudgetError::UnknownZone { zone }),
        };
        #[cfg(not(feature = "zones"))]
        Err(BudgetError::ZonesAreOff { zone })
    }

    /// Its name.
    #[must_use]
    pub fn name(&self) -> &str {
        #[cfg(feature = "zones")]
        if let Some(zone) = &self.zone {
            return zone.iana_name().unwrap_or("UTC");
        }
        "UTC"
    }

    /// The local date at an instant, in days since 1970.
    pub(super) fn day_of(&self, at: UtcTime) -> u64 {
        #[cfg(feature = "zones")]
        if let Some(zone) = &self.zone
            && let Some(time) = i64::try_from(at.millis())
                .ok()
                .and_then(|millis| jiff::Timestamp::from_millisecond(millis).ok())
        {
            let date = zone.to_datetime(time).date();
            let [year, month, day] = [i64::from(date.year()), i64::from(date.month()), i64::from(date.day())];
            let number = |part| u64::try_from(part).unwrap_or(0);
            return days_since_1970(number(year), number(month), number(day)).unwrap_or(0);
        }
        at.millis() / DAY_MILLIS
    }

    /// The first instant of a local day.
    pub(super) fn midnight(&self, day: u64) -> UtcTime {
        let utc = UtcTime::from_millis(day.saturating_mul(DAY_MILLIS));
        #[cfg(feature = "zones")]
        if let Some(zone) = &self.zone {
            let (year, month, day) = utc.date();
            let small = |number: u8| i8::try_from(number).unwrap_or(1);
            let date = i16::try_from(year)
                .ok()
                .and_then(|year| jiff::civil::Date::new(year, small(month), small(day)).ok());
            let time = date.and_then(|date| zone.to_timestamp(date.at(0, 0, 0, 0)).ok());
            if let Some(time) = time {
                return UtcTime::from_millis(u64::try_from(time.as_millisecond()).unwrap_or(0));
            }
        }
        utc
    }
}

impl FromStr for Zone {
    type Err = BudgetError;

    fn from_str(name: &str) -> Result<Self, BudgetError> {
        Self::named(name)
    }
}

impl fmt::Display for Zone {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}
