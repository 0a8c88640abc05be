//! What is known of the money that is left, and what a reading of the account changes in it.

use std::{fmt, time::Duration};

use tower_llm_layers::{UsdAmount, UtcTime, budget::Window};

use super::key_budget::{first_to_block, left_of};
use crate::response::ToUsd as _;
use openrouter_wire::{
    Decimal,
    account::{Credits, KeyInfo},
};

/// What calls are paid from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[non_exhaustive]
pub enum BalanceSource {
    /// The account's prepaid balance.
    Prepaid,
    /// The key's own cap.
    KeyCap,
    /// The budget that blocks the key's requests first: a member's, a workspace's or a guardrail's.
    KeyBudget,
    /// Today's requests to free models.
    FreeDay,
}

impl BalanceSource {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Prepaid, Self::KeyCap, Self::KeyBudget, Self::FreeDay];

    /// The name used in logs and messages.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Prepaid => "prepaid",
            Self::KeyCap => "key_cap",
            Self::KeyBudget => "key_budget",
            Self::FreeDay => "free_day",
        }
    }
}

/// The state of one balance source.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct SourceState {
    /// What is left: pico-dollars, or requests of the free day. `None` if it is unknown, or without limit.
    pub left: Option<i128>,
    /// When it is full again.
    pub resets: Option<UtcTime>,
    /// What is spent from it in an hour: the larger of what the account says and what this process has spent. `None` if too little
    /// is known.
    pub an_hour: Option<i128>,
    /// Whether the upstream has refused a call for lack of it, and no reading or answer has contradicted that since.
    pub refused: bool,
    /// When it was refused last.
    pub refused_at: Option<UtcTime>,
}

/// How far a reading of the account may lag behind what is charged: a refusal that is older is ended by a reading that something is left.
const LONGEST_LAG: Duration = Duration::from_secs(10 * 60);

/// The money that is left, as far as is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct Balance {
    /// The prepaid balance; unknown if the key may not see it, or if all that is reported is zeros.
    pub prepaid: SourceState,
    /// The key's cap; without limit if it has none.
    pub key_cap: SourceState,
    /// The budget with the least left, which blocks the key's requests first; without limit if nothing is budgeted. [`Account::key`](crate::Account::key) has all of them.
    pub key_budget: SourceState,
    /// Today's requests to free models.
    pub free_day: SourceState,
    /// When it was read last; `None` before the first time.
    pub read_at: Option<UtcTime>,
    /// Readings that have failed since.
    pub failures: u32,
}

impl SourceState {
    /// Whether nothing is left of it.
    #[must_use]
    pub fn is_out(&self) -> bool {
        self.refused || self.left.is_some_and(|left| left <= 0)
    }

    /// How long it lasts at the present pace; `None` if that is unknown, or it lasts until it is full again.
    #[must_use]
    pub fn lasts(&self, now: UtcTime) -> Option<Duration> {
        if self.is_out() {
            return Some(Duration::ZERO);
        }
        let (left, an_hour) = (self.left?, self.an_hour.filter(|pace| *pace > 0)?);
        // Something is left, so that what does not fit is too large.
        let seconds = left.saturating_mul(3_600) / an_hour;
        let lasts = Duration::from_secs(u64::try_from(seconds).unwrap_or(u64::MAX));
        let resets_first = self.resets.is_some_and(|resets| resets.since(now) <= lasts);
        (!resets_first).then_some(lasts)
    }

    /// The upstream refuses for lack of it. Whether that is news.
    pub(super) fn refuse(&mut self, now: UtcTime) -> bool {
        self.refused_at = Some(now);
        !std::mem::replace(&mut self.refused, true)
    }

    /// A reading lags by minutes, and one of what is unknown proves nothing: neither ends a refusal, unless the refusal is older than that.
    fn end_refusal(&mut self, now: UtcTime) {
        let is_old = self.refused_at.is_none_or(|at| now.since(at) > LONGEST_LAG);
        if is_old && self.left.is_none_or(|left| left > 0) {
            self.refused = false;
        }
    }

    /// Full again, if its time has come.
    pub(super) fn roll(&mut self, now: UtcTime) {
        if self.resets.is_some_and(|resets| resets <= now) {
            *self = Self::default();
        }
    }
}

impl Balance {
    /// The state of a balance source.
    #[must_use]
    pub const fn source(&self, source: BalanceSource) -> &SourceState {
        match source {
            BalanceSource::Prepaid => &self.prepaid,
            BalanceSource::KeyCap => &self.key_cap,
            BalanceSource::KeyBudget => &self.key_budget,
            BalanceSource::FreeDay => &self.free_day,
        }
    }

    pub(super) const fn source_mut(&mut self, source: BalanceSource) -> &mut SourceState {
        match source {
            BalanceSource::Prepaid => &mut self.prepaid,
            BalanceSource::KeyCap => &mut self.key_cap,
            BalanceSource::KeyBudget => &mut self.key_budget,
            BalanceSource::FreeDay => &mut self.free_day,
        }
    }

