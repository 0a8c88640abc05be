//! Warnings when a budget fills up.

use super::AccountRef;
use crate::{
    UsdAmount,
    events::{EventKind, emit},
};

/// The percentages of a cap at which a warning is logged.
pub const WARN_AT_PERCENT: [u8; 3] = [50, 80, 100];

/// Logs a mark that was passed: once, by the settlement that passes it. `before` and `after` are all that has been spent, `overrun` is what this
/// settlement charged beyond all that was reserved.
pub fn warn_at_thresholds(line: &AccountRef, before: UsdAmount, after: UsdAmount, overrun: UsdAmount) {
    let budget = &line.budget;
    let reached = |amount: UsdAmount, mark: u8| {
        amount.pico().saturating_mul(100) >= budget.cap().pico().saturating_mul(i128::from(mark))
    };
    for mark in WARN_AT_PERCENT {
        if !reached(before, mark) && reached(after, mark) {
            tracing::warn!(
                target: "llm::budget",
                budget = budget.name(),
                account = budget.account_label(&line.account),
                percent = mark,
                spent = %after,
                cap = %budget.cap(),
                soft = budget.is_soft(),
                "budget filling up"
            );
            emit(|| EventKind::BudgetCrossed {
                budget: budget.name().to_owned(),
                account: budget.account_label(&line.account),
                percent: mark,
            });
        }
    }
    if overrun > UsdAmount::ZERO {
        let message = if after > budget.cap() {
            "charged more than the worst-case price: the budget is over its cap"
        } else {
            "charged more than was reserved: the budget is over its cap with what is reserved for other attempts"
        };
        tracing::error!(
            target: "llm::budget",
            budget = budget.name(),
            account = budget.account_label(&line.account),
            overrun = %overrun,
            cap = %budget.cap(),
            message
        );
    }
}
