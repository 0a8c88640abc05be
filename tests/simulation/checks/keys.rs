//! Calls with the same idempotency key are made once.

use std::time::Duration;

use super::Evidence;
use crate::caller::Ending;

/// So long a key is remembered.
const DAY: Duration = Duration::from_secs(86_400);

impl Evidence<'_> {
    /// After one caller had its whole answer, no other call with its key goes to an upstream.
    pub(super) fn keys(&self) -> Vec<String> {
        let mut wrong = Vec::new();
        for (call, seen) in &self.seen {
            let Some(key) = call.key.filter(|_| call.has_tags) else {
                continue;
            };
            let was_made = self.of(call).any(|exchange| exchange.whole.is_some());
            if seen.ending != Ending::Whole || seen.degraded.is_some() || !was_made {
                continue;
            }
            let others = self.seen.iter().map(|(other, _)| other);
            let same = others.filter(|other| other.key == Some(key) && other.tenant == call.tenant && other.has_tags);
            for other in same.filter(|other| other.index != call.index) {
                let late = |began: Duration| began > seen.ended && began < seen.ended + DAY;
                if self.of(other).any(|exchange| late(exchange.began)) {
                    wrong.push(format!(
                        "key {key} of tenant {}: call {} was answered, and made again by call {}",
                        call.tenant, call.index, other.index
                    ));
                }
            }
        }
        wrong
    }
}