    /// Whether something that is known to have a limit is used up.
    #[must_use]
    pub fn is_out(&self) -> bool {
        BalanceSource::ALL
            .into_iter()
            .any(|source| self.source(source).is_out())
    }

    /// Takes in what the account says. What it does not say is unknown from then on.
    pub(super) fn read(&mut self, key: &KeyInfo, credits: Option<&Credits>, now: UtcTime) {
        let balance = credits.and_then(|credits| {
            let total = dollars(credits.total_credits.as_ref())?;
            let usage = dollars(credits.total_usage.as_ref())?;
            // A key that may not see the balance is answered with zeros.
            ((total, usage) != (0, 0)).then(|| total.saturating_sub(usage))
        });
        self.prepaid.left = balance;
        let had_cap = self.key_cap.left.is_some();
        self.key_cap.left = dollars(key.limit_remaining.as_ref());
        if had_cap && is_without_cap(key) {
            // A cap that was removed refuses nothing.
            self.key_cap.refused = false;
        }
        self.key_cap.resets = key.limit_reset.as_deref().and_then(|reset| window(reset)?.end(now));
        let budget = first_to_block(key);
        self.key_budget.left = budget.and_then(left_of);
        self.key_budget.resets = budget.and_then(|budget| {
            // The time that it says goes before the one that its interval would give.
            let said = budget.resets_at.as_deref().and_then(|time| time.parse().ok());
            said.or_else(|| window(budget.reset_interval.as_deref()?)?.end(now))
        });
        let day = key.free_model_daily_requests.as_ref();
        self.free_day.left = day.and_then(|day| day.remaining).map(i128::from);
        self.free_day.resets = day.and_then(|_| Window::Day.end(now));
        self.read_at = Some(now);
        self.failures = 0;
        for source in BalanceSource::ALL {
            self.source_mut(source).end_refusal(now);
        }
    }
}

/// Whether the key has no cap any more: both fields are null. If there is a limit, or one of the two cannot be read, what is left of it is unknown.
fn is_without_cap(key: &KeyInfo) -> bool {
    let is_unread = |name| key.extra.raw(name).is_some();
    let has_none = key.limit.is_none() && key.limit_remaining.is_none();
    has_none && !is_unread("limit") && !is_unread("limit_remaining")
}

pub(super) fn dollars(written: Option<&Decimal>) -> Option<i128> {
    written?.to_usd().ok().map(UsdAmount::pico)
}

fn window(reset: &str) -> Option<Window> {
    match reset {
        "daily" => Some(Window::Day),
        "weekly" => Some(Window::Week),
        "monthly" => Some(Window::Month),
        _ => None,
    }
}

impl fmt::Display for Balance {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Some(read_at) = self.read_at else {
            return f.write_str("the balance has not been read yet");
        };
        let money = |left: Option<i128>, none: &str| {
            left.map_or_else(
                || none.to_owned(),
                |pico| format!("{} left", UsdAmount::from_pico(pico)),
            )
        };
        write!(
            f,
            "prepaid: {}; key cap: {}",
            money(self.prepaid.left, "unknown"),
            money(self.key_cap.left, "none")
        )?;
        if let Some(left) = self.key_budget.left {
            write!(f, "; key budget: {} left", UsdAmount::from_pico(left))?;
        }
        if let Some(left) = self.free_day.left {
            write!(f, "; free requests today: {left} left")?;
        }
        for source in BalanceSource::ALL {
            if self.source(source).is_out() {
                write!(f, "; {} is OUT", source.as_str())?;
            }
        }
        write!(f, " (read at {read_at}")?;
        if self.failures > 0 {
            write!(f, ", {} failures since", self.failures)?;
        }
        f.write_str(")")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(balance: &mut Balance, key: &str, now: UtcTime) {
        balance.read(&serde_json::from_str(key).unwrap(), None, now);
    }

