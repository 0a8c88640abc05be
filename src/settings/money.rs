//! Amounts of money, and budgets.

use std::{collections::BTreeMap, fmt, str::FromStr};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use tower_llm_layers::{
    UsdAmount,
    budget::{Budget, BudgetError, Window},
};

use super::{
    Time,
    text::{InvalidValue, written_as_text},
};
use crate::stack::MaxPerHour;

/// An amount of US dollars, exact: `"$5.00"` or `"5.00"`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub struct Usd(pub UsdAmount);

impl From<UsdAmount> for Usd {
    fn from(amount: UsdAmount) -> Self {
        Self(amount)
    }
}

impl FromStr for Usd {
    type Err = InvalidValue;

    fn from_str(text: &str) -> Result<Self, InvalidValue> {
        let text = text.trim();
        let wrong = |why: &str| {
            InvalidValue::new(format!(
                "not an amount of dollars ({why}): write e.g. \"$5.00\" or \"0.00000125\""
            ))
        };
        let amount = text.strip_prefix('$').unwrap_or(text).parse::<UsdAmount>();
        match amount {
            Ok(amount) if amount.is_negative() => Err(wrong("below zero")),
            Ok(amount) => Ok(Self(amount)),
            Err(error) => Err(wrong(&error.to_string())),
        }
    }
}

impl fmt::Display for Usd {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

written_as_text!(Usd, "usd", ["$5.00", "0.00000125"]);

/// The most that may be spent, for a scope and a window: see [`Budget`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct BudgetSettings {
    /// Its name: letters, digits and `_-./:`. What was spent is remembered under it.
    pub name: String,
    /// The most that may be spent in one window.
    pub usd: Usd,
    /// The window: the budget is full again with each.
    #[serde(default)]
    pub per: WindowSettings,
    /// The length of a window that rolls, from a minute to 366 days, in the place of `per`: what was spent is free again that long after.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rolling: Option<Time>,
    /// The day on which its months begin, 1 to 31; a shorter month on its last day. The first by default.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub day_of_month: Option<u8>,
    /// The time zone in which its days begin, by its name in the tz database. UTC by default.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub zone: Option<String>,
    /// Tags each value of which has the whole amount for itself; `model` and `upstream` are the candidate's.
    #[serde(default)]
    pub each: Vec<String>,
    /// Only calls with these values of tags are counted.
    #[serde(default)]
    pub only: BTreeMap<String, String>,
    /// Only warns, and never refuses.
    #[serde(default)]
    pub soft: bool,
}

/// The most that may be spent in any hour: see [`StackBuilder::max_per_hour`](crate::stack::StackBuilder::max_per_hour).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct MaxPerHourSettings {
    /// The most within 60 minutes, for all calls together.
    pub usd: Usd,
    /// What happens beyond it.
    #[serde(default)]
    pub action: MaxPerHour,
}

impl MaxPerHourSettings {
    pub(super) fn budget(self) -> Result<Budget, BudgetError> {
        let budget = Budget::max_per_hour(self.usd.0)?;
        Ok(match self.action {
            MaxPerHour::Alert => budget.soft(),
            MaxPerHour::Refuse => budget,
        })
    }
}

/// How long a budget lasts before it is full again: see [`Window`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum WindowSettings {
    /// An hour.
    Hour,
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

impl BudgetSettings {
    /// So much for all calls together, without a window.
    pub fn new(name: impl Into<String>, usd: impl Into<Usd>) -> Self {
        Self {
            name: name.into(),
            usd: usd.into(),
            per: WindowSettings::Ever,
            rolling: None,
            day_of_month: None,
            zone: None,
            each: Vec::new(),
            only: BTreeMap::new(),
            soft: false,
        }
    }

    /// What does not go together, by its key.
    pub(super) fn wrong(&self) -> Option<(&'static str, &'static str)> {
        if self.rolling.is_some() && self.per != WindowSettings::Ever {
            return Some((
                "rolling",
                "is set beside `per`: a window either rolls, or begins with the calendar",
            ));
        }
        if self.day_of_month.is_some() && self.per != WindowSettings::Month {
            return Some(("day_of_month", "has no effect without `per = \"month\"`"));
        }
        None
    }

    pub(super) fn budget(&self) -> Result<Budget, BudgetError> {
        let window = match (self.per, self.rolling, self.day_of_month) {
            (_, Some(time), _) => Window::Rolling(time.0),
            (WindowSettings::Hour, ..) => Window::Hour,
            (WindowSettings::Day, ..) => Window::Day,
            (WindowSettings::Week, ..) => Window::Week,
            (WindowSettings::Month, _, Some(day)) => Window::MonthFrom(day),
            (WindowSettings::Month, ..) => Window::Month,
            (WindowSettings::Ever, ..) => Window::Ever,
        };
        let mut budget = Budget::new(&self.name, self.usd.0)?.per(window);
        if let Some(zone) = &self.zone {
            budget = budget.in_zone(zone.parse()?);
        }
        for tag in &self.each {
            budget = budget.each(tag);
        }
        for (tag, value) in &self.only {
            budget = budget.only(tag, value);
        }
        Ok(if self.soft { budget.soft() } else { budget })
    }
}
