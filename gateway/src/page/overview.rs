//! The verdict and the headline, how many calls were answered and what they cost, then what is wrong now.

use std::time::Duration;

use askama::Template;
use tower_openrouter::{UsdAmount, layers::UtcTime};

use super::{
    App,
    health::{BudgetRow, CircuitRow, Health},
    lately::{LATELY, Lately},
    problems::{Problem, Sources},
    show, verdict,
};
use crate::calls::Totals;

/// The span of the headline.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Span {
    Quarter,
    Hour,
    Day,
}

impl Span {
    pub(super) const ALL: [Self; 3] = [Self::Quarter, Self::Hour, Self::Day];

    pub(super) const fn as_str(self) -> &'static str {
        match self {
            Self::Quarter => "15m",
            Self::Hour => "1h",
            Self::Day => "24h",
        }
    }

    const fn words(self) -> &'static str {
        match self {
            Self::Quarter => "in the last 15 minutes",
            Self::Hour => "in the last hour",
            Self::Day => "in the last 24 hours",
        }
    }

    const fn length(self) -> Duration {
        match self {
            Self::Quarter => Duration::from_secs(15 * 60),
            Self::Hour => Duration::from_secs(60 * 60),
            Self::Day => Duration::from_secs(24 * 60 * 60),
        }
    }
}

/// A figure under the headline.
#[derive(Debug)]
struct Tile {
    label: &'static str,
    value: String,
    note: String,
    class: &'static str,
    /// The outcome that shows its calls.
    outcome: &'static str,
}

#[derive(Debug, Template)]
#[template(path = "summary.html")]
pub(super) struct Summary {
    verdict: &'static str,
    class: &'static str,
    headline: String,
    spent: String,
    sub: String,
    tiles: Vec<Tile>,
    problems: Vec<Problem>,
    /// In which time no call has failed, if nothing is wrong.
    quiet: String,
}

/// Budgets, circuits and pauses.
#[derive(Debug, Template)]
#[template(path = "health.html")]
pub(super) struct HealthView {
    budgets: Vec<BudgetView>,
    budgets_error: String,
    circuits: Vec<CircuitView>,
    pauses: Vec<String>,
}

#[derive(Debug)]
struct BudgetView {
    title: String,
    window: String,
    amounts: String,
    spent: u64,
    reserved: u64,
    class: &'static str,
    notes: String,
}

#[derive(Debug)]
struct CircuitView {
    model: String,
    upstream: String,
    word: &'static str,
    class: &'static str,
    notes: String,
}

/// Both, as they are now.
pub(super) async fn overview(app: &App, span: Span) -> (Summary, HealthView) {
    let now = UtcTime::now();
    let health = Health::read(app, now).await;
    let calls = &app.view.calls;
    let known = app.known.read(&app.view.settings);
    let condition = app.view.condition.read();
    let sources = Sources {
        condition: &condition,
        lately: &Lately::read(calls, now),
        waiting: calls.waiting(known.long_waits),
        health: &health,
        known: &known,
    };
    let problems = sources.problems(now);
    let (verdict, class) = verdict::verdict(&calls.totals(verdict::SPAN), &problems, &condition);
    let totals = calls.totals(span.length());
    let counted = totals.answered + totals.failed + totals.interrupted;
    let in_progress = calls.count_in_progress();
    let summary = Summary {
        verdict,
        class,
        headline: match totals.success_per_mille() {
            Some(share) => format!("{} answered", show::percent(share)),
            None if in_progress > 0 => "None answered yet".to_owned(),
            None => "No calls".to_owned(),
        },
        spent: show::usd(totals.cost),
        sub: format!(
            "{} call{} {}, {in_progress} in progress",
            show::grouped(counted),
            show::plural(counted),
            show::span(span.words(), span.length(), calls.began(), now)
        ),
        tiles: tiles(&totals),
        problems,
        quiet: show::span("in the last 15 minutes", LATELY, calls.began(), now),
    };
    (summary, HealthView::new(&health, now))
}

