//! Circuits, pauses and budgets as they stand: for the page and for `/api/health`.

use std::{collections::HashSet, time::Duration};

use serde::Serialize;
use tower_openrouter::{
    UsdAmount,
    layers::{
        UtcTime,
        budget::AccountState,
        circuit_breaker::{CircuitReport, CircuitState, Circuits},
        pause::PauseReport,
    },
};

use super::{App, forecast::Forecast, show};
use crate::calls::name;

/// Accounts that are shown: the fullest ones.
const MOST_ACCOUNTS: usize = 100;
/// Pauses that are over sooner are not shown on the page, in milliseconds: they come and go all the time.
const SHORT_PAUSE: u64 = 5_000;

#[derive(Debug, Serialize)]
pub(super) struct Health {
    pub(super) circuits: Vec<CircuitRow>,
    pub(super) pauses: Vec<PauseRow>,
    pub(super) budgets: Vec<BudgetRow>,
    /// Why the budgets are not known.
    pub(super) budgets_error: Option<String>,
}

#[derive(Debug, Serialize)]
pub(super) struct CircuitRow {
    pub(super) model: String,
    pub(super) upstream: String,
    /// `closed`, `returning`, `open` or `half_open`.
    pub(super) state: &'static str,
    /// When an open one is probed, in milliseconds.
    pub(super) probes_in_ms: Option<u64>,
    pub(super) attempts: u32,
    pub(super) failed: u32,
    pub(super) slow: u32,
    pub(super) is_pinned: bool,
}

#[derive(Debug, Serialize)]
pub(super) struct PauseRow {
    pub(super) model: String,
    pub(super) upstream: String,
    /// `candidate`, `pool` or `upstream`.
    pub(super) scope: &'static str,
    pub(super) kind: &'static str,
    pub(super) next_look_ms: u64,
    pub(super) ends_in_ms: u64,
    /// All of it in words.
    pub(super) text: String,
}

#[derive(Debug, Serialize)]
pub(super) struct BudgetRow {
    pub(super) name: String,
    /// Whose it is: `key=acme`. Blank if all callers share it.
    pub(super) account: String,
    pub(super) window: &'static str,
    pub(super) is_soft: bool,
    #[serde(serialize_with = "crate::calls::dollars")]
    pub(super) cap: Option<UsdAmount>,
    /// Beyond the cap included; `None` if the accounts are not known.
    #[serde(serialize_with = "crate::calls::dollars")]
    pub(super) spent: Option<UsdAmount>,
    #[serde(serialize_with = "crate::calls::dollars")]
    pub(super) reserved: Option<UsdAmount>,
    pub(super) resets: Option<String>,
    /// What is spent at the reset, at the present pace.
    #[serde(serialize_with = "crate::calls::dollars")]
    pub(super) forecast: Option<UsdAmount>,
    /// When the cap is reached at the present pace, if that is before the reset.
    pub(super) runs_out: Option<String>,
    #[serde(skip)]
    pub(super) resets_at: Option<UtcTime>,
    #[serde(skip)]
    pub(super) runs_out_at: Option<UtcTime>,
}

impl Health {
    pub(super) async fn read(app: &App, now: UtcTime) -> Self {
        let stack = app.view.settings.service().stack();
        let mut circuits: Vec<_> = stack.circuits().map(Circuits::reports).unwrap_or_default();
        circuits.sort_by_key(|circuit| (rank(circuit.state), std::cmp::Reverse(circuit.failed)));
        let mut pauses = stack.pauses().reports();
        pauses.sort_by_key(|pause| pause.next_probe_in);
        let (budgets, budgets_error) = match budgets(app, now).await {
            Ok(budgets) => (budgets, None),
            Err(error) => (Vec::new(), Some(error)),
        };
        Self {
            circuits: circuits.iter().map(CircuitRow::new).collect(),
            pauses: pauses.iter().map(PauseRow::new).collect(),
            budgets,
            budgets_error,
        }
    }
}

const fn rank(state: CircuitState) -> u8 {
    match state {
        CircuitState::Open { .. } => 0,
        CircuitState::HalfOpen => 1,
        CircuitState::Returning => 2,
        _ => 3,
    }
}

