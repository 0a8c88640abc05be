//! How long a budget lasts before it is full again.

use std::{fmt, str::FromStr, time::Duration};

use super::{BudgetError, Zone, calendar};
use crate::UtcTime;

/// The shortest rolling window.
pub(super) const LEAST_ROLLING: Duration = Duration::from_secs(60);
/// The longest rolling window.
pub(super) const MOST_ROLLING: Duration = Duration::from_secs(366 * 24 * 60 * 60);

/// How long a budget lasts before it is full again.
///
/// Days, weeks and months begin at 00:00 UTC, as the router's own caps do, or at 00:00 of the [zone](super::Budget::in_zone) of the budget.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
#[non_exhaustive]
pub enum Window {
    /// An hour of UTC.
    Hour,
    /// A day.
    Day,
    /// A week, from Monday.
    Week,
    /// A month, from its first day.
    Month,
    /// A month from this day of the month, 1 to 31; in a shorter month from its last day.
    MonthFrom(u8),
    /// The time before now, from a minute to 366 days: what was spent is free again that long after it was spent. An amount counts up to a
    /// thirtieth of the window longer, so that an account stays small.
    Rolling(Duration),
    /// No window: what is spent stays spent.
    #[default]
    Ever,
}

impl Window {
    /// When the window began that this instant lies in, in UTC; of a budget with a zone, see [`Budget::window_start`](super::Budget::window_start).
    #[must_use]
    pub fn start(self, at: UtcTime) -> UtcTime {
        calendar::bounds(self, &Zone::UTC, at).0
    }

    /// When the next one begins, in UTC; `None` without a window. A rolling window is empty that late if nothing more is spent.
    #[must_use]
    pub fn end(self, at: UtcTime) -> Option<UtcTime> {
        calendar::bounds(self, &Zone::UTC, at).1
    }

    /// The name used in configuration, logs and messages.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Hour => "hour",
            Self::Day => "day",
            Self::Week => "week",
            Self::Month | Self::MonthFrom(_) => "month",
            Self::Rolling(_) => "rolling",
            Self::Ever => "ever",
        }
    }

    /// Whether its beginning depends on the time zone.
    pub(super) const fn has_days(self) -> bool {
        matches!(self, Self::Day | Self::Week | Self::Month | Self::MonthFrom(_))
    }
}

impl fmt::Display for Window {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::MonthFrom(day) => write!(f, "month from day {day}"),
            Self::Rolling(span) => write!(f, "rolling {span:?}"),
            _ => f.write_str(self.as_str()),
        }
    }
}

impl FromStr for Window {
    type Err = BudgetError;

    fn from_str(name: &str) -> Result<Self, BudgetError> {
        [Self::Hour, Self::Day, Self::Week, Self::Month, Self::Ever]
            .into_iter()
            .find(|window| window.as_str() == name)
            .ok_or_else(|| BudgetError::Window {
                name: name.chars().take(40).collect(),
            })
    }
}
