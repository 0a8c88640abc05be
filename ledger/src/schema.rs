//! Tables, and how an older ledger becomes a newer one.

use std::time::Duration;

use sqlx::{AnyConnection, Row};
use tokio::time::sleep;

use crate::{LedgerError, place::Place, statement::statement};

/// Each step from one version to the next. Steps are added, never changed. One that only adds (tables, and columns that have a default or may be empty)
/// leaves [`WRITABLE_FROM`] as it is: while processes are replaced one after another, the older ones write the newer tables.
const STEPS: &[&[&str]] = &[
    &[
        "CREATE TABLE entries (
        id TEXT PRIMARY KEY,
        call_id TEXT NOT NULL,
        attempt BIGINT NOT NULL,
        began BIGINT NOT NULL,
        ended BIGINT NOT NULL,
        upstream TEXT NOT NULL,
        model TEXT NOT NULL,
        tags TEXT NOT NULL,
        state TEXT NOT NULL,
        outcome TEXT NOT NULL,
        streamed BIGINT NOT NULL,
        reserved BIGINT NOT NULL,
        estimate BIGINT,
        bill BIGINT,
        booked BIGINT NOT NULL,
        prompt_tokens BIGINT NOT NULL,
        cached_tokens BIGINT NOT NULL,
        cache_written_tokens BIGINT NOT NULL,
        audio_tokens BIGINT NOT NULL,
        answer_tokens BIGINT NOT NULL,
        answer_audio_tokens BIGINT NOT NULL,
        reasoning_tokens BIGINT NOT NULL,
        searches BIGINT NOT NULL,
        charged BIGINT,
        charged_upstream BIGINT,
        generation_id TEXT,
        first_token_ms BIGINT,
        clamped_to BIGINT
    )",
        "CREATE INDEX entries_ended ON entries (ended)",
        "CREATE INDEX entries_awaiting ON entries (ended) WHERE state = 'estimated'",
        "CREATE TABLE entry_tags (
        entry_id TEXT NOT NULL,
        name TEXT NOT NULL,
        value TEXT NOT NULL,
        PRIMARY KEY (entry_id, name)
    )",
        "CREATE INDEX entry_tags_value ON entry_tags (name, value)",
        "CREATE TABLE ledger_runs (
        id TEXT PRIMARY KEY,
        started BIGINT NOT NULL,
        last_written BIGINT NOT NULL,
        accepted BIGINT NOT NULL,
        written BIGINT NOT NULL,
        lost BIGINT NOT NULL,
        stopped BIGINT
    )",
    ],
    &["ALTER TABLE entries ADD COLUMN provider TEXT"],
    &[
        "ALTER TABLE entries ADD COLUMN served_model TEXT",
        "ALTER TABLE entries ADD COLUMN cache_written_1h_tokens BIGINT NOT NULL DEFAULT 0",
    ],
    &["CREATE TABLE forgotten (
        id TEXT PRIMARY KEY,
        upstream TEXT NOT NULL,
        model TEXT NOT NULL,
        served_model TEXT NOT NULL,
        tags TEXT NOT NULL,
        entries BIGINT NOT NULL,
        dollars BIGINT NOT NULL,
        pico BIGINT NOT NULL
    )"],
    // Until when a process asks for the bill of an entry that another one has left.
    &["ALTER TABLE entries ADD COLUMN bill_claimed BIGINT"],
    &["ALTER TABLE entries RENAME COLUMN booked TO recorded"],
    // The oldest version that may still write these tables.
    &["ALTER TABLE ledger_schema ADD COLUMN writable_from BIGINT"],
];

/// The newest version that is known here.
pub(crate) const VERSION: i64 = STEPS.len() as i64;

/// The oldest version whose statements the tables of this one take. A step that renames or drops sets it to its own version.
const WRITABLE_FROM: i64 = 6;

/// A number that only this crate's migrations lock by, in databases that several processes open.
const LOCK: i64 = 0x6c6c_6d5f_6c65_6467;

/// The longest that a step waits for a lock, in milliseconds: whatever else needs the table waits behind it.
const LOCK_MILLIS: u32 = 2_000;
/// How long others then have the tables to themselves.
const AGAIN: Duration = Duration::from_millis(500);
/// After this long a server ends a step by itself.
const STEP_MILLIS: u32 = 29_000;
/// The SQLSTATE of a lock that was not free in time.
const NOT_FREE: &str = "55P03";

