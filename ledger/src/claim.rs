//! Hands bills that did not come to one of several processes over one database.

use std::time::Duration;

use sqlx::{AnyConnection, Connection, any::AnyRow};
use tokio::time::timeout;
use tower_llm_layers::{UtcTime, reconcile::Reconciler};

use crate::{
    DatabaseLedger, LedgerError,
    place::Place,
    rows::COLUMNS,
    statement::statement,
    writer::{STATEMENT_MILLIS, TRANSACTION},
};

/// Entries that one question claims at most. The next one claims further ones.
const AT_ONCE: u32 = 1_000;

impl DatabaseLedger {
    /// Claims entries whose bills have not come, and hands them to a reconciler, which asks for them again. Says how many.
    ///
    /// For a database that several processes write, in the place of [`resume_bills`](Self::resume_bills): an entry is claimed by one statement, and
    /// no other process claims it for the length of the lease, so its bill is posted to shared budgets once. `before` is a time by which
    /// the process that recorded an entry asks no more for its bill, an hour and a half ago for instance: a [`Reconciler`] asks for 80 minutes at
    /// most by default, however slow the answers are, so the lease is longer than that. Call it from time to time, as processes end at any time; at
    /// most a thousand entries are claimed by each call.
    ///
    /// `since` is the time before which entries are left alone: a bill that has not come by then never does.
    ///
    /// # Errors
    ///
    /// [`LedgerError`] if the database does not answer: no bill is requested then. What it has claimed is claimed until the lease ends.
    ///
    /// # Cancellation
    ///
    /// As after an error.
    pub async fn claim_bills(
        &self,
        reconciler: &Reconciler,
        since: UtcTime,
        before: UtcTime,
        lease: Duration,
    ) -> Result<u64, LedgerError> {
        let place = self.0.place.clone();
        let rows = self.0.home.ask(claim(place, since, before, lease)).await?;
        let entries = self.readable(&rows);
        let count = entries.len() as u64;
        reconciler.resume(entries);
        Ok(count)
    }
}

async fn claim(place: Place, since: UtcTime, before: UtcTime, lease: Duration) -> Result<Vec<AnyRow>, LedgerError> {
    let mut session = place.connect(false).await?;
    let claiming = claim_some(&mut session.connection, &place, (since, before), lease);
    let rows = timeout(TRANSACTION, claiming)
        .await
        .unwrap_or_else(|_| Err(place.slow(TRANSACTION)))?;
    // They are claimed, whatever becomes of the connection.
    drop(session.connection.close().await);
    Ok(rows)
}

async fn claim_some(
    connection: &mut AnyConnection,
    place: &Place,
    (since, before): (UtcTime, UtcTime),
    lease: Duration,
) -> Result<Vec<AnyRow>, LedgerError> {
    let now = UtcTime::now();
    // Of two at once the second waits for the rows of the first, looks at their claims again, and leaves them.
    let sql = format!(
        "UPDATE entries SET bill_claimed = $1 WHERE id IN (
            SELECT id FROM entries WHERE state = 'estimated' AND generation_id IS NOT NULL AND ended >= $2 AND ended < $3
                AND (bill_claimed IS NULL OR bill_claimed < $4) ORDER BY ended LIMIT {AT_ONCE})
         AND state = 'estimated' AND (bill_claimed IS NULL OR bill_claimed < $4) RETURNING {}",
        COLUMNS.join(", ")
    );
    let millis = |time: UtcTime| i64::try_from(time.millis()).unwrap_or(i64::MAX);
    let mut transaction = place.begin(connection).await?;
    place.limit(&mut transaction, STATEMENT_MILLIS).await?;
    let rows = statement(&sql)
        .bind(millis(now.after(lease)))
        .bind(millis(since))
        .bind(millis(before))
        .bind(millis(now))
        .fetch_all(&mut *transaction)
        .await?;
    transaction.commit().await?;
    Ok(rows)
}
