//! Writes batches, one after another, until the ledger is closed and everything is written, or its time is over.

use std::{
    sync::{Arc, atomic::Ordering},
    time::Duration,
};

use sqlx::{AnyConnection, Connection};
use tokio::time::{Instant, sleep, timeout};
use tower_llm_layers::{
    UtcTime,
    ledger::{Entry, EntryId},
};

use crate::{
    LedgerError,
    place::{Place, Session},
    queue::{Item, Queue},
    reader::Reader,
    rows,
    run::{SILENCE, begin, bury, note},
    schema::migrate,
    statement::statement,
    trouble::Trouble,
    written::Written,
};

/// How long one transaction may take, its commit included.
pub(crate) const TRANSACTION: Duration = Duration::from_secs(10);
/// After this long a server ends a statement by itself, so that nothing that was given up here still runs there.
pub(crate) const STATEMENT_MILLIS: u32 = 9_000;
/// How long the farewell to a file may take that was moved away.
const FAREWELL: Duration = Duration::from_secs(5);
/// The longest wait between two tries once the ledger is closed: its time is short.
const LAST_WAIT: Duration = Duration::from_millis(250);

pub(crate) struct Writer {
    pub(crate) queue: Arc<Queue>,
    pub(crate) place: Place,
    pub(crate) run: String,
    pub(crate) session: Option<Session>,
    pub(crate) reader: Arc<Reader>,
    pub(crate) written: Arc<Written>,
    pub(crate) flush_every: Duration,
    pub(crate) trouble: Trouble,
    /// Whether the runs that ended without a word are closed.
    pub(crate) has_buried: bool,
}

impl Writer {
    /// Runs until the ledger is closed; then `close_timeout` is left to write what waits.
    pub(crate) async fn run(mut self, close_timeout: Duration) {
        let queue = Arc::clone(&self.queue);
        let last_moment = async {
            queue.closing().await;
            sleep(close_timeout).await;
        };
        tokio::select! {
            () = self.work() => {}
            () = last_moment => {}
        }
        let lost = queue.give_up();
        if lost > 0 {
            tracing::error!(target: "llm::ledger", place = %self.place, lost, "the ledger was closed before everything was written: entries are lost");
        }
        queue.unlock();
    }

    async fn work(&mut self) {
        loop {
            if !self.has_buried && !self.queue.is_closing() {
                self.bury_silent(SILENCE).await;
            }
            if self.queue.len() == 0 {
                if self.queue.is_closing() {
                    break;
                }
                if timeout(SILENCE / 3, self.queue.begun.notified()).await.is_err() && self.place.is_shared() {
                    // Others must not take this run for dead.
                    self.write_all(Vec::new()).await;
                }
                continue;
            }
            let begun = Instant::now();
            while !self.queue.is_full_batch() && !self.queue.is_closing() {
                // Either more comes, or the first has waited long enough. It may be notified of a batch that is written already.
                let left = self.flush_every.saturating_sub(begun.elapsed());
                if timeout(left, self.queue.full.notified()).await.is_err() {
                    break;
                }
            }
            let batch = self.queue.take();
            self.write_all(batch).await;
        }
        self.stop().await;
    }

    /// Writes a batch, however often that takes. If the database refuses it for what it holds, each half goes by itself, until the
    /// row is alone that is refused.
    async fn write_all(&mut self, batch: Vec<Item>) {
        let mut parts = vec![batch];
        while let Some(mut part) = parts.pop() {
            match self.write(&part).await {
                Ok(strays) => {
                    self.queue.settled(part.len());
                    self.written.items.fetch_add(part.len() as u64, Ordering::Relaxed);
                    self.written.strays.fetch_add(strays.len() as u64, Ordering::Relaxed);
                    for entry in strays {
                        tracing::warn!(target: "llm::ledger", %entry, "a bill came for an entry that is not in this ledger");
                    }
                    self.trouble.over(&self.place);
                }
                Err(error) if error.is_of_the_row() && part.len() > 1 => {
                    let second = part.split_off(part.len() / 2);
                    parts.push(second);
                    parts.push(part);
                }
                Err(error) if error.is_of_the_row() => {
                    let Some(item) = part.first() else { continue };
                    match item.plain() {
                        Some(plain) => parts.push(vec![plain]),
                        None => self.reject(item, &error),
                    }
                }
                // Only the mark that this run is alive: it can wait.
                Err(_) if part.is_empty() => {}
                Err(error) => {
                    parts.push(part);
                    let wait = self.trouble.failed(&self.place, &error, self.queue.len());
                    if self.queue.is_closing() {
                        sleep(wait.min(LAST_WAIT)).await;
                    } else {
                        drop(timeout(wait, self.queue.closing()).await);
                    }
                }
            }
        }
    }

