//! What is wrong now, the worst first, in words that say what to look at.

use std::collections::{HashMap, HashSet};

use tower_openrouter::{UsdAmount, layers::UtcTime};

use super::{
    condition::Condition,
    health::{BudgetRow, Health},
    known::Known,
    lately::{Group, Lately},
    show,
};
use crate::calls::Waiting;

/// Problems that are shown.
const MOST: usize = 12;
/// Groups of failed calls, and budgets, that are shown as problems.
const MOST_OF_A_KIND: usize = 5;

/// How bad it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Level {
    Bad,
    Warn,
    Ended,
}

#[derive(Debug)]
pub(super) struct Problem {
    pub(super) level: Level,
    pub(super) text: String,
    pub(super) detail: String,
    /// The outcome that shows its calls; blank if there are none.
    pub(super) outcome: &'static str,
}

impl Problem {
    fn new(level: Level, text: impl Into<String>, detail: impl Into<String>) -> Self {
        Self {
            level,
            text: text.into(),
            detail: detail.into(),
            outcome: "",
        }
    }

    fn showing(self, outcome: &'static str) -> Self {
        Self { outcome, ..self }
    }

    pub(super) const fn class(&self) -> &'static str {
        match self.level {
            Level::Bad => "bad",
            Level::Warn => "warn",
            Level::Ended => "quiet",
        }
    }

    pub(super) const fn word(&self) -> &'static str {
        match self.level {
            Level::Bad => "Problem",
            Level::Warn => "Warning",
            Level::Ended => "Ended",
        }
    }
}

/// What the problems are found in.
pub(super) struct Sources<'a> {
    pub(super) condition: &'a Condition,
    pub(super) lately: &'a Lately,
    pub(super) waiting: Waiting,
    pub(super) health: &'a Health,
    pub(super) known: &'a Known,
}

impl Sources<'_> {
    /// All of them.
    pub(super) fn problems(&self, now: UtcTime) -> Vec<Problem> {
        let mut problems = of_gateway(self.condition);
        problems.extend(self.rejected_keys(now));
        problems.extend(self.failures(now));
        problems.extend(waits(self.waiting));
        circuits(self.health, &mut problems);
        problems.extend(pauses(self.health));
        self.budgets(now, &mut problems);
        problems.sort_by_key(|problem| problem.level);
        problems.truncate(MOST);
        problems
    }

    fn rejected_keys(&self, now: UtcTime) -> impl Iterator<Item = Problem> {
        let rejected = self.lately.rejected_keys.iter().take(MOST_OF_A_KIND);
        rejected.map(move |((upstream, words), group)| {
            let place = self.known.place_of_key(upstream);
            let place = place.map(|place| format!(" ({place})")).unwrap_or_default();
            let verb = if group.has_ended { "rejected" } else { "rejects" };
            let text = format!("{upstream} {verb} its key{place}");
            Problem::new(level(*group), text, format!("{words}; {}", times(*group, now)))
        })
    }

    fn failures(&self, now: UtcTime) -> impl Iterator<Item = Problem> {
        let failures = self.lately.failures.iter().take(MOST_OF_A_KIND);
        failures.map(move |((called, reason), group)| {
            let text = format!("{} to {called} failed", calls(group.count));
            Problem::new(level(*group), text, format!("{reason}; {}", times(*group, now))).showing("bad")
        })
    }

    fn budgets(&self, now: UtcTime, problems: &mut Vec<Problem>) {
        if let Some(error) = &self.health.budgets_error {
            let text = "The store of the budgets does not respond";
            problems.push(Problem::new(Level::Bad, text, error));
        }
        let mut rows: HashMap<_, _> = self.health.budgets.iter().map(|row| (row.in_refusals(), row)).collect();
        let mut found = Vec::new();
        for (budget, group) in &self.lately.over_budget {
            found.push(refusing(budget, *group, rows.remove(budget), now));
        }
        // The others, in their order.
        let others: HashSet<_> = rows.into_keys().collect();
        let others = self
            .health
            .budgets
            .iter()
            .filter(|row| others.contains(&row.in_refusals()));
        found.extend(others.filter_map(|row| short(row, now)));
        found.sort_by_key(|problem| problem.level);
        let more = found.split_off(found.len().min(MOST_OF_A_KIND));
        problems.extend(found);
        if let Some(worst) = more.first() {
            let text = format!("More budgets are short: {}", more.len());
            let detail = "the list of the budgets begins with the fullest ones";
            problems.push(Problem::new(worst.level, text, detail));
        }
    }
}

