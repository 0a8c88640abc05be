//! Empties the accounts of a budget that is about to be refilled: what they have counted stands in the ledger as well.

use std::{slice::from_ref, sync::Arc};

use tower_openrouter::{
    Tags, UsdAmount,
    layers::{
        UtcTime,
        budget::{AccountState, Budget, BudgetStore, Budgets, InMemoryBudgetStore},
    },
};

/// In how many ways the name of one account is read at most.
const MOST_READINGS: usize = 64;

/// Takes back what was spent on all accounts of the budget of this name, whose scope has these tags. What is reserved stays.
///
/// It is no reset by hand: bills that come later still take back what was recorded too high.
pub(super) fn empty(store: &InMemoryBudgetStore, name: &str, tags: &[String]) {
    let now = UtcTime::now();
    let is_of_name = |state: &AccountState| state.budget.name() == name;
    for state in store.accounts().into_iter().filter(is_of_name) {
        let Ok(budgets) = Budgets::in_store([Budget::clone(&state.budget)], Arc::new(store.clone())) else {
            continue;
        };
        for reading in readings(&state.account, tags) {
            let Ok(tags) = Tags::new(reading) else { continue };
            for line in budgets.lines(&tags, "", "") {
                // In the window of the budget that it was opened with.
                if let Some(state) = store.account(&line) {
                    let spent = state.settled.saturating_add(state.overrun);
                    store.adjust(from_ref(&line), UsdAmount::ZERO.saturating_sub(spent), now);
                }
            }
        }
    }
}

/// The ways in which the name of an account, such as `team=search user=jo`, can be read as values of these tags: a value may hold what looks like
/// the next tag. Each is an account of the same budget, if it is one at all.
fn readings<'a>(account: &'a str, tags: &'a [String]) -> Vec<Vec<(&'a str, &'a str)>> {
    // What is read, and what is left.
    let mut begun: Vec<(Vec<(&'a str, &'a str)>, &'a str)> = vec![(Vec::new(), account)];
    for (place, tag) in tags.iter().enumerate() {
        let next = tags.get(place + 1).map(|next| format!(" {next}="));
        let mut longer = Vec::new();
        for (reading, left) in begun {
            let Some(text) = left.strip_prefix(tag.as_str()).and_then(|left| left.strip_prefix('=')) else {
                continue;
            };
            let mut read = |value: &'a str, left: &'a str| {
                let mut reading = reading.clone();
                reading.push((tag.as_str(), value));
                longer.push((reading, left));
            };
            let Some(next) = &next else {
                read(text, "");
                continue;
            };
            for (at, _) in text.match_indices(next.as_str()) {
                if let (Some(value), Some(left)) = (text.get(..at), text.get(at + 1..)) {
                    read(value, left);
                }
            }
        }
        longer.truncate(MOST_READINGS);
        begun = longer;
    }
    begun.into_iter().map(|(reading, _)| reading).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tags(names: &[&str]) -> Vec<String> {
        names.iter().map(|&name| name.to_owned()).collect()
    }

    #[test]
    fn every_account_of_the_budget_is_emptied_and_no_other() {
        let store = InMemoryBudgetStore::new();
        let budget = |name: &str| Budget::usd(name, "1").unwrap().each("team").each("user");
        let budgets = Budgets::in_store([budget("a"), budget("b")], Arc::new(store.clone())).unwrap();
        let mut now = Vec::new();
        for values in [("x", "y"), ("x user=y", "z"), ("x", "y user=z"), ("", " ")] {
            let tags = Tags::new([("team", values.0), ("user", values.1)]).unwrap();
            let lines = budgets.lines(&tags, "", "");
            store.adjust(&lines, UsdAmount::from_pico(7), UtcTime::now());
            now.extend(lines);
        }
        empty(&store, "a", &tags(&["team", "user"]));
        for line in now {
            let left = if line.budget.name() == "a" { 0 } else { 7 };
            let spent = store.account(&line).unwrap().settled;
            assert_eq!(spent, UsdAmount::from_pico(left), "{:?}", line.account);
        }
    }

    #[test]
    fn a_name_has_few_readings_however_it_is_written() {
        let names = tags(&["a", "b", "c", "d", "e"]);
        let text = format!("a={}", " b= c= d= e=".repeat(100));
        assert_eq!(readings(&text, &names).len(), MOST_READINGS);
        assert_eq!(readings("", &[]).len(), 1, "the account of all calls");
        assert!(readings("team=x", &names).is_empty(), "of another scope");
    }
}
