//! What an [`InMemoryBudgetStore`] does as a store: it decides at once, or in turn.

use tokio::time::Instant;

use super::{AccountRef, BudgetStore, Decision, InMemoryBudgetStore, ReserveRequest, turn::Turn};
use crate::{UsdAmount, UtcTime};

impl BudgetStore for InMemoryBudgetStore {
    fn reserve(&self, ask: ReserveRequest) -> Decision {
        Decision::Now(self.decide(ask).map_err(|(_, denied)| denied.refusal))
    }

    fn serves_in_turn(&self) -> bool {
        true
    }

    fn reserve_in_turn(&self, ask: ReserveRequest, until: Instant) -> Decision {
        Turn::take(self, ask, until)
    }

    fn is_durable(&self) -> bool {
        false
    }

    fn adjust(&self, lines: &[AccountRef], by: UsdAmount, at: UtcTime) {
        let now = UtcTime::now();
        for line in lines {
            if !line.budget.counts(at, now) {
                continue;
            }
            let Ok(shares) = self.shares(std::slice::from_ref(line), now) else {
                tracing::error!(
                    budget = line.budget.name(),
                    "no room for an account: what it spent is not counted"
                );
                continue;
            };
            for share in &shares {
                let mut account = share.slot.lock();
                account.roll(share.period);
                account.spend(share.limit(), by, at.millis());
                drop(account);
                share.slot.queue().wake_first();
            }
        }
    }

    fn reset(&self, lines: &[AccountRef]) -> bool {
        for line in lines {
            // An account that cannot be opened has spent nothing.
            for share in self.shares(std::slice::from_ref(line), UtcTime::now()).iter().flatten() {
                share.slot.lock().reset();
                share.slot.queue().wake_first();
            }
        }
        true
    }
}
