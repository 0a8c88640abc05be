//! Amounts as scripts take them: whole dollars, and pico-dollars.

use std::time::Duration;

use tower_llm_layers::{
    UsdAmount, UtcTime,
    budget::{AccountRef, Budget, Window, Zone},
};

const ONE: i128 = 1_000_000_000_000;

/// More dollars than any budget has, and few enough for a Lua number.
const MOST: i128 = 1_000_000_000_000_000;

/// The two parts of an amount that is not below zero.
pub(crate) fn parts(amount: UsdAmount) -> [String; 2] {
    let pico = amount.pico().clamp(0, MOST * ONE);
    [(pico / ONE).to_string(), (pico % ONE).to_string()]
}

/// The amount of two parts.
pub(crate) fn amount(dollars: &str, pico: &str) -> Option<UsdAmount> {
    let dollars: i128 = dollars.parse().ok()?;
    let pico: i128 = pico.parse().ok()?;
    Some(UsdAmount::from_pico(dollars.checked_mul(ONE)?.checked_add(pico)?))
}

/// What a script needs of each account: cap (two parts), how its window is decided, soft.
pub(crate) fn line_arguments(line: &AccountRef) -> [String; 4] {
    let [dollars, pico] = parts(line.budget.cap());
    let rule = rule_of(&line.budget, UtcTime::now());
    [dollars, pico, rule, u8::from(line.budget.is_soft()).to_string()]
}

/// The window, since when the budget is in force, and a name for a window that is given by times: of all windows that processes have sent for an account
/// within an hour, the scripts take that of the budget that came into force last.
pub(crate) fn rule_of(budget: &Budget, now: UtcTime) -> String {
    let window = window_of(budget, now);
    let since = budget.in_force_since().map_or(0, UtcTime::millis);
    if window.starts_with("at:") {
        format!("{window};{since};{} {}", budget.window(), budget.zone())
    } else {
        format!("{window};{since};")
    }
}

/// Windows that scripts are given ahead of time, if only a process knows the calendar: what is spent may be delivered days later.
const AHEAD: usize = 8;

/// The window as scripts take it: its name; its length if it rolls; or if its calendar is not UTC's, when some of them begin.
fn window_of(budget: &Budget, now: UtcTime) -> String {
    match budget.window() {
        Window::Rolling(span) => return format!("rolling:{}", span.as_millis()),
        Window::MonthFrom(_) => {}
        window if *budget.zone() == Zone::UTC => return window.as_str().to_owned(),
        _ => {}
    }
    // The one before, since the time of the server differs, and the one that lasts.
    let this = budget.window_start(now);
    let mut begins = vec![budget.window_start(this.before(Duration::from_millis(1))), this];
    while let Some(next) = begins.last().and_then(|last| budget.window_end(*last)) {
        begins.push(next);
        if begins.len() > AHEAD {
            break;
        }
    }
    let times: Vec<_> = begins.iter().map(|time| time.millis().to_string()).collect();
    format!("at:{}", times.join(","))
}

#[cfg(test)]
mod tests {
    use tower_llm_layers::budget::Budgets;

    use super::*;

    #[test]
    fn a_rule_is_the_window_the_time_and_a_name() {
        let now = UtcTime::from_millis(1_800_000_000_000);
        let budget = |window| Budget::usd("all", "1").unwrap().per(window);
        assert_eq!(rule_of(&budget(Window::Day), now), "day;0;");
        let rolling = Window::Rolling(Duration::from_secs(60));
        assert_eq!(rule_of(&budget(rolling), now), "rolling:60000;0;");
        let rule = rule_of(&budget(Window::MonthFrom(31)), now);
        assert!(
            rule.starts_with("at:") && rule.ends_with(";0;month from day 31 UTC"),
            "{rule}"
        );
        let budgets = Budgets::new([budget(Window::Ever)]).unwrap();
        let since = budgets.iter().find_map(Budget::in_force_since).unwrap();
        let made = rule_of(budgets.iter().next().unwrap(), now);
        assert_eq!(made, format!("ever;{};", since.millis()));
    }

    #[test]
    fn parts_are_exact_and_bounded() {
        for pico in [0, 1, ONE - 1, ONE, 5 * ONE + 7, MOST * ONE] {
            let [dollars, rest] = parts(UsdAmount::from_pico(pico));
            assert_eq!(amount(&dollars, &rest), Some(UsdAmount::from_pico(pico)));
        }
        assert_eq!(
            parts(UsdAmount::from_pico(i128::MAX)),
            parts(UsdAmount::from_pico(MOST * ONE))
        );
        assert_eq!(parts(UsdAmount::from_pico(-1)), ["0", "0"].map(str::to_owned));
    }
}
