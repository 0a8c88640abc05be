use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use sqlx::{AnyConnection, Row};
use tower_llm_layers::{UtcTime, ledger::EntryId};

use crate::{
    DatabaseLedger, LedgerError, LostBefore,
    ledger::Inner,
    place::Place,
    queue::{Queue, open_counter},
    rows::MOST_ROWS,
    schema::migrate,
    writer::{Writer, Written},
};

/// Entries that may wait to be written, by default: some tens of megabytes.
pub const MAX_WAITING: usize = 100_000;
/// The longest that an entry waits for others to be written with, by default.
pub const FLUSH_EVERY: Duration = Duration::from_millis(100);
/// Entries written at once, by default and at most.
pub const BATCH: usize = MOST_ROWS;

/// After this long without a word, a run in a shared database is taken for dead.
const SILENCE: Duration = Duration::from_secs(60);

/// Opens a [`DatabaseLedger`].
#[derive(Debug, Clone)]
pub struct LedgerOptions {
    place: Place,
    max_waiting: usize,
    flush_every: Duration,
    batch: usize,
}

impl LedgerOptions {
    /// In this SQLite file, which is made where it is not there. One process at a time.
    #[cfg(feature = "sqlite")]
    #[must_use]
    pub fn sqlite(path: impl Into<std::path::PathBuf>) -> Self {
        Self::at(Place::File(path.into()))
    }

    /// In this PostgreSQL database, `postgres://user:password@host/database`. Any number of processes.
    #[cfg(feature = "postgres")]
    #[must_use]
    pub fn postgres(url: &str) -> Self {
        Self::at(Place::Server {
            url: url.to_owned(),
            shown: crate::place::without_password(url),
        })
    }

    #[cfg(any(feature = "sqlite", feature = "postgres"))]
    const fn at(place: Place) -> Self {
        Self {
            place,
            max_waiting: MAX_WAITING,
            flush_every: FLUSH_EVERY,
            batch: BATCH,
        }
    }

    /// How many entries may wait to be written; [`MAX_WAITING`] by default. Beyond, they are lost and counted.
    #[must_use]
    pub const fn max_waiting(mut self, entries: usize) -> Self {
        self.max_waiting = entries;
        self
    }

    /// The longest that an entry waits for others; [`FLUSH_EVERY`] by default. A kill loses no more than came in so long.
    #[must_use]
    pub const fn flush_every(mut self, time: Duration) -> Self {
        self.flush_every = time;
        self
    }

    /// How many are written at once; [`BATCH`] by default and at most.
    #[must_use]
    pub fn batch(mut self, entries: usize) -> Self {
        self.batch = entries.clamp(1, BATCH);
        self
    }

    /// Opens it, brings its tables up to date, counts what a killed run has lost, and starts its writer on this runtime.
    ///
    /// # Errors
    ///
    /// [`LedgerError`] names the place: not there, no database, read-only, of a later version.
    pub async fn open(self) -> Result<DatabaseLedger, LedgerError> {
        let mut connection = self.place.connect().await?;
        migrate(&mut connection, &self.place).await?;
        let (left, counter) = match self.place.file() {
            Some(path) => {
                let mut beside = path.as_os_str().to_owned();
                beside.push("-accepted");
                let (left, counter) = open_counter(beside.as_ref()).map_err(|cause| LedgerError::Open {
                    place: self.place.to_string(),
                    cause: sqlx::Error::Io(cause),
                })?;
                (left, Some(counter))
            }
            None => (None, None),
        };
        let now = UtcTime::now();
        let before = bury(&mut connection, &self.place, left, now).await?;
        let run = EntryId::new(now).to_string();
        sqlx::query(
            "INSERT INTO ledger_runs (id, started, last_written, accepted, written, lost) VALUES ($1, $2, $2, 0, 0, 0)",
        )
        .bind(run.clone())
        .bind(millis(now))
        .execute(&mut connection)
        .await
        .map_err(|cause| self.place.refused(cause))?;
        let queue = Arc::new(Queue::new(self.batch, self.max_waiting, counter));
        let written = Arc::new(Written::default());
        let writer = Writer {
            queue: Arc::clone(&queue),
            place: self.place.clone(),
            run,
            connection: Some(connection),
            written: Arc::clone(&written),
            flush_every: self.flush_every,
        };
        Ok(DatabaseLedger(Arc::new(Inner {
            queue,
            place: self.place,
            written,
            writer: Mutex::new(Some(tokio::spawn(writer.run()))),
            reader: tokio::sync::Mutex::new(None),
            before,
        })))
    }
}

fn millis(at: UtcTime) -> i64 {
    i64::try_from(at.millis()).unwrap_or(i64::MAX)
}

/// Closes the runs that ended without a word, and counts what they lost.
async fn bury(
    connection: &mut AnyConnection,
    place: &Place,
    left: Option<u64>,
    now: UtcTime,
) -> Result<LostBefore, LedgerError> {
    let alive_since = if place.is_shared() { now.before(SILENCE) } else { now };
    let rows = sqlx::query(
        "SELECT id, accepted, written FROM ledger_runs WHERE stopped IS NULL AND last_written <= $1 ORDER BY started DESC",
    )
    .bind(millis(alive_since))
    .fetch_all(&mut *connection)
    .await?;
    let mut before = LostBefore::default();
    for (index, row) in rows.iter().enumerate() {
        let (id, noted): (String, i64) = (row.try_get("id")?, row.try_get("accepted")?);
        let written: i64 = row.try_get("written")?;
        // What was counted beside the file belongs to the last run.
        let counted = left.filter(|_| index == 0).and_then(|left| i64::try_from(left).ok());
        let lost = noted.max(counted.unwrap_or(0)).saturating_sub(written).max(0);
        before.runs += 1;
        before.items += u64::try_from(lost).unwrap_or(0);
        sqlx::query("UPDATE ledger_runs SET stopped = $1, lost = lost + $2 WHERE id = $3")
            .bind(millis(now))
            .bind(lost)
            .bind(id)
            .execute(&mut *connection)
            .await
            .map_err(|cause| place.refused(cause))?;
    }
    if before.runs > 0 {
        tracing::error!(
            target: "llm::ledger",
            %place,
            runs = before.runs,
            lost = before.items,
            "an earlier run was killed: what it had not written is lost"
        );
    }
    Ok(before)
}
