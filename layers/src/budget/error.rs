//! Why a budget cannot be had.

use std::fmt;

use crate::{MAX_TAG_NAME_BYTES, UsdError};

/// Why a budget cannot be had. Names what is wrong, and the fix.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum BudgetError {
    /// The name is blank, too long, or holds other characters than letters, digits and `_-./:`.
    Name {
        /// It, cut.
        name: String,
    },
    /// Two budgets have the same name.
    Twice {
        /// It.
        name: String,
    },
    /// The amount cannot be read.
    Amount {
        /// Of which budget.
        name: String,
        /// Why.
        error: UsdError,
    },
    /// The amount is zero or below: nothing would ever pass.
    NotPositive {
        /// Of which budget.
        name: String,
    },
    /// There is no such window.
    Window {
        /// Its name, cut.
        name: String,
    },
    /// There is no such time zone.
    UnknownZone {
        /// Its name, cut.
        zone: String,
    },
    /// Time zones need the feature `zones`.
    ZonesAreOff {
        /// The name of the zone, cut.
        zone: String,
    },
    /// A zone was set, and the window of the budget has no days.
    ZoneWithoutDays {
        /// Of which budget.
        name: String,
    },
    /// The month begins on no day of a month.
    DayOfMonth {
        /// Of which budget.
        name: String,
    },
    /// The rolling window is too short or too long.
    RollingWindow {
        /// Of which budget.
        name: String,
    },
}

impl fmt::Display for BudgetError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Name { name } => write!(
                f,
                "invalid budget name {name:?}: use up to {MAX_TAG_NAME_BYTES} letters, digits and `_-./:`"
            ),
            Self::Twice { name } => write!(f, "there are two budgets named `{name}`: give each a name of its own"),
            Self::Amount { name, error } => {
                write!(
                    f,
                    "the amount of the budget `{name}` is not a number of dollars ({error}): write e.g. `5.00`"
                )
            }
            Self::NotPositive { name } => write!(
                f,
                "the budget `{name}` is zero or below, which refuses everything: give an amount, or leave it out"
            ),
            Self::Window { name } => {
                write!(
                    f,
                    "unknown window {name:?}: use `hour`, `day`, `week`, `month` or `ever`"
                )
            }
            Self::UnknownZone { zone } => {
                write!(
                    f,
                    "unknown time zone {zone:?}: use a name of the tz database, e.g. `Europe/Berlin`"
                )
            }
            Self::ZonesAreOff { zone } => {
                write!(
                    f,
                    "the time zone {zone:?} needs the feature `zones`: enable it, or use `UTC`"
                )
            }
            Self::ZoneWithoutDays { name } => write!(
                f,
                "the budget `{name}` has a time zone, and its window has no days: use a day, a week or a month, or leave the zone out"
            ),
            Self::DayOfMonth { name } => write!(
                f,
                "the month of the budget `{name}` begins on no day of a month: use 1 to 31; a shorter month begins on its last day"
            ),
            Self::RollingWindow { name } => write!(
                f,
                "the rolling window of the budget `{name}` is too short or too long: use a minute to 366 days"
            ),
        }
    }
}

impl std::error::Error for BudgetError {}
