//! What a gateway does in the ledger from time to time: asks for bills that did not come, and forgets old entries.

use std::time::Duration;

use tokio::time::sleep;
use tower_openrouter::{
    layers::{UtcTime, reconcile::Reconciler},
    ledger::DatabaseLedger,
};

use super::Gateway;

const HOUR: Duration = Duration::from_secs(3600);
const DAY: Duration = Duration::from_secs(24 * 3600);

/// How often bills that other gateways have left are looked for.
const CLAIM_EVERY: Duration = Duration::from_secs(600);
/// How old an entry is when the gateway that recorded it asks no more for its bill, even if the account has refused the question meanwhile.
const GIVEN_UP: Duration = Duration::from_secs(90 * 60);
/// How old it is when no gateway does.
const TOO_OLD: Duration = Duration::from_secs(3 * 24 * 3600);

/// How often old entries are forgotten.
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

/// Forgets entries of the ledger that are older than this, once a day, until it is dropped. Of several gateways over one database one does so.
pub async fn forget_entries(gateway: Gateway, keep: Duration) {
    let Some(ledger) = gateway.ledger() else { return };
    loop {
        let next = match ledger.forget_before(UtcTime::now().before(keep)).await {
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
