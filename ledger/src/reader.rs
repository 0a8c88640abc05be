//! Answers questions, one after another, each within its time.

use std::{sync::Arc, time::Duration};

use sqlx::{Connection, any::AnyRow};
use tokio::{
    sync::{Mutex, OwnedMutexGuard},
    time::{Instant, timeout_at},
};

use crate::{
    LedgerError,
    filter::Where,
    place::{Place, Session},
    statement::statement,
};

/// How long a question may take, those before it included.
pub(crate) const QUESTION: Duration = Duration::from_secs(30);
/// The longest that a server takes for a question.
const STATEMENT_MILLIS: u32 = 29_000;
/// How long the end of a statement may take to arrive.
const ENDING: Duration = Duration::from_secs(1);
/// The SQLSTATE of a statement that was ended by its server.
const ENDED: &str = "57014";

/// A connection for questions, apart from the writer's.
pub(crate) struct Reader {
    place: Place,
    session: Arc<Mutex<Option<Session>>>,
}

impl Reader {
    pub(crate) fn new(place: Place) -> Self {
        let session = Arc::default();
        Self { place, session }
    }

    /// The rows that answer a question. A statement that runs cannot be taken back: if its question is dropped, the next one waits until it has
    /// ended, so that the database never has more than one. A question that is dropped before its turn is never sent.
    pub(crate) async fn ask(&self, sql: &str, conditions: Where) -> Result<Vec<AnyRow>, LedgerError> {
        self.ask_until(sql, conditions, Instant::now() + QUESTION).await
    }

    /// The same for a question that fails at this instant.
    pub(crate) async fn ask_until(
        &self,
        sql: &str,
        conditions: Where,
        until: Instant,
    ) -> Result<Vec<AnyRow>, LedgerError> {
        let in_turn = async {
            let kept = Arc::clone(&self.session).lock_owned().await;
            let asking = tokio::spawn(answer(self.place.clone(), kept, sql.to_owned(), conditions, until));
            asking
                .await
                .unwrap_or_else(|_| Err(LedgerError::Query(sqlx::Error::WorkerCrashed)))
        };
        let answer = timeout_at(until, in_turn).await;
        answer.unwrap_or_else(|_| Err(self.place.slow(QUESTION)))
    }

    /// Leaves the file that it has open.
    pub(crate) async fn leave(&self) {
        if let Some(session) = self.session.lock().await.take() {
            drop(session.connection.close().await);
        }
    }
}

/// Has a question answered to its end, whether or not its rows are still needed.
async fn answer(
    place: Place,
    mut kept: OwnedMutexGuard<Option<Session>>,
    sql: String,
    conditions: Where,
    until: Instant,
) -> Result<Vec<AnyRow>, LedgerError> {
    let answering = answer_in(&place, &mut kept, &sql, conditions, until);
    if !place.is_shared() {
        // SQLite reads on to the next row, even if its connection is dropped.
        return answering.await;
    }
    // The next question waits until the server has ended this one.
    match timeout_at(until + ENDING, answering).await {
        Ok(Err(LedgerError::Query(cause))) if is_ended(&cause) => Err(place.slow(QUESTION)),
        Ok(answer) => answer,
        Err(_) => Err(place.slow(QUESTION)),
    }
}

async fn answer_in(
    place: &Place,
    kept: &mut Option<Session>,
    sql: &str,
    conditions: Where,
    until: Instant,
) -> Result<Vec<AnyRow>, LedgerError> {
    // Taken out: dropped with a question unanswered, or after an error, it is not used again.
    let mut session = match kept.take() {
        Some(session) if place.is_under(&session) => session,
        Some(session) => {
            drop(session.connection.close().await);
            place.connect(false).await?
        }
        None => place.connect(false).await?,
    };
    let question = conditions.bind(statement(sql));
    let rows = if place.is_shared() {
        // A pool gives the parts of a transaction to one session of the server.
        let mut transaction = session.connection.begin().await?;
        place.limit(&mut transaction, millis_left(until)).await?;
        let rows = question.fetch_all(&mut *transaction).await?;
        transaction.commit().await?;
        rows
    } else {
        question.fetch_all(&mut session.connection).await?
    };
    *kept = Some(session);
    Ok(rows)
}

/// After how many milliseconds a server ends a question by itself, so that none runs on there that has failed here: one that has waited for others has
/// the rest of its time. Zero would be no limit.
fn millis_left(until: Instant) -> u32 {
    let left = until.saturating_duration_since(Instant::now()).as_millis();
    u32::try_from(left).unwrap_or(u32::MAX).clamp(1, STATEMENT_MILLIS)
}

/// Whether the server has ended a statement that took too long.
fn is_ended(cause: &sqlx::Error) -> bool {
    let code = cause.as_database_error().and_then(sqlx::error::DatabaseError::code);
    code.as_deref() == Some(ENDED)
}

#[cfg(all(test, feature = "sqlite"))]
mod tests {
    use std::fs;

    use tokio::time::timeout;

    use super::*;

    #[tokio::test]
    async fn a_question_that_is_given_up_ends_before_the_next_one_is_sent() {
        let folder = std::env::temp_dir().join(format!("ledger-questions-{}", std::process::id()));
        fs::create_dir_all(&folder).unwrap();
        let file = folder.join("spend.sqlite");
        fs::File::create(&file).unwrap();
        let reader = Reader::new(Place::File(file));
        let long = "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 1000000) SELECT COUNT(*) AS counted FROM n";
        for _ in 0..3 {
            let given_up = timeout(Duration::from_millis(1), reader.ask(long, Where::default())).await;
            assert!(given_up.is_err(), "it takes longer");
        }
        assert!(reader.session.try_lock().is_err(), "the first statement still runs");
        let rows = reader.ask("SELECT 1 AS one", Where::default()).await.unwrap();
        assert_eq!(rows.len(), 1);
        assert!(reader.session.try_lock().unwrap().is_some(), "in the same session");
        drop(fs::remove_dir_all(folder));
    }
}
