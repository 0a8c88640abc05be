//! A ledger that is only read, such as by a report while another process writes it.

use std::fmt;

use tower_llm_layers::ledger::{GroupBy, Spend, SpendRow};

use crate::{
    LedgerError,
    filter::{Filter, Where},
    place::Place,
    query::{spend, spend_question, spend_rows, total_question},
    reader::Reader,
};

/// A ledger that is only read. It takes no lock, so that another process may write at the same time.
///
/// # Cancellation
///
/// A question that is dropped is not asked any more.
pub struct LedgerReader {
    reader: Reader,
    place: Place,
}

impl LedgerReader {
    pub(crate) fn new(place: Place) -> Self {
        Self {
            reader: Reader::new(place.clone()),
            place,
        }
    }

    /// Whether there are entries to read.
    pub(crate) async fn check(&self) -> Result<(), LedgerError> {
        let sql = "SELECT COUNT(recorded) AS entries FROM entries WHERE ended < 0";
        self.reader.ask(sql, Where::default()).await.map(drop)
    }

    /// What was spent, in groups; the largest sum first. Entries without a provider or the tag are in the group `(none)`.
    ///
    /// # Errors
    ///
    /// If the database does not answer.
    pub async fn spend(&self, by: &GroupBy, filter: &Filter) -> Result<Vec<SpendRow>, LedgerError> {
        let Some((sql, conditions)) = spend_question(by, filter) else {
            return Ok(Vec::new());
        };
        spend_rows(by, &self.reader.ask(&sql, conditions).await?)
    }

    /// What was spent in all.
    ///
    /// # Errors
    ///
    /// If the database does not answer.
    pub async fn total(&self, filter: &Filter) -> Result<Spend, LedgerError> {
        let (sql, conditions) = total_question(filter);
        let rows = self.reader.ask(&sql, conditions).await?;
        rows.first().map_or_else(|| Ok(Spend::default()), spend)
    }
}

impl fmt::Debug for LedgerReader {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LedgerReader")
            .field("place", &self.place)
            .finish_non_exhaustive()
    }
}
