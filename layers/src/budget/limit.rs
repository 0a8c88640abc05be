//! A budget: a cap for a scope and a window.

use std::{sync::Arc, time::Duration};

use super::{
    BudgetError, Window, Zone,
    account::Period,
    calendar,
    standing::Standing,
    window::{LEAST_ROLLING, MOST_ROLLING},
};
use crate::{MAX_TAG_NAME_BYTES, Tags, UsdAmount, UtcTime};

/// The most that may be spent, for a scope and a window.
///
/// ```
/// use tower_llm_layers::budget::{Budget, Window};
///
/// // Each tenant may spend five dollars a day; the search team in all at most 200 a month.
/// let tenant = Budget::usd("tenant-day", "5.00")?.per(Window::Day).each("tenant");
/// let search = Budget::usd("search-month", "200")?.per(Window::Month).only("team", "search");
/// // And at no time more than three dollars within an hour.
/// let hour = Budget::max_per_hour("3".parse()?)?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Budget {
    name: Arc<str>,
    cap: UsdAmount,
    window: Window,
    zone: Zone,
    scope: Vec<Dimension>,
    soft: bool,
    pub(super) standing: Standing,
}

/// One condition on the calls a budget is for.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Dimension {
    /// Every value of the tag has an account of its own.
    Each(Box<str>),
    /// Only calls with this value.
    Only(Box<str>, Box<str>),
}

/// The name of the budget that [`Budget::max_per_hour`] makes.
pub const MAX_PER_HOUR: &str = "max-per-hour";

const HOUR: Duration = Duration::from_secs(60 * 60);

/// The name under which a budget refers to the candidate's model.
pub const MODEL: &str = "model";
/// The name under which a budget refers to the candidate's upstream.
pub const UPSTREAM: &str = "upstream";

/// Parts of an account's key; no tag can hold it.
const BETWEEN: char = '\u{1f}';

impl Budget {
    /// So many dollars, as a decimal number, for all calls together and without a window.
    ///
    /// # Errors
    ///
    /// If the name is invalid, or the amount is no decimal number or not above zero.
    pub fn usd(name: &str, dollars: &str) -> Result<Self, BudgetError> {
        let amount = dollars.parse().map_err(|error| BudgetError::Amount {
            name: name.chars().take(MAX_TAG_NAME_BYTES).collect(),
            error,
        })?;
        Self::new(name, amount)
    }

    /// The same for an amount.
    ///
    /// # Errors
    ///
    /// If the name is invalid, or the amount is not above zero.
    pub fn new(name: &str, cap: UsdAmount) -> Result<Self, BudgetError> {
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"_-./:".contains(&byte);
        let cut = || name.chars().take(MAX_TAG_NAME_BYTES).collect();
        if name.is_empty() || name.len() > MAX_TAG_NAME_BYTES || !name.bytes().all(plain) {
            return Err(BudgetError::Name { name: cut() });
        }
        if cap <= UsdAmount::ZERO {
            return Err(BudgetError::NotPositive { name: cut() });
        }
        Ok(Self {
            name: name.into(),
            cap,
            window: Window::Ever,
            zone: Zone::UTC,
            scope: Vec::new(),
            soft: false,
            standing: Standing::default(),
        })
    }

    /// At most so much in any hour, for all calls together, under the name [`MAX_PER_HOUR`]: a brake on a runaway. Made [`soft`](Self::soft) it
    /// is an alert.
    ///
    /// # Errors
    ///
    /// If the amount is not above zero.
    pub fn max_per_hour(cap: UsdAmount) -> Result<Self, BudgetError> {
        Ok(Self::new(MAX_PER_HOUR, cap)?.per(Window::Rolling(HOUR)))
    }

    /// Full again with each window.
    #[must_use]
    pub const fn per(mut self, window: Window) -> Self {
        self.window = window;
        self
    }

    /// Days, weeks and months begin in this time zone, and not in UTC.
    #[must_use]
    pub fn in_zone(mut self, zone: Zone) -> Self {
        self.zone = zone;
        self
    }

    /// Each value of a tag has the whole amount for itself; calls without the tag are not counted. The names [`MODEL`] and
    /// [`UPSTREAM`] mean the candidate's. A model has one account however it is spelt, if the price list knows it; a call counts for the model
    /// that was requested, and for the one that answered.
    #[must_use]
    pub fn each(mut self, tag: &str) -> Self {
        self.scope.push(Dimension::Each(tag.into()));
        self
    }

    /// Only calls with this value of the tag are counted.
    #[must_use]
    pub fn only(mut self, tag: &str, value: &str) -> Self {
        self.scope.push(Dimension::Only(tag.into(), value.into()));
        self
    }

    /// Only warns, and never refuses: not while its store is unavailable, nor if its accounts have no more room or a price is unknown. An attempt that only
    /// such budgets are for is sent as it is, without a limit on its answer or its tools.
    #[must_use]
    pub const fn soft(mut self) -> Self {
        self.soft = true;
        self
    }

    /// Its name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The most that may be spent in one window.
    #[must_use]
    pub const fn cap(&self) -> UsdAmount {
        self.cap
    }

    /// How long it lasts.
    #[must_use]
    pub const fn window(&self) -> Window {
        self.window
    }