/// Brings a database up to date. If its tables are locked by others, again and again: the caller limits how long.
pub(crate) async fn migrate(connection: &mut AnyConnection, place: &Place) -> Result<(), LedgerError> {
    while !is_current(connection, place).await? {
        match take_steps(connection, place).await {
            Err(error) if is_locked(&error) => {
                tracing::warn!(target: "llm::ledger", %place, "the tables of the ledger are locked: they are brought up to date later");
                sleep(AGAIN).await;
            }
            done => return done,
        }
    }
    Ok(())
}

/// Whether a database needs no step. It waits for no lock that a writer may hold.
async fn is_current(connection: &mut AnyConnection, place: &Place) -> Result<bool, LedgerError> {
    let tables = if place.is_shared() {
        "SELECT COUNT(*) AS found FROM pg_class WHERE oid = to_regclass('ledger_schema')"
    } else {
        "SELECT COUNT(*) AS found FROM sqlite_master WHERE type = 'table' AND name = 'ledger_schema'"
    };
    let row = statement(tables)
        .fetch_one(&mut *connection)
        .await
        .map_err(|cause| place.refused(cause))?;
    let found: i64 = row.try_get("found")?;
    Ok(found > 0 && version(connection, place).await? >= VERSION)
}

/// The version of a database that this version can write.
async fn version(connection: &mut AnyConnection, place: &Place) -> Result<i64, LedgerError> {
    let row = statement("SELECT COALESCE(MAX(version), 0) AS version FROM ledger_schema")
        .fetch_one(&mut *connection)
        .await?;
    let version: i64 = row.try_get("version")?;
    if version > VERSION {
        // A later version has this column.
        let row = statement("SELECT MAX(writable_from) AS writable_from FROM ledger_schema WHERE version = $1")
            .bind(version)
            .fetch_one(&mut *connection)
            .await?;
        let from: Option<i64> = row.try_get("writable_from")?;
        if from.is_none_or(|from| from > VERSION) {
            return Err(LedgerError::Newer {
                place: place.to_string(),
                version,
                known: VERSION,
            });
        }
    }
    Ok(version)
}

/// Takes all steps, or none.
async fn take_steps(connection: &mut AnyConnection, place: &Place) -> Result<(), LedgerError> {
    let mut transaction = place.begin(connection).await.map_err(|cause| place.refused(cause))?;
    match steps(&mut transaction, place).await {
        Ok(()) => Ok(transaction.commit().await?),
        Err(error) => {
            drop(transaction.rollback().await);
            Err(error)
        }
    }
}

async fn steps(connection: &mut AnyConnection, place: &Place) -> Result<(), LedgerError> {
    if place.is_shared() {
        place.limit(connection, STEP_MILLIS).await?;
        statement(&format!("SET LOCAL lock_timeout = {LOCK_MILLIS}"))
            .execute(&mut *connection)
            .await?;
        // Two processes that start at once take turns; the lock ends with the transaction.
        statement("SELECT pg_advisory_xact_lock($1)")
            .bind(LOCK)
            .execute(&mut *connection)
            .await?;
    }
    statement("CREATE TABLE IF NOT EXISTS ledger_schema (version BIGINT NOT NULL)")
        .execute(&mut *connection)
        .await
        .map_err(|cause| place.refused(cause))?;
    let version = version(connection, place).await?;
    let done = usize::try_from(version).unwrap_or(0);
    for step in STEPS.iter().skip(done).copied().flatten() {
        statement(step)
            .execute(&mut *connection)
            .await
            .map_err(|cause| place.refused(cause))?;
    }
    if version < VERSION {
        statement("INSERT INTO ledger_schema (version, writable_from) VALUES ($1, $2)")
            .bind(VERSION)
            .bind(WRITABLE_FROM)
            .execute(&mut *connection)
            .await
            .map_err(|cause| place.refused(cause))?;
    }
    Ok(())
}

/// Whether a lock was not free in time.
fn is_locked(error: &LedgerError) -> bool {
    let (LedgerError::Open { cause, .. } | LedgerError::Query(cause)) = error else {
        return false;
    };
    let code = cause.as_database_error().and_then(sqlx::error::DatabaseError::code);
    code.as_deref() == Some(NOT_FREE)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn steps_that_an_older_version_writes_after_only_add() {
        let from = usize::try_from(WRITABLE_FROM).unwrap();
        for step in STEPS.iter().skip(from).copied().flatten() {
            let adds = step.starts_with("CREATE ") || step.contains(" ADD COLUMN ");
            let is_demanding = step.contains(" ADD COLUMN ") && step.contains("NOT NULL") && !step.contains("DEFAULT");
            assert!(adds && !is_demanding, "{step}");
        }
    }
}
