//! Runs of a process in the table `ledger_runs`: begun, noted, ended, and those that were killed.

use std::time::Duration;

use sqlx::{AnyConnection, Row};
use tower_llm_layers::UtcTime;

use crate::{
    LedgerError,
    place::Place,
    queue::Counts,
    statement::{kept_statement, statement},
};

/// After this long without a word, a run in a shared database is taken for dead.
pub(crate) const SILENCE: Duration = Duration::from_secs(60);

/// The time of a server in milliseconds: its clients may have others.
const SERVER_TIME: &str = "CAST(EXTRACT(EPOCH FROM clock_timestamp()) * 1000 AS BIGINT)";

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

fn millis(at: UtcTime) -> i64 {
    i64::try_from(at.millis()).unwrap_or(i64::MAX)
}

/// Writes down that a run is under way, if that is not known there yet.
pub(crate) async fn begin(
    connection: &mut AnyConnection,
    run: &str,
    now: UtcTime,
    is_shared: bool,
) -> Result<(), sqlx::Error> {
    let time = if is_shared { SERVER_TIME } else { "$2" };
    let sql = format!(
        "INSERT INTO ledger_runs (id, started, last_written, accepted, written, lost) VALUES ($1, $2, {time}, 0, 0, 0)
         ON CONFLICT (id) DO NOTHING"
    );
    statement(&sql)
        .bind(run.to_owned())
        .bind(millis(now))
        .execute(connection)
        .await
        .map(drop)
}

/// Writes down how far a run has come. `settled` are the items that need not be written any more.
pub(crate) async fn note(
    connection: &mut AnyConnection,
    run: &str,
    counts: Counts,
    settled: u64,
    (is_stopped, is_shared): (bool, bool),
) -> Result<(), sqlx::Error> {
    let now = millis(UtcTime::now());
    let number = |count: u64| i64::try_from(count).unwrap_or(i64::MAX);
    let time = if is_shared { SERVER_TIME } else { "$6" };
    let sql = format!(
        "UPDATE ledger_runs SET last_written = {time}, accepted = $1, written = $2, lost = $3, stopped = $4 WHERE id = $5"
    );
    let noting = kept_statement(&sql, is_shared)
        .bind(number(counts.accepted))
        .bind(number(settled))
        .bind(number(counts.lost))
        .bind(is_stopped.then_some(now))
        .bind(run.to_owned());
    let noting = if is_shared { noting } else { noting.bind(now) };
    noting.execute(connection).await.map(drop)
}

/// Closes the other runs that ended without a word, and counts what they lost. On a server, those that were not noted for a while by its clock.
pub(crate) async fn bury(
    connection: &mut AnyConnection,
    place: &Place,
    left: Option<u64>,
    run: &str,
    now: UtcTime,
) -> Result<LostBefore, LedgerError> {
    let alive_since = if place.is_shared() {
        format!("{SERVER_TIME} - {}", SILENCE.as_millis())
    } else {
        millis(now).to_string()
    };
    let sql = format!(
        "SELECT id, accepted, written FROM ledger_runs
         WHERE stopped IS NULL AND last_written <= {alive_since} AND id <> $1 ORDER BY started DESC"
    );
    let rows = statement(&sql).bind(run.to_owned()).fetch_all(&mut *connection).await?;
    let close = format!(
        "UPDATE ledger_runs SET stopped = $1, lost = lost + $2 WHERE id = $3 AND stopped IS NULL AND last_written <= {alive_since}"
    );
    let mut before = LostBefore::default();
    for (index, row) in rows.iter().enumerate() {
        let (id, noted): (String, i64) = (row.try_get("id")?, row.try_get("accepted")?);
        let written: i64 = row.try_get("written")?;
        // What was counted beside the file belongs to the last run.
        let counted = left.filter(|_| index == 0).and_then(|left| i64::try_from(left).ok());
        let lost = noted.max(counted.unwrap_or(0)).saturating_sub(written).max(0);
        let closed = statement(&close)
            .bind(millis(now))
            .bind(lost)
            .bind(id)
            .execute(&mut *connection)
            .await
            .map_err(|cause| place.refused(cause))?;
        // Another process may have closed and counted it meanwhile, or it lives and was noted again.
        if closed.rows_affected() > 0 {
            before.runs += 1;
            before.items += u64::try_from(lost).unwrap_or(0);
        }
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
