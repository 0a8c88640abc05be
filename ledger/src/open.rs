//! How a ledger is set up and opened.

use std::{io::ErrorKind, sync::Arc, time::Duration};

use tokio::time::timeout;
use tower_llm_layers::{UtcTime, ledger::EntryId};

use crate::{
    LedgerError, LedgerReader,
    counter::Counter,
    home,
    ledger::{DatabaseLedger, Inner, Opened},
    place::Place,
    queue::Queue,
    reader::Reader,
    rows::MOST_ROWS,
    run::{LostBefore, begin, bury},
    schema::migrate,
    trouble::Trouble,
    writer::Writer,
    written::Written,
};

/// Entries that may wait to be written, by default: some tens of megabytes.
pub const MAX_WAITING: usize = 100_000;
/// The longest that an entry waits for others to be written with, by default.
pub const FLUSH_EVERY: Duration = Duration::from_millis(100);
/// Entries written at once, by default and at most.
pub const BATCH: usize = MOST_ROWS;
/// The longest that [`DatabaseLedger::close`] takes, by default: hosts kill a process ten seconds after they asked it to end.
pub const CLOSE_TIMEOUT: Duration = Duration::from_secs(8);

/// The longest that opening takes, migrations and other processes' included.
const OPEN: Duration = Duration::from_secs(30);

/// Opens a [`DatabaseLedger`].
#[derive(Debug, Clone)]
pub struct LedgerOptions {
    place: Place,
    max_waiting: usize,
    flush_every: Duration,
    batch: usize,
    close_timeout: Duration,
}

impl LedgerOptions {
    /// In this SQLite file, which is made if it is not there. One process at a time: a file beside it, which ends with `-accepted`,
    /// is locked.
    #[cfg(feature = "sqlite")]
    #[must_use]
    pub fn sqlite(path: impl Into<std::path::PathBuf>) -> Self {
        Self::at(Place::File(path.into()))
    }

    /// In this PostgreSQL database, `postgres://user:password@host/database`. Any number of processes.
    #[cfg(feature = "postgres")]
    #[must_use]
    pub fn postgres(url: &str) -> Self {
        let (shown, url) = (crate::place::without_password(url), url.to_owned());
        let url = Arc::new(move || Ok(url.clone()));
        Self::at(Place::Server { url, shown })
    }

    /// The same, with a URL that is read for each connection, such as from a file in which the password is replaced from time to time. Reading it
    /// takes no longer than reading a file: the ledger's thread waits for it.
    ///
    /// # Errors
    ///
    /// If it cannot be read now. If it cannot be read later, the ledger tries again as with a server that does not answer.
    #[cfg(feature = "postgres")]
    pub fn postgres_from(url: impl Fn() -> std::io::Result<String> + Send + Sync + 'static) -> std::io::Result<Self> {
        let shown = crate::place::without_password(&url()?);
        let url = Arc::new(url);
        Ok(Self::at(Place::Server { url, shown }))
    }

    #[cfg(any(feature = "sqlite", feature = "postgres"))]
    const fn at(place: Place) -> Self {
        Self {
            place,
            max_waiting: MAX_WAITING,
            flush_every: FLUSH_EVERY,
            batch: BATCH,
            close_timeout: CLOSE_TIMEOUT,
        }
    }

    /// How many entries may wait to be written; 100 000 ([`MAX_WAITING`]) by default, and 256 MiB of them at most. Beyond, they are lost and
    /// counted.
    #[must_use]
    pub const fn max_waiting(mut self, entries: usize) -> Self {
        self.max_waiting = entries;
        self
    }

    /// The longest that an entry waits for others; 100 ms ([`FLUSH_EVERY`]) by default. A kill loses no more than came in so long.
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

    /// The longest that [`DatabaseLedger::close`] takes; 8 s ([`CLOSE_TIMEOUT`]) by default. What is not written by then is lost and
    /// counted.
    #[must_use]
    pub const fn close_timeout(mut self, time: Duration) -> Self {
        self.close_timeout = time;
        self
    }

