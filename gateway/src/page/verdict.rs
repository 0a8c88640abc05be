//! The verdict: one word for the last minutes.

use std::time::Duration;

use super::{
    condition::Condition,
    problems::{Level, Problem},
};
use crate::calls::Totals;

/// The calls that it is about: those that ended in this time.
pub(super) const SPAN: Duration = Duration::from_secs(5 * 60);

/// A word, and the class of its colour.
pub(super) fn verdict(lately: &Totals, problems: &[Problem], condition: &Condition) -> (&'static str, &'static str) {
    let has = |level| problems.iter().any(|problem| problem.level == level);
    let is_of_budget = |problem: &Problem| problem.outcome == "refused";
    let fails = problems
        .iter()
        .any(|problem| problem.level == Level::Bad && !is_of_budget(problem));
    let success = lately.success_per_mille();
    match success {
        _ if condition.unready.is_some() => ("Not ready", "bad"),
        // A few failures among a few calls are no outage, and what has ended is none any more.
        Some(..950) if fails && lately.failed + lately.interrupted >= 3 => ("Failing", "bad"),
        Some(..995) => ("Degraded", "warn"),
        _ if fails => ("Degraded", "warn"),
        _ if has(Level::Bad) => ("Healthy, but a budget refuses calls", "warn"),
        // A hang, before the time limits end its calls.
        _ if problems.iter().any(|problem| problem.outcome == "running") => ("Calls wait", "warn"),
        None if has(Level::Warn) => ("Idle, with warnings", "quiet"),
        None => ("Idle", "quiet"),
        Some(_) if has(Level::Warn) => ("Healthy, with warnings", "ok"),
        Some(_) => ("Healthy", "ok"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn problem(level: Level, outcome: &'static str) -> Problem {
        Problem {
            level,
            text: String::new(),
            detail: String::new(),
            outcome,
        }
    }

    #[test]
    fn the_verdict_is_that_of_the_last_minutes() {
        let totals = |answered, failed| Totals {
            answered,
            failed,
            ..Totals::default()
        };
        let bad = || vec![problem(Level::Bad, "bad")];
        let ended = || vec![problem(Level::Ended, "bad")];
        let refuses = || vec![problem(Level::Bad, "refused")];
        for (lately, problems, word) in [
            (totals(0, 0), vec![], "Idle"),
            (totals(0, 0), vec![problem(Level::Warn, "")], "Idle, with warnings"),
            (totals(0, 0), vec![problem(Level::Warn, "running")], "Calls wait"),
            (totals(9, 0), vec![problem(Level::Warn, "running")], "Calls wait"),
            (totals(5, 5), bad(), "Failing"),
            (totals(5, 5), ended(), "Degraded"),
            (totals(0, 2), bad(), "Degraded"),
            (totals(9, 0), ended(), "Healthy"),
            (totals(9, 0), bad(), "Degraded"),
            (totals(9, 0), refuses(), "Healthy, but a budget refuses calls"),
            (totals(9, 0), vec![problem(Level::Warn, "")], "Healthy, with warnings"),
        ] {
            assert_eq!(verdict(&lately, &problems, &Condition::default()).0, word, "{lately:?}");
        }
        let unready = Condition {
            unready: Some("it is shutting down".into()),
            ..Condition::default()
        };
        assert_eq!(verdict(&totals(9, 0), &[], &unready), ("Not ready", "bad"));
    }
}