    #[test]
    fn a_refusal_ends_by_a_reading_that_is_sure_to_be_later() {
        let now: UtcTime = "2026-10-07T12:00:00Z".parse().unwrap();
        let mut balance = Balance::default();
        assert!(balance.key_cap.refuse(now));
        assert!(!balance.key_cap.refuse(now), "no news");
        for (minutes, left, is_refused) in [(9, "5", true), (11, "0", true), (11, "5", false)] {
            let later = now.after(Duration::from_secs(minutes * 60));
            read(&mut balance, &format!(r#"{{"limit_remaining":{left}}}"#), later);
            assert_eq!(balance.key_cap.refused, is_refused, "{left} after {minutes} minutes");
        }
        assert!(balance.key_cap.refuse(now));
        for unknown in [
            r#"{"limit":5}"#,
            r#"{"limit":5,"limit_remaining":null}"#,
            r#"{"limit_remaining":[]}"#,
            r#"{"limit_remaining":1e99}"#,
        ] {
            read(&mut balance, r#"{"limit":5,"limit_remaining":5}"#, now);
            read(&mut balance, unknown, now);
            assert!(balance.key_cap.refused, "{unknown}");
        }
        read(&mut balance, r#"{"limit_remaining":5}"#, now);
        read(&mut balance, r#"{"limit_remaining":null}"#, now);
        assert!(!balance.key_cap.refused, "the limit was removed");
    }

    #[test]
    fn absurd_amounts_are_the_largest_that_there_are() {
        let absurd = r#"{"total_credits":-100000000000000000000000000,"total_usage":100000000000000000000000000}"#;
        let credits: Credits = serde_json::from_str(absurd).unwrap();
        let key: KeyInfo = serde_json::from_str("{}").unwrap();
        let mut balance = Balance::default();
        balance.read(&key, Some(&credits), UtcTime::now());
        assert_eq!(balance.prepaid.left, Some(i128::MIN));
        assert!(
            balance.is_out() && balance.to_string().contains("prepaid is OUT"),
            "{balance}"
        );
    }

    #[test]
    fn a_huge_balance_does_not_run_out() {
        let source = SourceState {
            left: Some(i128::MAX),
            an_hour: Some(1),
            ..SourceState::default()
        };
        let now: UtcTime = "2026-10-07T12:00:00Z".parse().unwrap();
        assert_eq!(source.lasts(now), Some(Duration::from_secs(u64::MAX)));
    }

    #[test]
    fn a_reading_of_what_is_unknown_does_not_contradict_a_refusal() {
        let now: UtcTime = "2026-10-07T12:00:00Z".parse().unwrap();
        let zeros: Credits = serde_json::from_str(r#"{"total_credits":0,"total_usage":0}"#).unwrap();
        let key: KeyInfo = serde_json::from_str("{}").unwrap();
        for credits in [None, Some(&zeros)] {
            let mut balance = Balance::default();
            balance.read(&key, credits, now);
            assert_eq!((balance.prepaid.left, balance.is_out()), (None, false));
            for source in BalanceSource::ALL {
                assert!(balance.source_mut(source).refuse(now));
                for (minutes, is_refused) in [(0, true), (9, true), (11, false)] {
                    balance.read(&key, credits, now.after(Duration::from_secs(minutes * 60)));
                    let refused = balance.source(source).refused;
                    assert_eq!(refused, is_refused, "{} after {minutes} minutes", source.as_str());
                }
            }
        }
        // Zeros beside anything else are an amount.
        let spent: Credits = serde_json::from_str(r#"{"total_credits":0,"total_usage":0.5}"#).unwrap();
        let mut balance = Balance::default();
        balance.read(&key, Some(&spent), now);
        assert!(balance.prepaid.is_out(), "{balance}");
    }

    #[test]
    fn the_budget_that_blocks_first_is_a_source_of_its_own() {
        let now: UtcTime = "2026-10-07T12:00:00Z".parse().unwrap();
        let mut balance = Balance::default();
        read(
            &mut balance,
            r#"{"limit_remaining":74.5,"budgets":[{"scope":"member","new":1},{"scope":"key_limit"}],
                "effective_budget":{"scope":"member","limit_usd":50,"spend_usd":32.5,"remaining_usd":17.5,"reset_interval":"weekly",
                "resets_at":"2026-10-12T00:00:00.000Z","include_byok":false,"budget_id":null,"guardrail_id":"g"}}"#,
            now,
        );
        let budget = balance.source(BalanceSource::KeyBudget);
        assert_eq!(budget.left, Some(17_500_000_000_000));
        assert_eq!(budget.resets.unwrap().to_string(), "2026-10-12T00:00:00.000Z");
        assert!(!balance.is_out());
        assert!(balance.to_string().contains("; key budget: $17.50 left"), "{balance}");
        // Below zero it blocks, and without a time its interval says until when.
        read(
            &mut balance,
            r#"{"effective_budget":{"scope":"workspace","remaining_usd":-0.25,"reset_interval":"daily","resets_at":null}}"#,
            now,
        );
        assert!(balance.key_budget.is_out() && balance.is_out());
        assert!(balance.to_string().contains("; key_budget is OUT"), "{balance}");
        assert_eq!(balance.key_budget.resets, Window::Day.end(now));
        // Once that time has come it is unknown, and no longer out.
        balance.key_budget.roll(Window::Day.end(now).unwrap());
        assert!(!balance.is_out());
        // The list alone will do.
        read(
            &mut balance,
            r#"{"budgets":[{"scope":"member","remaining_usd":8},{"scope":"workspace","remaining_usd":0.5,"reset_interval":"weekly"}]}"#,
            now,
        );
        assert_eq!(balance.key_budget.left, Some(500_000_000_000));
        assert_eq!(balance.key_budget.resets, Window::Week.end(now));
        read(&mut balance, r#"{"budgets":[],"effective_budget":null}"#, now);
        assert_eq!(balance.key_budget, SourceState::default(), "nothing is budgeted");
    }
}