fn calls(count: u64) -> String {
    format!("{} call{}", show::grouped(count), show::plural(count))
}

const fn level(group: Group) -> Level {
    if group.has_ended { Level::Ended } else { Level::Bad }
}

/// Since when, and until when.
fn times(group: Group, now: UtcTime) -> String {
    let since = show::second(group.since, now);
    let last = show::second(group.last, now);
    if group.has_ended {
        format!("from {since} to {last} UTC")
    } else {
        format!("since {since} UTC, the last at {last}")
    }
}

fn of_gateway(condition: &Condition) -> Vec<Problem> {
    let mut problems = Vec::new();
    if let Some(why) = &condition.unready {
        problems.push(Problem::new(Level::Bad, "The gateway refuses all calls", &**why));
    }
    if let Some(why) = &condition.degraded {
        problems.push(Problem::new(
            Level::Bad,
            "The gateway takes calls, but not as configured",
            &**why,
        ));
    }
    if let Some(why) = &condition.settings_refused {
        let text = "The settings are refused: those from before stay in force";
        problems.push(Problem::new(Level::Bad, text, &**why));
    }
    problems
}

/// Calls whose answer is long in coming: a hang, before the time limits end it.
fn waits(waiting: Waiting) -> Option<Problem> {
    let one = |count: u64, what: &str, whose: &str, for_what: &str| {
        let (ending, verb) = if count == 1 { ("", "waits") } else { ("s", "wait") };
        let whose = if count == 1 { "its" } else { whose };
        (count > 0).then(|| format!("{} {what}{ending} {verb} for {whose} {for_what}", show::grouped(count)))
    };
    let streams = one(waiting.streams, "stream", "their", "first token");
    let plain = one(waiting.plain, "plain call", "their", "response");
    let text = streams
        .into_iter()
        .chain(plain)
        .reduce(|one, other| format!("{one}, {other}"))?;
    let detail = format!("the longest for {}", show::duration(waiting.longest));
    Some(Problem::new(Level::Warn, text, detail).showing("running"))
}

fn circuits(health: &Health, problems: &mut Vec<Problem>) {
    for circuit in &health.circuits {
        let candidate = format!("{} at {}", circuit.model, circuit.upstream);
        let (text, detail) = match circuit.state {
            "open" => (
                format!("{candidate} is skipped: its circuit is open"),
                [Some(circuit.counts()), circuit.probe()]
                    .into_iter()
                    .flatten()
                    .collect::<Vec<_>>()
                    .join("; "),
            ),
            "half_open" => (format!("{candidate} is being probed"), circuit.counts()),
            "returning" => (
                format!("{candidate} is returning"),
                "a rising share of the traffic passes".to_owned(),
            ),
            _ if circuit.attempts >= 3 && circuit.failed * 2 >= circuit.attempts => {
                (format!("{candidate} fails often"), circuit.counts())
            }
            _ => continue,
        };
        problems.push(Problem::new(Level::Warn, text, detail));
    }
}

fn pauses(health: &Health) -> impl Iterator<Item = Problem> {
    health.pauses.iter().filter(|pause| pause.lasts()).map(|pause| {
        let (text, detail) = pause.text.split_once(": ").unwrap_or((&pause.text, ""));
        let detail = match detail.strip_prefix("paused (").and_then(|rest| rest.split_once(')')) {
            Some((kind, rest)) => format!("{}{rest}", kind.replace('_', " ")),
            None => detail.to_owned(),
        };
        Problem::new(Level::Warn, format!("{text} is paused"), detail)
    })
}

/// A budget that has refused calls, with its account if that is known.
fn refusing(budget: &str, group: Group, row: Option<&BudgetRow>, now: UtcTime) -> Problem {
    let title = row.map_or_else(|| budget.replace('`', ""), BudgetRow::title);
    let verb = if group.has_ended { "refused" } else { "refuses" };
    let text = format!("The budget {title} {verb} calls: {}", show::grouped(group.count));
    let amounts = row.and_then(|row| amounts(row, now));
    let detail = match amounts {
        Some(amounts) => format!("{amounts}; {}", times(group, now)),
        None => times(group, now),
    };
    Problem::new(level(group), text, detail).showing("refused")
}