    fn reject(&self, item: &Item, error: &LedgerError) {
        let rejected = self.queue.rejected();
        let entry = item.name();
        if rejected.is_power_of_two() {
            tracing::error!(target: "llm::ledger", place = %self.place, entry, %error, rejected, "the database refuses an entry: it is lost");
        } else {
            tracing::debug!(target: "llm::ledger", place = %self.place, entry, %error, "the database refuses an entry: it is lost");
        }
    }

    /// Writes items in one transaction. Gives the corrections among them whose entries are not there.
    pub(crate) async fn write(&mut self, items: &[Item]) -> Result<Vec<EntryId>, LedgerError> {
        let mut session = match self.session.take() {
            Some(session) if self.place.is_under(&session) => session,
            Some(session) => {
                self.bid_farewell(session).await;
                self.connect().await?
            }
            None => self.connect().await?,
        };
        let writing = self.transact(&mut session.connection, items);
        let done = timeout(TRANSACTION, writing)
            .await
            .map_err(|_| self.place.slow(TRANSACTION))?;
        if !self.place.is_under(&session) {
            self.bid_farewell(session).await;
            let place = self.place.to_string();
            return Err(LedgerError::Moved { place });
        }
        // What was refused for a row has left nothing behind; after any other error the connection is not used again.
        if done.as_ref().err().is_none_or(LedgerError::is_of_the_row) {
            self.session = Some(session);
        }
        done
    }

    async fn transact(&self, connection: &mut AnyConnection, items: &[Item]) -> Result<Vec<EntryId>, LedgerError> {
        let mut transaction = self.place.begin(connection).await?;
        let done = self.fill(&mut transaction, items).await;
        match done {
            Ok(strays) => {
                transaction.commit().await?;
                Ok(strays)
            }
            Err(error) => {
                if error.is_of_the_row() {
                    transaction.rollback().await?;
                }
                Err(error)
            }
        }
    }

    async fn fill(&self, connection: &mut AnyConnection, items: &[Item]) -> Result<Vec<EntryId>, LedgerError> {
        self.place.limit(connection, STATEMENT_MILLIS).await?;
        let entries: Vec<&Entry> = items
            .iter()
            .filter_map(|item| match item {
                Item::Entry(entry) => Some(&**entry),
                Item::Correction(_) => None,
            })
            .collect();
        // A correction follows its entry, so that all entries may go first.
        rows::insert(connection, &entries, self.place.is_shared()).await?;
        let mut strays = Vec::new();
        for item in items {
            let Item::Correction(correction) = item else { continue };
            if !rows::correct(connection, correction).await? {
                strays.push(correction.id);
            }
        }
        self.note(connection, items.len() as u64, false).await?;
        Ok(strays)
    }

    /// Writes down how far this run has come with so many more items.
    async fn note(&self, connection: &mut AnyConnection, more: u64, is_stopped: bool) -> Result<(), sqlx::Error> {
        let counts = self.queue.counts();
        // What was refused need not be written any more, either.
        let settled = self.written.items.load(Ordering::Relaxed) + counts.rejected + more;
        let is_shared = self.place.is_shared();
        note(connection, &self.run, counts, settled, (is_stopped, is_shared)).await
    }

    /// Closes the runs of other processes that ended without a word, once this one has been connected for so long: while a server was away no run was
    /// noted, and those that live are noted again by then.
    pub(crate) async fn bury_silent(&mut self, after: Duration) {
        let is_due = |session: &mut Session| session.since.elapsed() >= after;
        let Some(mut session) = self.session.take_if(is_due) else {
            return;
        };
        let burying = async {
            let mut transaction = self.place.begin(&mut session.connection).await?;
            self.place.limit(&mut transaction, STATEMENT_MILLIS).await?;
            let before = bury(&mut transaction, &self.place, None, &self.run, UtcTime::now()).await?;
            transaction.commit().await?;
            Ok::<_, LedgerError>(before)
        };
        let buried = timeout(TRANSACTION, burying)
            .await
            .unwrap_or_else(|_| Err(self.place.slow(TRANSACTION)));
        match buried {
            Ok(before) => {
                self.written.set_before(before);
                self.has_buried = true;
                self.session = Some(session);
            }
            // The next connection tries again.
            Err(error) => {
                tracing::warn!(target: "llm::ledger", place = %self.place, %error, "what killed runs have lost is not counted yet: trying again");
            }
        }
    }