async fn budgets(app: &App, now: UtcTime) -> Result<Vec<BudgetRow>, String> {
    let budgets = app.view.settings.budgets();
    let all = app.view.accounts.read(&budgets).await?;
    let accounts = all.get(..MOST_ACCOUNTS).unwrap_or(&all);
    let forecasts = app.paces.look(accounts, now);
    let mut rows: Vec<_> = accounts
        .iter()
        .zip(forecasts)
        .map(|(state, forecast)| BudgetRow::of_account(state, forecast))
        .collect();
    // Budgets that no call was for yet.
    let known: HashSet<_> = all.iter().map(|state| state.budget.name()).collect();
    for budget in budgets.iter() {
        if !known.contains(budget.name()) {
            rows.push(BudgetRow {
                name: budget.name().to_owned(),
                account: String::new(),
                window: budget.window().as_str(),
                is_soft: budget.is_soft(),
                cap: Some(budget.cap()),
                spent: Some(UsdAmount::ZERO),
                reserved: Some(UsdAmount::ZERO),
                resets: budget.window_end(now).map(|at| at.to_string()),
                forecast: None,
                runs_out: None,
                resets_at: budget.window_end(now),
                runs_out_at: None,
            });
        }
    }
    Ok(rows)
}

impl BudgetRow {
    fn of_account(state: &AccountState, forecast: Forecast) -> Self {
        Self {
            name: state.budget.name().to_owned(),
            account: name(&state.account).into(),
            window: state.budget.window().as_str(),
            is_soft: state.budget.is_soft(),
            cap: Some(state.budget.cap()),
            spent: Some(state.spent()),
            reserved: Some(state.reserved),
            resets: state.resets.map(|at| at.to_string()),
            forecast: forecast.at_reset,
            runs_out: forecast.runs_out.map(|at| at.to_string()),
            resets_at: state.resets,
            runs_out_at: forecast.runs_out,
        }
    }

    /// What is spent and what is reserved, in thousandths of the cap.
    pub(super) fn shares(&self) -> (u64, u64) {
        let cap = self.cap.unwrap_or(UsdAmount::ZERO);
        let share = |part: Option<UsdAmount>| show::per_mille(part.unwrap_or(UsdAmount::ZERO), cap);
        let spent = share(self.spent);
        (spent, share(self.reserved).min(1_000 - spent))
    }

    /// How a refusal names it.
    pub(super) fn in_refusals(&self) -> String {
        if self.account.is_empty() {
            return format!("`{}`", self.name);
        }
        format!("`{}` of {}", self.name, self.account)
    }

    /// Its name with its account.
    pub(super) fn title(&self) -> String {
        // The name of a key's own budget has the key: `key/acme/day`.
        let has_account = self.account.split_once('=').is_some_and(|(tag, key)| {
            let rest = self.name.strip_prefix(tag).and_then(|rest| rest.strip_prefix('/'));
            let rest = rest.and_then(|rest| rest.strip_prefix(key));
            rest.is_some_and(|rest| rest.starts_with('/'))
        });
        if self.account.is_empty() || has_account {
            return self.name.clone();
        }
        format!("{} of {}", self.name, self.account)
    }
}

impl CircuitRow {
    fn new(report: &CircuitReport) -> Self {
        let (state, probes_in_ms) = match report.state {
            CircuitState::Open { probes_in } => ("open", u64::try_from(probes_in.as_millis()).ok()),
            CircuitState::HalfOpen => ("half_open", None),
            CircuitState::Returning => ("returning", None),
            _ => ("closed", None),
        };
        Self {
            model: name(report.candidate.model()).into(),
            upstream: name(report.candidate.upstream()).into(),
            state,
            probes_in_ms,
            attempts: report.attempts,
            failed: report.failed,
            slow: report.slow,
            is_pinned: report.is_pinned,
        }
    }
}

impl CircuitRow {
    /// How many of the attempts that the circuit counts have failed.
    pub(super) fn counts(&self) -> String {
        let ending = show::plural(u64::from(self.attempts));
        format!("{} of {} attempt{ending} failed lately", self.failed, self.attempts)
    }

    /// When an open one is probed.
    pub(super) fn probe(&self) -> Option<String> {
        Some(match self.probes_in_ms? {
            0 => "the next call probes it".to_owned(),
            millis => format!("it is probed in {}", show::millis(millis)),
        })
    }
}

impl PauseRow {
    /// Whether the page shows it.
    pub(super) const fn lasts(&self) -> bool {
        self.ends_in_ms >= SHORT_PAUSE
    }

    fn new(report: &PauseReport) -> Self {
        use tower_openrouter::layers::FailureScope;
        let millis = |time: Duration| u64::try_from(time.as_millis()).unwrap_or(u64::MAX);
        Self {
            model: name(report.candidate.model()).into(),
            upstream: name(report.candidate.upstream()).into(),
            scope: match report.scope {
                FailureScope::Candidate => "candidate",
                FailureScope::Pool => "pool",
                FailureScope::Upstream => "upstream",
                _ => "other",
            },
            kind: report.kind.as_str(),
            next_look_ms: millis(report.next_probe_in),
            ends_in_ms: millis(report.ends_in),
            text: name(&report.to_string()).into(),
        }
    }
}
