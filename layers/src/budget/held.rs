//! What is reserved on accounts of this process, until it is settled.

use super::{
    AccountRef, ReservationHandle,
    slot::{self, Share},
    warn::warn_at_thresholds,
};
use crate::{UsdAmount, UtcTime};

/// A hold on accounts of this process.
#[derive(Debug)]
pub(super) struct Held {
    pub(super) lines: Box<[AccountRef]>,
    /// The accounts of the lines, in their order.
    pub(super) shares: Box<[Share]>,
    pub(super) amount: UsdAmount,
}

impl ReservationHandle for Held {
    fn settle(self: Box<Self>, spent: UsdAmount) {
        let Self {
            mut lines,
            mut shares,
            amount,
        } = *self;
        let now = UtcTime::now();
        // The window may have ended since: then it is spent in the new one. Or another budget is in force: then it is spent on that.
        for (share, line) in shares.iter_mut().zip(&mut lines) {
            line.use_budget_in_force();
            share.cap = line.budget.cap();
            share.soft = line.budget.is_soft();
            share.period = line.budget.period(now);
        }
        slot::settle(&shares, amount, spent, |index, settled| {
            if let Some(line) = lines.get(index) {
                warn_at_thresholds(line, settled.before, settled.after, settled.overrun);
            }
        });
    }
}

/// The hold of an attempt that no budget is for.
#[derive(Debug)]
pub(super) struct Nothing;

impl ReservationHandle for Nothing {
    fn settle(self: Box<Self>, _: UsdAmount) {}
}