/// How much is spent, reserved and free of how much, and when it is full again. The amounts have the same digits, so that they add up.
fn amounts(row: &BudgetRow, now: UtcTime) -> Option<String> {
    let (cap, spent) = (row.cap?, row.spent?);
    let reserved = row.reserved.unwrap_or(UsdAmount::ZERO);
    let free = |cap: UsdAmount, spent, reserved| {
        let left = cap.saturating_sub(spent).saturating_sub(reserved);
        left.max(UsdAmount::ZERO)
    };
    let all = [cap, spent, reserved, free(cap, spent, reserved)];
    let digits = all.into_iter().map(show::digits).fold(2, u32::max);
    let rounded = |amount| show::rounded(amount, digits);
    let free = free(rounded(cap), rounded(spent), rounded(reserved));
    let reserved = if reserved > UsdAmount::ZERO {
        format!(", {} reserved", show::usd_to(reserved, digits))
    } else {
        String::new()
    };
    let resets = row.resets_at.map_or_else(
        || "it is never full again by itself".to_owned(),
        |at| format!("full again at {} UTC", show::moment(at, now)),
    );
    Some(format!(
        "{} of {} spent{reserved}, {} free; {resets}",
        show::usd_to(spent, digits),
        show::usd_to(cap, digits),
        show::usd_to(free, digits)
    ))
}

/// A budget that is spent, or will be soon.
fn short(row: &BudgetRow, now: UtcTime) -> Option<Problem> {
    let (cap, spent) = (row.cap?, row.spent?);
    let title = row.title();
    let is_over = spent >= cap;
    let (level, text) = match row.runs_out_at {
        _ if is_over && row.is_soft => (Level::Warn, format!("The soft budget {title} is passed")),
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
        None => return None,
    };
    let problem = Problem::new(level, text, amounts(row, now)?);
    // A soft one refuses nothing.
    Some(if level == Level::Bad {
        problem.showing("refused")
    } else {
        problem
    })
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::{super::health::PauseRow, *};

    #[test]
    fn a_pause_is_shown_while_it_lasts_for_seconds() {
        let pause = |ends_in_ms| PauseRow {
            model: "a/b".into(),
            upstream: "openrouter".into(),
            scope: "candidate",
            kind: "rate_limited",
            next_look_ms: 10,
            ends_in_ms,
            text: "a/b at openrouter: paused (rate_limited), next attempt in 10 ms, over in 5 s".into(),
        };
        let health = Health {
            circuits: Vec::new(),
            pauses: vec![pause(4_999), pause(5_000)],
            budgets: Vec::new(),
            budgets_error: None,
        };
        let problems: Vec<_> = pauses(&health).collect();
        let [problem] = &problems[..] else {
            panic!("{problems:?}");
        };
        assert_eq!(
            (&*problem.text, &*problem.detail),
            (
                "a/b at openrouter is paused",
                "rate limited, next attempt in 10 ms, over in 5 s"
            )
        );
    }

    #[test]
    fn the_amounts_of_a_budget_add_up() {
        let row = |reserved: &str| BudgetRow {
            name: "key/batch/day".into(),
            account: "key=batch".into(),
            window: "day",
            is_soft: false,
            cap: Some("0.02".parse().unwrap()),
            spent: Some("0.0197925".parse().unwrap()),
            reserved: Some(reserved.parse().unwrap()),
            resets: None,
            forecast: None,
            runs_out: None,
            resets_at: None,
            runs_out_at: None,
        };
        assert_eq!(row("0").title(), "key/batch/day", "the name has the key");
        for (reserved, words) in [
            ("0", "$0.019793 of $0.02 spent, $0.000207 free; "),
            ("0.0001", "$0.019793 of $0.02 spent, $0.0001 reserved, $0.000107 free; "),
        ] {
            let amounts = amounts(&row(reserved), UtcTime::from_millis(0)).unwrap();
            assert!(amounts.starts_with(words), "{amounts}");
        }
    }

    #[test]
    fn calls_that_wait_are_counted_in_words() {
        assert!(waits(Waiting::default()).is_none());
        let waiting = Waiting {
            streams: 10,
            plain: 1,
            longest: Duration::from_millis(18_400),
        };
        let problem = waits(waiting).unwrap();
        assert_eq!(
            problem.text,
            "10 streams wait for their first token, 1 plain call waits for its response"
        );
        assert_eq!(
            (problem.detail.as_str(), problem.outcome),
            ("the longest for 18 s", "running")
        );
    }
}