    /// A new connection to a database that has this run.
    async fn connect(&self) -> Result<Session, LedgerError> {
        let mut session = self.place.connect(true).await?;
        let connection = &mut session.connection;
        let prepare = async {
            migrate(connection, &self.place).await?;
            let mut transaction = self.place.begin(connection).await?;
            begin(&mut transaction, &self.run, UtcTime::now(), self.place.is_shared()).await?;
            transaction.commit().await?;
            Ok::<_, LedgerError>(())
        };
        timeout(TRANSACTION, prepare)
            .await
            .map_err(|_| self.place.slow(TRANSACTION))??;
        Ok(session)
    }

    /// Leaves a file that was deleted or moved away.
    async fn bid_farewell(&self, mut session: Session) {
        let written = self.written.items.load(Ordering::Relaxed);
        tracing::error!(
            target: "llm::ledger",
            place = %self.place,
            written,
            "the ledger's file was deleted or moved away while it was open: its entries are no longer in this ledger, and a new file is created"
        );
        let leave = async {
            // What only the write-ahead log holds goes into the file, wherever that is now.
            drop(
                statement("PRAGMA wal_checkpoint(TRUNCATE)")
                    .execute(&mut session.connection)
                    .await,
            );
            drop(session.connection.close().await);
            self.reader.leave().await;
        };
        drop(timeout(FAREWELL, leave).await);
    }

    /// The mark of a clean stop.
    async fn stop(&mut self) {
        let noted = async {
            let mut session = match self.session.take() {
                Some(session) if self.place.is_under(&session) => session,
                Some(session) => {
                    self.bid_farewell(session).await;
                    return Ok(());
                }
                None => self.connect().await?,
            };
            let mut transaction = self.place.begin(&mut session.connection).await?;
            self.note(&mut transaction, 0, true).await?;
            transaction.commit().await?;
            session.connection.close().await?;
            Ok::<_, LedgerError>(())
        };
        let noted = timeout(TRANSACTION, noted)
            .await
            .unwrap_or_else(|_| Err(self.place.slow(TRANSACTION)));
        if let Err(error) = noted {
            tracing::warn!(target: "llm::ledger", %error, "the ledger's clean stop could not be recorded");
        }
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use tower_llm_layers::{
        Tags, TokenUsage, UsdAmount,
        ledger::{CallId, EntryOutcome, EntryState},
    };

    use super::*;

    pub(crate) fn entry() -> Entry {
        let at = UtcTime::from_millis(1_795_587_300_000);
        Entry {
            id: EntryId::new(at),
            call: CallId::new(at),
            attempt: 1,
            began: at,
            ended: at,
            upstream: "openrouter".into(),
            model: "a/b".into(),
            tags: Tags::default(),
            state: EntryState::Settled,
            outcome: EntryOutcome::Answered,
            streamed: false,
            reserved: UsdAmount::ZERO,
            estimate: None,
            bill: None,
            recorded: UsdAmount::ZERO,
            usage: TokenUsage::default(),
            provider: None,
            served_model: None,
            generation_id: None,
            first_token: None,
            clamped_to: None,
            affordable_tokens: None,
        }
    }

    #[cfg(feature = "sqlite")]
    #[tokio::test]
    async fn a_full_disk_rejects_no_row_and_they_are_written_when_there_is_room() {
        let folder = std::env::temp_dir().join(format!("ledger-full-{}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        let (_opened, mut writer) = crate::LedgerOptions::sqlite(folder.join("spend.sqlite"))
            .prepare()
            .await
            .unwrap();
        // As many pages as there are.
        let full = sqlx::query("PRAGMA max_page_count = 1");
        full.execute(&mut writer.session.as_mut().unwrap().connection)
            .await
            .unwrap();
        let items: Vec<_> = (0..500).map(|_| Item::Entry(Box::new(entry()))).collect();
        let error = writer.write(&items).await.unwrap_err();
        assert!(error.to_string().contains("full"), "{error}");
        assert!(!error.is_of_the_row() && writer.session.is_none(), "{error:?}");
        // The next connection has room.
        assert_eq!(writer.write(&items).await.unwrap(), []);
        drop(std::fs::remove_dir_all(folder));
    }
}