    /// Opens it, brings its tables up to date, counts what a killed run has lost, and starts a thread that writes.
    ///
    /// # Errors
    ///
    /// [`LedgerError`] names the place: not there, no database, read-only, of a later version, in use by another process, too slow.
    ///
    /// # Cancellation
    ///
    /// The ledger is closed.
    pub async fn open(self) -> Result<DatabaseLedger, LedgerError> {
        let (place, close_timeout) = (self.place.clone(), self.close_timeout);
        let open = async move || {
            let slow = self.place.slow(OPEN);
            timeout(OPEN, self.prepare()).await.unwrap_or(Err(slow))
        };
        let (opened, home) = home::start(open, close_timeout).await?;
        Ok(DatabaseLedger(Arc::new(Inner { opened, place, home })))
    }

    /// Opens it to be read only, also while another process writes it: no table is created, and no file.
    ///
    /// # Errors
    ///
    /// [`LedgerError`] names the place: not there, no database, too slow.
    pub async fn open_to_read(self) -> Result<LedgerReader, LedgerError> {
        let reader = LedgerReader::new(self.place);
        reader.check().await?;
        Ok(reader)
    }

    /// The lock, the tables and the run.
    pub(crate) async fn prepare(self) -> Result<(Opened, Writer), LedgerError> {
        let place = self.place;
        let (counter, left) = match own(&place)? {
            Some((counter, left)) => (Some(counter), Some(left)),
            None => (None, None),
        };
        let mut session = place.connect(true).await?;
        migrate(&mut session.connection, &place).await?;
        let now = UtcTime::now();
        let begun = place.begin(&mut session.connection).await;
        let mut transaction = begun.map_err(|cause| place.refused(cause))?;
        let run = EntryId::new(now).to_string();
        // In a database that several processes write, a run that has not been noted for a while may only wait for the server.
        let is_alone = !place.is_shared();
        let before = if is_alone {
            bury(&mut transaction, &place, left, &run, now).await?
        } else {
            LostBefore::default()
        };
        begin(&mut transaction, &run, now, place.is_shared())
            .await
            .map_err(|cause| place.refused(cause))?;
        transaction.commit().await.map_err(|cause| place.refused(cause))?;
        if let Some(counter) = &counter {
            counter.begin().map_err(|cause| unopened(&place, cause))?;
        }
        let queue = Arc::new(Queue::new(self.batch, self.max_waiting, counter));
        let reader = Arc::new(Reader::new(place.clone()));
        let written = Arc::new(Written::after(before));
        let writer = Writer {
            queue: Arc::clone(&queue),
            place,
            run,
            session: Some(session),
            reader: Arc::clone(&reader),
            written: Arc::clone(&written),
            flush_every: self.flush_every,
            trouble: Trouble::default(),
            has_buried: is_alone,
        };
        let opened = Opened { queue, reader, written };
        Ok((opened, writer))
    }
}

/// Makes a file this process's own; gives what an earlier run has counted, too.
fn own(place: &Place) -> Result<Option<(Counter, u64)>, LedgerError> {
    let Some(path) = place.file() else { return Ok(None) };
    let mut beside = path.as_os_str().to_owned();
    beside.push("-accepted");
    let owned = Counter::open(beside.as_ref()).map_err(|cause| unopened(place, cause))?;
    owned.map(Some).ok_or_else(|| LedgerError::InUse {
        place: place.to_string(),
    })
}

fn unopened(place: &Place, cause: std::io::Error) -> LedgerError {
    match cause.kind() {
        ErrorKind::PermissionDenied | ErrorKind::ReadOnlyFilesystem => LedgerError::ReadOnly {
            place: place.to_string(),
        },
        _ => place.refused(sqlx::Error::Io(cause)),
    }
}
