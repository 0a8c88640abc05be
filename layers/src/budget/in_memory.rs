//! What an [`InMemoryBudgetStore`] does as a store: it decides at once, or in turn.

use tokio::time::Instant;

use super::{
    AccountRef, BudgetStore, Decision, InMemoryBudgetStore, ReserveRequest, turn::QueuedReserve, warn_at_thresholds,
};
use crate::{UsdAmount, UtcTime};

impl BudgetStore for InMemoryBudgetStore {
    fn reserve(&self, ask: ReserveRequest) -> Decision {
        Decision::Now(self.decide(ask).map_err(|(_, denied)| denied.refusal))
    }

    fn has_queue(&self) -> bool {
        true
    }

    fn reserve_queued(&self, ask: ReserveRequest, until: Instant) -> Decision {
        // What costs nothing has nothing to wait for.
        if ask.want.max(ask.at_least) <= UsdAmount::ZERO {
            return self.reserve(ask);
        }
        QueuedReserve::take(self, ask, until)
    }

    fn is_durable(&self) -> bool {
        false
    }

    fn adjust(&self, lines: &[AccountRef], by: UsdAmount, at: UtcTime) {
        self.change(lines, by, at, warn_at_thresholds);
    }

    fn refill(&self, lines: &[AccountRef], spent: UsdAmount, at: UtcTime) {
        self.change(lines, spent, at, |_, _, _, _| {});
    }

    fn reset(&self, lines: &[AccountRef]) -> bool {
        let now = UtcTime::now();
        for line in lines {
            // An account that cannot be opened has spent nothing.
            if let Some(share) = self.share(line, now) {
                share.slot.lock().reset(now.millis());
                share.slot.queue().wake_first();
            }
        }
        true
    }
}

impl InMemoryBudgetStore {
    /// Changes what was spent, and gives each line with what was spent before and after, and what has come beyond the cap.
    fn change(
        &self,
        lines: &[AccountRef],
        by: UsdAmount,
        at: UtcTime,
        report: impl Fn(&AccountRef, UsdAmount, UsdAmount, UsdAmount),
    ) {
        let now = UtcTime::now();
        for line in lines.iter().filter(|line| line.budget.counts(at, now)) {
            let Some(share) = self.share(line, now) else {
                self.not_counted(line);
                continue;
            };
            let mut account = share.slot.lock();
            account.roll(share.period);
            let (before, over) = (account.spent(), account.overrun);
            account.spend(share.limit(), by, at.millis());
            let (after, over) = (account.spent(), account.overrun.saturating_sub(over));
            drop(account);
            share.slot.queue().wake_first();
            report(line, before, after, over);
        }
    }
}