fn tiles(totals: &Totals) -> Vec<Tile> {
    let count = |label, count: u64, note: &str, class, outcome| Tile {
        label,
        value: show::grouped(count),
        note: note.to_owned(),
        class: if count == 0 { "" } else { class },
        outcome,
    };
    let failed = totals.failed + totals.interrupted;
    let median = totals.first_token.quantile(50);
    let slow = totals.first_token.quantile(95);
    let (estimate, bill) = totals.estimate_and_bill;
    vec![
        count(
            "Failed",
            failed,
            &format!("{} of them interrupted", totals.interrupted),
            "bad",
            "bad",
        ),
        count(
            "Rescued",
            totals.rescued,
            "a later candidate answered",
            "rescue",
            "rescued",
        ),
        count(
            "Degraded",
            totals.degraded,
            "cheaper, shorter or stale",
            "warn",
            "degraded",
        ),
        count(
            "Refused",
            totals.refused,
            &format!("{} left by the client", show::grouped(totals.left)),
            "",
            "refused",
        ),
        Tile {
            label: "First token",
            value: median.map_or_else(|| "–".to_owned(), show::millis),
            note: slow.map_or_else(
                || "no streams".to_owned(),
                |slow| format!("median; p95 {}", show::millis(slow)),
            ),
            class: "",
            outcome: "",
        },
        Tile {
            label: "Estimate against bill",
            value: difference(estimate, bill),
            note: match bill {
                UsdAmount::ZERO => "no bills yet".to_owned(),
                _ => format!("{} against {}", show::usd(estimate), show::usd(bill)),
            },
            class: "",
            outcome: "",
        },
    ]
}

/// By how much the estimates differ from the bills.
fn difference(estimate: UsdAmount, bill: UsdAmount) -> String {
    if bill <= UsdAmount::ZERO {
        return "–".to_owned();
    }
    let off = estimate.pico().saturating_sub(bill.pico()).saturating_mul(1_000) / bill.pico();
    let share = show::percent(u64::try_from(off.abs()).unwrap_or(u64::MAX));
    match off {
        0 => "equal".to_owned(),
        1.. => format!("+{share}"),
        _ => format!("−{share}"),
    }
}

impl HealthView {
    fn new(health: &Health, now: UtcTime) -> Self {
        let shown = health
            .circuits
            .iter()
            .filter(|circuit| circuit.attempts > 0 || circuit.state != "closed");
        let pauses = health.pauses.iter().filter(|pause| pause.lasts());
        Self {
            budgets: health
                .budgets
                .iter()
                .take(30)
                .map(|budget| BudgetView::new(budget, now))
                .collect(),
            budgets_error: health.budgets_error.clone().unwrap_or_default(),
            circuits: shown.take(30).map(CircuitView::new).collect(),
            pauses: pauses.take(30).map(|pause| pause.text.clone()).collect(),
        }
    }
}

impl CircuitView {
    fn new(circuit: &CircuitRow) -> Self {
        let (word, class) = match circuit.state {
            "open" => ("open", "bad"),
            "half_open" => ("probing", "warn"),
            "returning" => ("returning", "warn"),
            _ => ("closed", "ok"),
        };
        let pinned = circuit.is_pinned.then(|| "of a pinned route".to_owned());
        let notes = [Some(circuit.counts()), circuit.probe(), pinned];
        Self {
            model: circuit.model.clone(),
            upstream: circuit.upstream.clone(),
            word,
            class,
            notes: notes.into_iter().flatten().collect::<Vec<_>>().join(", "),
        }
    }
}

impl BudgetView {
    fn new(budget: &BudgetRow, now: UtcTime) -> Self {
        let (spent, reserved) = budget.shares();
        let amount = |amount: Option<UsdAmount>| amount.map_or_else(|| "?".to_owned(), show::usd);
        let mut notes = Vec::new();
        if let Some(at) = budget.runs_out_at {
            notes.push(format!("spent at {} UTC at this pace", show::moment(at, now)));
        } else if let Some(forecast) = budget.forecast {
            notes.push(format!("forecast {}", show::usd(forecast)));
        }
        if let Some(at) = budget.resets_at {
            notes.push(format!("resets {} UTC", show::moment(at, now)));
        }
        if budget.is_soft {
            notes.push("only warns".to_owned());
        }
        Self {
            title: budget.title(),
            window: match budget.window {
                "ever" => "no window".to_owned(),
                window => format!("per {window}"),
            },
            amounts: format!(
                "{} spent, {} reserved of {}",
                amount(budget.spent),
                amount(budget.reserved),
                amount(budget.cap)
            ),
            spent,
            reserved,
            class: match spent {
                1_000.. => "bad",
                800.. => "warn",
                _ if budget.runs_out_at.is_some() => "warn",
                _ => "ok",
            },
            notes: notes.join(" · "),
        }
    }
}
