use std::{
    fmt,
    sync::{Arc, Mutex, PoisonError, atomic::Ordering},
};

use sqlx::AnyConnection;
use tokio::task::JoinHandle;
use tower_llm_layers::ledger::{Correction, Entry, Ledger};

use crate::{
    LedgerError,
    place::Place,
    queue::{Item, Queue},
    writer::Written,
};

/// A ledger in a database. Cheap to clone; clones share it.
///
/// [`record`](Ledger::record) puts an entry into a bounded queue and returns; a task writes batches in the background. What does not fit
/// is counted ([`lost`](Self::lost)) and said.
///
/// # Cancellation
///
/// [`close`](Self::close) writes everything and ends the task. Dropping the last handle does the same without waiting: what the runtime
/// does not live to see written is lost, and counted at the next start as after a kill.
#[derive(Clone)]
pub struct DatabaseLedger(pub(crate) Arc<Inner>);

pub(crate) struct Inner {
    pub(crate) queue: Arc<Queue>,
    pub(crate) place: Place,
    pub(crate) written: Arc<Written>,
    pub(crate) writer: Mutex<Option<JoinHandle<()>>>,
    pub(crate) reader: tokio::sync::Mutex<Option<AnyConnection>>,
    pub(crate) before: LostBefore,
}

/// What earlier runs lost that did not end cleanly.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct LostBefore {
    /// Runs that did not end cleanly.
    pub runs: u64,
    /// Entries and corrections that they had taken in and not written: exactly in SQLite, at least in PostgreSQL, which has nowhere to
    /// count what a killed process took in since its last batch.
    pub items: u64,
}

/// How a ledger ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Closed {
    /// Entries and corrections that were written in this run.
    pub written: u64,
    /// Those that were not.
    pub lost: u64,
}

impl DatabaseLedger {
    /// Writes what is waiting, and ends. What is recorded later is lost, and counted.
    pub async fn close(&self) -> Closed {
        self.0.queue.close();
        let writer = self.0.writer.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(writer) = writer {
            // It does not panic; were it to, what it did not write is counted below.
            drop(writer.await);
            self.0.queue.give_up();
        }
        Closed {
            written: self.written(),
            lost: self.lost(),
        }
    }

    /// Entries and corrections that wait to be written.
    #[must_use]
    pub fn waiting(&self) -> usize {
        self.0.queue.len()
    }

    /// Entries and corrections that this run has written.
    #[must_use]
    pub fn written(&self) -> u64 {
        self.0.written.items.load(Ordering::Relaxed)
    }

    /// Entries and corrections that this run could not take in, or not write before it was closed.
    #[must_use]
    pub fn lost(&self) -> u64 {
        self.0.queue.counts().lost
    }

    /// Bills that came for entries which are not in this ledger.
    #[must_use]
    pub fn stray_corrections(&self) -> u64 {
        self.0.written.strays.load(Ordering::Relaxed)
    }

    /// What earlier runs lost that were killed.
    #[must_use]
    pub fn lost_before(&self) -> LostBefore {
        self.0.before
    }

    /// A connection for questions, given back by `keep`.
    pub(crate) async fn reader(&self) -> Result<Reader<'_>, LedgerError> {
        let mut place = self.0.reader.lock().await;
        let connection = match place.take() {
            Some(connection) => connection,
            None => self.0.place.connect().await?,
        };
        Ok(Reader { place, connection })
    }
}

/// A connection on loan. Dropped with a question unanswered, it is not used again.
pub(crate) struct Reader<'a> {
    place: tokio::sync::MutexGuard<'a, Option<AnyConnection>>,
    pub(crate) connection: AnyConnection,
}

impl Reader<'_> {
    pub(crate) fn keep(mut self) {
        *self.place = Some(self.connection);
    }
}

impl Drop for Inner {
    fn drop(&mut self) {
        self.queue.close();
    }
}

impl Ledger for DatabaseLedger {
    fn record(&self, entry: &Entry) {
        self.0.queue.push(Item::Entry(Box::new(entry.clone())));
    }

    fn correct(&self, correction: &Correction) {
        self.0.queue.push(Item::Correction(correction.clone()));
    }
}

impl fmt::Debug for DatabaseLedger {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DatabaseLedger")
            .field("place", &self.0.place)
            .field("waiting", &self.waiting())
            .field("written", &self.written())
            .field("lost", &self.lost())
            .finish_non_exhaustive()
    }
}
