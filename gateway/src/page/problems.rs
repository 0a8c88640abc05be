//! What is wrong now, the worst first, in words that say what to look at.

use std::{collections::HashMap, time::Duration};

use tower_openrouter::{UsdAmount, layers::UtcTime};

use super::{health::Health, show};
use crate::calls::{Calls, Filter};

/// Problems that are shown.
const MOST: usize = 12;
/// Failures of this age at most are present ones.
const LATELY: Duration = Duration::from_secs(15 * 60);

/// How bad it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Level {
    Bad,
    Warn,
}

#[derive(Debug)]
pub(super) struct Problem {
    pub(super) level: Level,
    pub(super) text: String,
    pub(super) detail: String,
}

impl Problem {
    pub(super) const fn class(&self) -> &'static str {
        match self.level {
            Level::Bad => "bad",
            Level::Warn => "warn",
        }
    }

    pub(super) const fn word(&self) -> &'static str {
        match self.level {
            Level::Bad => "Problem",
            Level::Warn => "Warning",
        }
    }
}

/// All of them.
pub(super) fn problems(health: &Health, calls: &Calls, now: UtcTime) -> Vec<Problem> {
    let mut problems = failures(calls, now);
    circuits(health, &mut problems);
    for pause in &health.pauses {
        let (text, detail) = pause.text.split_once(": ").unwrap_or((&pause.text, ""));
        problems.push(Problem {
            level: Level::Warn,
            text: format!("{text} is paused"),
            detail: detail.to_owned(),
        });
    }
    budgets(health, now, &mut problems);
    problems.sort_by_key(|problem| problem.level);
    problems.truncate(MOST);
    problems
}

/// Failed calls of late, by model and reason.
fn failures(calls: &Calls, now: UtcTime) -> Vec<Problem> {
    let bad = Filter {
        outcome: "bad".to_owned(),
        ..Filter::default()
    };
    let since = now.before(LATELY);
    let mut counts: HashMap<(String, String), (u64, UtcTime)> = HashMap::new();
    for call in calls.recent(&bad, usize::MAX) {
        if call.at < since {
            continue;
        }
        let model = call.requested.as_ref().or(call.model.as_ref());
        let model = model.map_or_else(|| "an unknown model".to_owned(), ToString::to_string);
        let last = call.attempts.iter().rev().find(|attempt| attempt.number > 0);
        let reason = match last {
            Some(last) => format!("{} at {}", last.outcome.replace('_', " "), last.upstream),
            None => call.reason.as_deref().unwrap_or("no reason is known").to_owned(),
        };
        let (count, latest) = counts.entry((model, reason)).or_insert((0, call.at));
        *count += 1;
        *latest = (*latest).max(call.at);
    }
    let mut counts: Vec<_> = counts.into_iter().collect();
    counts.sort_by(|(one, by_one), (other, by_other)| (by_other, one).cmp(&(by_one, other)));
    let problem = |((model, reason), (count, latest)): ((String, String), (u64, UtcTime))| Problem {
        level: Level::Bad,
        text: format!("{} call{} to {model} failed", show::grouped(count), show::plural(count)),
        detail: format!("{reason}; the last began at {} UTC", show::clock(latest)),
    };
    counts.into_iter().take(5).map(problem).collect()
}

fn circuits(health: &Health, problems: &mut Vec<Problem>) {
    for circuit in &health.circuits {
        let candidate = format!("{} at {}", circuit.model, circuit.upstream);
        let counts = format!("{} of {} attempts failed", circuit.failed, circuit.attempts);
        let (text, detail) = match circuit.state {
            "open" => {
                let probe = circuit
                    .probes_in_ms
                    .map(|millis| format!("; next probe in {}", show::millis(millis)));
                (
                    format!("{candidate} is skipped: its circuit is open"),
                    counts + &probe.unwrap_or_default(),
                )
            }
            "half_open" => (format!("{candidate} is being probed"), counts),
            "returning" => (
                format!("{candidate} is recovering"),
                "a rising share of the traffic passes".to_owned(),
            ),
            _ if circuit.attempts >= 3 && circuit.failed * 2 >= circuit.attempts => {
                (format!("{candidate} fails often"), counts)
            }
            _ => continue,
        };
        let level = Level::Warn;
        problems.push(Problem { level, text, detail });
    }
}

fn budgets(health: &Health, now: UtcTime, problems: &mut Vec<Problem>) {
    if let Some(error) = &health.budgets_error {
        problems.push(Problem {
            level: Level::Bad,
            text: "The store of the budgets does not respond".to_owned(),
            detail: error.clone(),
        });
    }
    for budget in &health.budgets {
        let (Some(cap), Some(spent)) = (budget.cap, budget.spent) else {
            continue;
        };
        let resets = budget.resets_at.map_or_else(
            || "it is never full again by itself".to_owned(),
            |at| format!("full again at {} UTC", show::moment(at, now)),
        );
        let amounts = format!("{} of {} spent; {resets}", show::usd(spent), show::usd(cap));
        let title = budget.title();
        let is_over = spent >= cap;
        let (level, text) = match budget.runs_out_at {
            _ if is_over && budget.is_soft => (Level::Warn, format!("The soft budget {title} is passed")),
            _ if is_over => (
                Level::Bad,
                format!("The budget {title} is spent: its calls are refused"),
            ),
            Some(at) => (
                Level::Warn,
                format!(
                    "At its pace the budget {title} is spent at {} UTC",
                    show::moment(at, now)
                ),
            ),
            None if spent > UsdAmount::ZERO && show::per_mille(spent, cap) >= 800 => {
                (Level::Warn, format!("The budget {title} is nearly spent"))
            }
            None => continue,
        };
        problems.push(Problem {
            level,
            text,
            detail: amounts,
        });
    }
}
