//! Writes batches, one after another, until the ledger is closed.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use sqlx::{AnyConnection, Connection};
use tokio::time::sleep;
use tower_llm_layers::{UtcTime, ledger::Entry};

use crate::{
    LedgerError,
    place::Place,
    queue::{Item, Queue},
    rows,
};

/// The first wait after a failure; each further one is twice as long.
const FIRST_RETRY: Duration = Duration::from_millis(100);
/// The longest wait between two tries.
const LONGEST_RETRY: Duration = Duration::from_secs(10);
/// Tries of the last batches once the ledger is closed.
const LAST_TRIES: u32 = 5;

/// What the writer shares with the ledger's handle.
#[derive(Debug, Default)]
pub(crate) struct Written {
    pub(crate) items: AtomicU64,
    /// Corrections of entries that are not there.
    pub(crate) strays: AtomicU64,
}

pub(crate) struct Writer {
    pub(crate) queue: Arc<Queue>,
    pub(crate) place: Place,
    pub(crate) run: String,
    pub(crate) connection: Option<AnyConnection>,
    pub(crate) written: Arc<Written>,
    pub(crate) flush_every: Duration,
}

impl Writer {
    pub(crate) async fn run(mut self) {
        loop {
            if self.queue.len() == 0 {
                if self.queue.is_closing() {
                    break;
                }
                self.queue.begun.notified().await;
                continue;
            }
            if !self.queue.is_full_batch() && !self.queue.is_closing() {
                // Either more comes, or the first has waited long enough.
                drop(tokio::time::timeout(self.flush_every, self.queue.full.notified()).await);
            }
            if !self.write_batch().await {
                self.queue.give_up();
            }
        }
        self.stop().await;
    }

    /// Writes the next batch, however often that takes; gives up only where the ledger is closed.
    async fn write_batch(&mut self) -> bool {
        let batch = self.queue.batch();
        let mut wait = FIRST_RETRY;
        let mut last_tries = 0;
        loop {
            match self.write(&batch).await {
                Ok(()) => {
                    self.queue.written(batch.len());
                    self.written.items.fetch_add(batch.len() as u64, Ordering::Relaxed);
                    return true;
                }
                Err(error) => {
                    self.connection = None;
                    if wait == FIRST_RETRY {
                        tracing::error!(target: "llm::ledger", place = %self.place, %error, "the ledger is not written: trying again");
                    }
                }
            }
            if self.queue.is_closing() {
                last_tries += 1;
                if last_tries >= LAST_TRIES {
                    return false;
                }
            }
            sleep(wait).await;
            wait = (wait * 2).min(LONGEST_RETRY);
        }
    }

    async fn write(&mut self, batch: &[Item]) -> Result<(), LedgerError> {
        let mut connection = match self.connection.take() {
            Some(connection) => connection,
            None => self.place.connect().await?,
        };
        let mut transaction = connection.begin().await?;
        let entries: Vec<&Entry> = batch
            .iter()
            .filter_map(|item| match item {
                Item::Entry(entry) => Some(&**entry),
                Item::Correction(_) => None,
            })
            .collect();
        // A correction follows its entry, so that all entries may go first.
        rows::insert(&mut transaction, &entries, self.place.is_shared()).await?;
        for item in batch {
            let Item::Correction(correction) = item else { continue };
            if !rows::correct(&mut transaction, correction).await? {
                self.written.strays.fetch_add(1, Ordering::Relaxed);
                tracing::warn!(target: "llm::ledger", entry = %correction.id, "a bill came for an entry that is not in this ledger");
            }
        }
        let written = self.written.items.load(Ordering::Relaxed) + batch.len() as u64;
        note(&self.queue, &self.run, &mut transaction, written, false).await?;
        transaction.commit().await?;
        self.connection = Some(connection);
        Ok(())
    }

    /// The mark of a clean stop.
    async fn stop(mut self) {
        let written = self.written.items.load(Ordering::Relaxed);
        let noted = match self.connection.take() {
            Some(connection) => Ok(connection),
            None => self.place.connect().await,
        };
        let noted = match noted {
            Ok(mut connection) => match note(&self.queue, &self.run, &mut connection, written, true).await {
                Ok(()) => connection.close().await.map_err(LedgerError::from),
                Err(error) => Err(error),
            },
            Err(error) => Err(error),
        };
        if let Err(error) = noted {
            tracing::warn!(target: "llm::ledger", %error, "the ledger's clean stop could not be written down");
        }
    }
}

/// Writes down how far this run has come.
async fn note(
    queue: &Queue,
    run: &str,
    connection: &mut AnyConnection,
    written: u64,
    stopped: bool,
) -> Result<(), LedgerError> {
    let counts = queue.counts();
    let now = i64::try_from(UtcTime::now().millis()).unwrap_or(i64::MAX);
    let number = |count: u64| i64::try_from(count).unwrap_or(i64::MAX);
    sqlx::query(
        "UPDATE ledger_runs SET last_written = $1, accepted = $2, written = $3, lost = $4, stopped = $5 WHERE id = $6",
    )
    .bind(now)
    .bind(number(counts.accepted))
    .bind(number(written))
    .bind(number(counts.lost))
    .bind(stopped.then_some(now))
    .bind(run.to_owned())
    .execute(connection)
    .await?;
    Ok(())
}
