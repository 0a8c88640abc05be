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
            let window = line.budget.window().start(now);
            if line.budget.window().start(at) != window {
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
                account.roll(share.window, share.at);
                account.spend(share.limit(), by);
                drop(account);
                share.slot.queue().wake_first();
            }
        }
    }
}
