//! The ledger's handle.

use std::{
    fmt,
    sync::{Arc, atomic::Ordering},
};

use sqlx::any::AnyRow;
use tower_llm_layers::ledger::{Correction, Entry, Ledger};

use crate::{
    LedgerError,
    filter::Where,
    home::Home,
    place::Place,
    queue::{Item, Queue},
    reader::Reader,
    run::LostBefore,
    text::clean_entry,
    written::Written,
};

/// A ledger in a database. Cheap to clone; clones share it.
///
/// [`record`](Ledger::record) puts an entry into a bounded queue and returns; a thread writes batches in the background. What does
/// not fit is counted ([`lost`](Self::lost)) and logged. Control characters in names are replaced, and names over 512 bytes are cut.
///
/// # Cancellation
///
/// [`close`](Self::close) writes everything and ends the run. Dropping the last handle without it does the same and waits for a second
/// at most; what is not written by then is logged, and lost if the process ends.
#[derive(Clone)]
pub struct DatabaseLedger(pub(crate) Arc<Inner>);

pub(crate) struct Inner {
    pub(crate) opened: Opened,
    pub(crate) place: Place,
    pub(crate) home: Home,
}

/// What the thread and the handle share.
pub(crate) struct Opened {
    pub(crate) queue: Arc<Queue>,
    pub(crate) reader: Arc<Reader>,
    pub(crate) written: Arc<Written>,
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
    /// Writes what is waiting, and ends. What is recorded later is lost, and counted. Takes
    /// [`close_timeout`](crate::LedgerOptions::close_timeout) at most, whatever state the database is in.
    ///
    /// # Cancellation
    ///
    /// The ledger ends all the same; call it again to wait for that.
    pub async fn close(&self) -> Closed {
        self.0.opened.queue.close();
        self.0.home.ended().await;
        Closed {
            written: self.written(),
            lost: self.lost(),
        }
    }

    /// Entries and corrections that wait to be written.
    #[must_use]
    pub fn waiting(&self) -> usize {
        self.0.opened.queue.len()
    }

    /// Entries and corrections that this run has written.
    #[must_use]
    pub fn written(&self) -> u64 {
        self.0.opened.written.items.load(Ordering::Relaxed)
    }

    /// Entries and corrections that this run could not take in, or not write before it was closed, or that the database refused.
    #[must_use]
    pub fn lost(&self) -> u64 {
        self.0.opened.queue.counts().lost
    }

    /// Those of the [`lost`](Self::lost) ones that the database refused for what they hold.
    #[must_use]
    pub fn rejected(&self) -> u64 {
        self.0.opened.queue.counts().rejected
    }

    /// Bills that came for entries which are not in this ledger.
    #[must_use]
    pub fn stray_corrections(&self) -> u64 {
        self.0.opened.written.strays.load(Ordering::Relaxed)
    }

    /// What earlier runs lost that were killed. In PostgreSQL it is known once this process has been connected for a minute: a run that was not noted
    /// for that long by the server's clock has ended.
    #[must_use]
    pub fn lost_before(&self) -> LostBefore {
        self.0.opened.written.before()
    }

    /// The rows that answer a question.
    pub(crate) async fn ask(&self, sql: String, conditions: Where) -> Result<Vec<AnyRow>, LedgerError> {
        let reader = Arc::clone(&self.0.opened.reader);
        self.0.home.ask(async move { reader.ask(&sql, conditions).await }).await
    }
}

impl Ledger for DatabaseLedger {
    fn record(&self, entry: &Entry) {
        let mut entry = Box::new(entry.clone());
        clean_entry(&mut entry);
        self.0.opened.queue.push(Item::Entry(entry));
    }

    fn correct(&self, correction: &Correction) {
        self.0.opened.queue.push(Item::Correction(Box::new(correction.clone())));
    }

    fn is_durable(&self) -> bool {
        true
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
