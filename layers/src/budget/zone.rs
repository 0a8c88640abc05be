//! The time zone in which the days of a budget begin: UTC, or one of the tz database with the feature `zones`.

use std::{fmt, str::FromStr};

use super::BudgetError;
#[cfg(feature = "zones")]
use super::named_zone::NamedZone;
use crate::{UtcTime, util::DAY_MILLIS};

/// The time zone in which the days, weeks and months of a budget begin.
///
/// A day lasts from one local midnight to the next, so it has 23 or 25 hours if daylight saving time begins or ends on it. If the hour after midnight is left out, the day
/// begins with its first instant; if midnight comes twice, with the first one.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Zone {
    /// None is UTC.
    zone: Option<NamedZone>,
}

/// Without the feature there is no zone but UTC.
#[cfg(not(feature = "zones"))]
#[derive(Debug, Clone, PartialEq, Eq)]
enum NamedZone {}

#[cfg(not(feature = "zones"))]
impl NamedZone {
    const fn name(&self) -> &str {
        match *self {}
    }

    const fn day_of(&self, _: UtcTime) -> Option<u64> {
        match *self {}
    }

    const fn midnight(&self, _: UtcTime) -> Option<UtcTime> {
        match *self {}
    }
}

impl Zone {
    /// The default.
    pub const UTC: Self = Self { zone: None };

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
        return match NamedZone::find(name) {
            Some(found) => Ok(Self { zone: Some(found) }),
            None => Err(BudgetError::UnknownZone { zone }),
        };
        #[cfg(not(feature = "zones"))]
        Err(BudgetError::ZonesAreOff { zone })
    }

    /// Its name.
    #[must_use]
    pub fn name(&self) -> &str {
        self.zone.as_ref().map_or("UTC", NamedZone::name)
    }

    /// The local date at an instant, in days since 1970.
    pub(super) fn day_of(&self, at: UtcTime) -> u64 {
        let local = self.zone.as_ref().and_then(|zone| zone.day_of(at));
        local.unwrap_or_else(|| at.millis() / DAY_MILLIS)
    }

    /// The first instant of a local day.
    pub(super) fn midnight(&self, day: u64) -> UtcTime {
        let utc = UtcTime::from_millis(day.saturating_mul(DAY_MILLIS));
        let local = self.zone.as_ref().and_then(|zone| zone.midnight(utc));
        local.unwrap_or(utc)
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
