//! Answers questions, one after another, each within its time.

use std::time::Duration;

use sqlx::{Connection, any::AnyRow};
use tokio::{sync::Mutex, time::timeout};

use crate::{
    LedgerError,
    filter::Where,
    place::{Place, Session},
    statement::statement,
};

/// How long a question may take, those before it included.
pub(crate) const QUESTION: Duration = Duration::from_secs(30);

/// A connection for questions, apart from the writer's.
pub(crate) struct Reader {
    place: Place,
    session: Mutex<Option<Session>>,
}

impl Reader {
    pub(crate) const fn new(place: Place) -> Self {
        let session = Mutex::const_new(None);
        Self { place, session }
    }

    /// The rows that answer a question.
    pub(crate) async fn ask(&self, sql: &str, conditions: Where) -> Result<Vec<AnyRow>, LedgerError> {
        let answer = timeout(QUESTION, self.ask_in_turn(sql, conditions)).await;
        answer.unwrap_or_else(|_| Err(self.place.slow(QUESTION)))
    }

    async fn ask_in_turn(&self, sql: &str, conditions: Where) -> Result<Vec<AnyRow>, LedgerError> {
        let mut kept = self.session.lock().await;
        // Taken out: dropped with a question unanswered, or after an error, it is not used again.
        let mut session = match kept.take() {
            Some(session) if self.place.is_under(&session) => session,
            Some(session) => {
                drop(session.connection.close().await);
                self.place.connect(false).await?
            }
            None => self.place.connect(false).await?,
        };
        let question = conditions.bind(statement(sql));
        let rows = if self.place.is_shared() {
            // A pool gives the parts of a transaction to one session of the server.
            let mut transaction = session.connection.begin().await?;
            let rows = question.fetch_all(&mut *transaction).await?;
            transaction.commit().await?;
            rows
        } else {
            question.fetch_all(&mut session.connection).await?
        };
        *kept = Some(session);
        Ok(rows)
    }

    /// Leaves the file that it has open.
    pub(crate) async fn leave(&self) {
        if let Some(session) = self.session.lock().await.take() {
            drop(session.connection.close().await);
        }
    }
}