    /// The time zone in which its days begin.
    #[must_use]
    pub const fn zone(&self) -> &Zone {
        &self.zone
    }

    /// When the window began that this instant lies in.
    #[must_use]
    pub fn window_start(&self, at: UtcTime) -> UtcTime {
        calendar::bounds(self.window, &self.zone, at).0
    }

    /// When the next one begins; `None` without a window. A rolling window is empty that late if nothing more is spent.
    #[must_use]
    pub fn window_end(&self, at: UtcTime) -> Option<UtcTime> {
        calendar::bounds(self.window, &self.zone, at).1
    }

    /// The same for an account.
    pub(super) fn period(&self, at: UtcTime) -> Period {
        if let Window::Rolling(span) = self.window {
            return Period::Rolling {
                now: at.millis(),
                length: u64::try_from(span.as_millis()).unwrap_or(u64::MAX),
            };
        }
        let (start, end) = calendar::bounds(self.window, &self.zone, at);
        Period::Fixed {
            start: start.millis(),
            end: end.map(UtcTime::millis),
        }
    }

    /// Whether what was spent at one instant counts at another.
    pub(super) fn counts(&self, at: UtcTime, now: UtcTime) -> bool {
        match self.window {
            Window::Rolling(span) => at.after(span) > now,
            _ => self.window_start(at) == self.window_start(now),
        }
    }

    /// Whether what one of them counted stands on the other's accounts.
    pub(super) fn counts_like(&self, other: &Self) -> bool {
        self.name == other.name && self.scope == other.scope && self.window == other.window && self.zone == other.zone
    }

    /// What is wrong with its window.
    pub(super) fn check(&self) -> Result<(), BudgetError> {
        let name = || self.name.to_string();
        match self.window {
            Window::MonthFrom(day) if !(1..=31).contains(&day) => Err(BudgetError::DayOfMonth { name: name() }),
            Window::Rolling(span) if !(LEAST_ROLLING..=MOST_ROLLING).contains(&span) => {
                Err(BudgetError::RollingWindow { name: name() })
            }
            window if !window.has_days() && self.zone != Zone::UTC => {
                Err(BudgetError::ZoneWithoutDays { name: name() })
            }
            _ => Ok(()),
        }
    }

    /// Whether it only warns.
    #[must_use]
    pub const fn is_soft(&self) -> bool {
        self.soft
    }

    /// The tags that it counts by.
    pub fn tags(&self) -> impl Iterator<Item = &str> {
        self.scope
            .iter()
            .map(|(Dimension::Each(tag) | Dimension::Only(tag, _))| &**tag)
    }

    /// Whether the model decides on the account.
    pub(crate) fn asks_for_model(&self) -> bool {
        self.tags().any(|tag| tag == MODEL)
    }

    /// The first tag of the call itself of which one value alone is counted: it applies to no call without that.
    pub(super) fn only_tag(&self) -> Option<(&str, &str)> {
        self.scope.iter().find_map(|dimension| match dimension {
            Dimension::Only(tag, value) if !matches!(&**tag, MODEL | UPSTREAM) => Some((&**tag, &**value)),
            Dimension::Each(_) | Dimension::Only(..) => None,
        })
    }

    /// The account that a call with these tags is recorded on; `None` if this budget does not apply to it. `model` is the name that the price
    /// list has for the model, and `listed` gives that of another spelling.
    pub(crate) fn account(
        &self,
        tags: &Tags,
        upstream: &str,
        model: &str,
        listed: &dyn Fn(&str) -> Option<Box<str>>,
    ) -> Option<Box<str>> {
        let value_of = |tag: &str| {
            tags.get(tag).or(match tag {
                MODEL => Some(model),
                UPSTREAM => Some(upstream),
                _ => None,
            })
        };
        let counts = |dimension: &Dimension| match dimension {
            Dimension::Each(tag) => value_of(tag).is_some(),
            Dimension::Only(tag, only) => value_of(tag).is_some_and(|value| {
                let is_of_model = || &**tag == MODEL && tags.get(tag).is_none();
                *value == **only || is_of_model() && listed(only).is_some_and(|only| *only == *value)
            }),
        };
        // Most budgets of many are for other calls: they cost no memory.
        if !self.scope.iter().all(counts) {
            return None;
        }
        let mut account = String::with_capacity(64);
        account.push_str(&self.name);
        for value in self.tags().filter_map(value_of) {
            account.push(BETWEEN);
            // A model's name comes from the request and may be any text.
            account.extend(value.chars().filter(|letter| !letter.is_control()));
        }
        Some(account.into())
    }

    /// Whether an account's key is of this budget.
    pub(crate) fn owns(&self, account: &str) -> bool {
        let mut parts = account.split(BETWEEN);
        parts.next() == Some(&*self.name) && parts.count() == self.scope.len()
    }

    /// An account's name as a person reads it: `tenant=acme`.
    pub(crate) fn account_label(&self, account: &str) -> String {
        let values = account.split(BETWEEN).skip(1);
        let tags = self.tags().zip(values).map(|(tag, value)| format!("{tag}={value}"));
        tags.collect::<Vec<_>>().join(" ")
    }
}

/// The name of the budget that an account's key is of.
pub(super) fn budget_of(account: &str) -> &str {
    account.split(BETWEEN).next().unwrap_or_default()
}
