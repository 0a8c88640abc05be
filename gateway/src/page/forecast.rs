//! What a budget will have spent when it is full again, at its pace of late.

use std::{
    collections::{HashMap, VecDeque},
    sync::{Mutex, PoisonError},
    time::Duration,
};

use tower_openrouter::{
    UsdAmount,
    layers::{UtcTime, budget::AccountState},
};

/// Accounts whose pace is followed: the fullest ones.
const MOST_ACCOUNTS: usize = 1_000;
/// The time over which the pace is computed.
const MEMORY: Duration = Duration::from_secs(60 * 60);
/// A shorter time tells no pace.
const LEAST: Duration = Duration::from_secs(60);
/// Readings are this far apart at least.
const APART: Duration = Duration::from_secs(20);

/// What will become of an account.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Forecast {
    /// What is spent when it is full again.
    pub(super) at_reset: Option<UsdAmount>,
    /// When its cap is reached, if that is before.
    pub(super) runs_out: Option<UtcTime>,
}

/// How fast the accounts spend, from what they had spent at earlier looks.
#[derive(Debug, Default)]
pub(super) struct Paces(Mutex<HashMap<String, VecDeque<(UtcTime, i128)>>>);

impl Paces {
    /// Notes how these accounts stand now, and tells what will become of each.
    pub(super) fn look(&self, accounts: &[AccountState], now: UtcTime) -> Vec<Forecast> {
        let mut paces = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let mut forecasts = Vec::with_capacity(accounts.len());
        let mut kept = HashMap::new();
        for (place, state) in accounts.iter().enumerate() {
            let name = format!("{}\u{1f}{}", state.budget.name(), state.account);
            let mut readings = paces.remove(&name).unwrap_or_default();
            note(&mut readings, now, state.settled.pico());
            forecasts.push(forecast(state, &readings, now));
            if place < MOST_ACCOUNTS {
                kept.insert(name, readings);
            }
        }
        *paces = kept;
        forecasts
    }
}

fn note(readings: &mut VecDeque<(UtcTime, i128)>, now: UtcTime, spent: i128) {
    // A smaller amount than before is a new window, a clock that was put back a new beginning.
    if readings.back().is_some_and(|(at, before)| spent < *before || now < *at) {
        readings.clear();
    }
    if readings.back().is_none_or(|(at, _)| now.since(*at) >= APART) {
        readings.push_back((now, spent));
    }
    while readings.len() > 2 && readings.get(1).is_some_and(|(at, _)| now.since(*at) >= MEMORY) {
        readings.pop_front();
    }
}

/// What was spent in how many milliseconds, lately. The pace since the window began would count hours in which nothing ran.
fn pace(state: &AccountState, readings: &VecDeque<(UtcTime, i128)>, now: UtcTime) -> Option<(i128, i128)> {
    let (from, before) = *readings.front().filter(|(at, _)| now.since(*at) >= LEAST)?;
    let millis = i128::try_from(now.since(from).as_millis()).ok()?;
    Some((state.settled.pico() - before, millis))
}

fn forecast(state: &AccountState, readings: &VecDeque<(UtcTime, i128)>, now: UtcTime) -> Forecast {
    let Some((spent, millis)) = pace(state, readings, now) else {
        return Forecast::default();
    };
    let at_reset = state.resets.map(|resets| {
        let rest = i128::try_from(resets.since(now).as_millis()).unwrap_or(i128::MAX);
        let more = spent.saturating_mul(rest) / millis;
        UsdAmount::from_pico(state.settled.pico().saturating_add(more))
    });
    let room = state.budget.cap().pico() - state.settled.pico();
    let wait = (spent > 0 && room > 0).then(|| room.saturating_mul(millis) / spent);
    let runs_out = wait
        .and_then(|wait| u64::try_from(wait).ok())
        // What lasts for a year is not about to run out.
        .filter(|wait| *wait < 366 * 86_400_000)
        .map(|wait| now.after(Duration::from_millis(wait)))
        .filter(|at| state.resets.is_none_or(|resets| *at < resets));
    Forecast { at_reset, runs_out }
}

#[cfg(test)]
mod tests {
    use tower_openrouter::layers::{
        Tags,
        budget::{Budget, Budgets, Window},
    };

    use super::*;

    fn usd(text: &str) -> UsdAmount {
        text.parse().unwrap()
    }

    /// A day's budget of ten dollars with so much spent.
    fn state(spent: &str, now: UtcTime) -> AccountState {
        let budgets = Budgets::new([Budget::usd("day", "10").unwrap().per(Window::Day)]).unwrap();
        let line = budgets.lines(&Tags::default(), "u", "m").pop().unwrap();
        let mut state = AccountState::new(&line, now);
        state.settled = usd(spent);
        state
    }

    #[test]
    fn there_is_a_forecast_once_there_is_a_pace_of_late() {
        let noon = UtcTime::from_millis(1_709_164_800_000 + 12 * 3_600_000);
        let paces = Paces::default();
        let first = paces.look(&[state("2", noon)], noon);
        assert_eq!(first, [Forecast::default()]);
        // A dollar a minute from then on: 8 dollars last for 8 minutes.
        let later = noon.after(Duration::from_secs(60));
        let forecast = paces.look(&[state("3", later)], later)[0];
        assert_eq!(forecast.runs_out, Some(later.after(Duration::from_secs(7 * 60))));
        assert_eq!(forecast.at_reset, Some(usd("722")));
        // The next window begins empty.
        let next = later.after(Duration::from_secs(86_400));
        let fresh = paces.look(&[state("0", next)], next)[0];
        assert_eq!(fresh, Forecast::default());
    }
}
