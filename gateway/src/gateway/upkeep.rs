//! What a gateway does in the ledger from time to time: asks for bills that did not come, and forgets old entries.

use std::time::Duration;

use tokio::time::{Instant, sleep, sleep_until};
use tower_openrouter::{
    layers::{UtcTime, budget::Budget, reconcile::Reconciler},
    ledger::{DatabaseLedger, Filter, LedgerError},
};

use super::Gateway;
use crate::keys::TAG;

const HOUR: Duration = Duration::from_secs(3600);
const DAY: Duration = Duration::from_secs(24 * 3600);

/// How often bills that other gateways have left are looked for.
const CLAIM_EVERY: Duration = Duration::from_secs(600);
/// How old an entry is when the gateway that recorded it asks no more for its bill, even if the account has refused the question meanwhile.
const GIVEN_UP: Duration = Duration::from_secs(90 * 60);
/// How old it is when no gateway does.
const TOO_OLD: Duration = Duration::from_secs(3 * 24 * 3600);

/// How soon after a start old entries are forgotten: by then a clock that was wrong when the machine started is mostly right.
const FORGET_FIRST: Duration = HOUR;
/// How often after that.
const FORGET_EVERY: Duration = DAY;
/// How soon again after a failure.
const FORGET_AGAIN: Duration = HOUR;

/// Asks for the bills that gateways over one database have left when they ended, or when their account refused them, each by one of them, until it
/// is dropped. Entries from before `since` are left alone.
pub(super) async fn claim_bills(ledger: DatabaseLedger, reconciler: Reconciler, since: Option<UtcTime>) {
    loop {
        let now = UtcTime::now();
        let since = since.into_iter().fold(now.before(TOO_OLD), UtcTime::max);
        match ledger.claim_bills(&reconciler, since, now.before(GIVEN_UP), DAY).await {
            Ok(0) => {}
            Ok(bills) => tracing::info!(target: "gateway", bills, "bills that did not come are requested again"),
            Err(error) => tracing::warn!(target: "gateway", %error, "bills that did not come are not requested"),
        }
        sleep(CLAIM_EVERY).await;
    }
}

/// Forgets entries of the ledger that are older than this, an hour after the start and then once a day, until it is dropped. Of several gateways over one
/// database one does so.
///
/// A clock that is years ahead at the start does not empty the ledger: for a day, the time counts from the newest entry that was there at the start, if the
/// clock is more than a day beyond it.
///
/// What the forgotten entries spent stays counted by client key and by the tags that the budgets of this gateway count by at that time: a budget without a
/// window by another tag that comes later does not count them.
pub async fn forget_entries(gateway: Gateway, keep: Duration) {
    let Some(ledger) = gateway.ledger() else { return };
    let started = Instant::now();
    let newest = loop {
        match newest(ledger).await {
            Ok(newest) => break newest,
            Err(error) => {
                tracing::warn!(target: "gateway", %error, "the newest entry of the ledger is not known, so that no old ones are forgotten");
            }
        }
        sleep(FORGET_AGAIN).await;
    };
    sleep_until(started + FORGET_FIRST).await;
    loop {
        let now = believed(UtcTime::now(), newest, started.elapsed());
        let budgets = gateway.0.handle.budgets();
        let tags: Vec<_> = budgets.iter().flat_map(Budget::tags).chain([TAG]).collect();
        let next = match ledger.forget_before_keeping(now.before(keep), &tags).await {
            Ok(forgotten) => {
                if forgotten.entries > 0 {
                    tracing::info!(target: "gateway", entries = forgotten.entries, ?keep, "old entries of the ledger are forgotten");
                }
                FORGET_EVERY
            }
            Err(error) => {
                tracing::warn!(target: "gateway", %error, "old entries of the ledger are not forgotten");
                FORGET_AGAIN
            }
        };
        sleep(next).await;
    }
}

/// When the newest entry ended, if there is one.
async fn newest(ledger: &DatabaseLedger) -> Result<Option<UtcTime>, LedgerError> {
    let entries = ledger.recent(&Filter::new(), 1).await?;
    Ok(entries.first().map(|entry| entry.ended))
}

/// The time now, as far as it is believed: a gateway that has run for so long over a ledger whose newest entry was this one. A clock that has run for a day
/// is believed: what a gateway that was off for long keeps longer, it keeps for a day.
fn believed(now: UtcTime, newest: Option<UtcTime>, since: Duration) -> UtcTime {
    if since > DAY {
        return now;
    }
    let most = newest.map(|newest| newest.after(since).after(DAY));
    let Some(most) = most.filter(|most| *most < now) else {
        return now;
    };
    tracing::warn!(target: "gateway", %now, believed = %most, "the clock is more than a day ahead of the ledger: fewer old entries are forgotten");
    most
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clock_that_is_years_ahead_of_the_ledger_is_not_believed() {
        let newest = UtcTime::from_millis(1_700_000_000_000);
        let believed = |ahead: Duration| believed(newest.after(ahead), Some(newest), 3 * HOUR).since(newest);
        assert_eq!(believed(5 * HOUR), 5 * HOUR);
        assert_eq!(believed(27 * HOUR), 27 * HOUR);
        assert_eq!(believed(3_650 * DAY), 27 * HOUR);
        let now = newest.after(3_650 * DAY);
        assert_eq!(
            super::believed(now, None, HOUR),
            now,
            "an empty ledger has nothing to lose"
        );
        assert_eq!(
            super::believed(now, Some(newest), DAY + HOUR),
            now,
            "in the next round it is believed"
        );
    }
}
