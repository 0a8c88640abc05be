use std::{fmt, str::FromStr, time::Duration};

use super::BudgetError;
use crate::UtcTime;

/// How long a budget lasts before it is full again. All begin at 00:00 UTC, as the router's own caps do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
#[non_exhaustive]
pub enum Window {
    /// A day.
    Day,
    /// A week, from Monday.
    Week,
    /// A month, from its first day.
    Month,
    /// No window: what is spent stays spent.
    #[default]
    Ever,
}

impl Window {
    /// When the window began that this instant lies in.
    #[must_use]
    pub const fn start(self, at: UtcTime) -> UtcTime {
        match self {
            Self::Day => at.day_start(),
            Self::Week => at.week_start(),
            Self::Month => at.month_start(),
            Self::Ever => UtcTime::from_millis(0),
        }
    }

    /// When the next one begins; `None` without a window.
    #[must_use]
    pub fn end(self, at: UtcTime) -> Option<UtcTime> {
        const DAY: Duration = Duration::from_secs(24 * 60 * 60);
        match self {
            Self::Day => Some(at.day_start().after(DAY)),
            Self::Week => Some(at.week_start().after(7 * DAY)),
            Self::Month => Some(at.next_month_start()),
            Self::Ever => None,
        }
    }

    /// The name used in configuration, logs and messages.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Day => "day",
            Self::Week => "week",
            Self::Month => "month",
            Self::Ever => "ever",
        }
    }
}

impl fmt::Display for Window {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for Window {
    type Err = BudgetError;

    fn from_str(name: &str) -> Result<Self, BudgetError> {
        [Self::Day, Self::Week, Self::Month, Self::Ever]
            .into_iter()
            .find(|window| window.as_str() == name)
            .ok_or_else(|| BudgetError::Window {
                name: name.chars().take(40).collect(),
            })
    }
}
