//! Tables, and how an older ledger becomes a newer one.

use sqlx::{AnyConnection, Row};

use crate::{LedgerError, place::Place, statement::statement};

/// Each step from one version to the next. Steps are added, never changed.
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
];

/// The newest version that is known here.
pub(crate) const VERSION: i64 = STEPS.len() as i64;

/// A number that only this crate's migrations lock by, in databases that several processes open.
const LOCK: i64 = 0x6c6c_6d5f_6c65_6467;

/// Brings a database up to date.
pub(crate) async fn migrate(connection: &mut AnyConnection, place: &Place) -> Result<(), LedgerError> {
    let mut transaction = place.begin(connection).await.map_err(|cause| place.refused(cause))?;
    if place.is_shared() {
        // Two processes that start at once take turns; the lock ends with the transaction.
        statement("SELECT pg_advisory_xact_lock($1)")
            .bind(LOCK)
            .execute(&mut *transaction)
            .await?;
    }
    statement("CREATE TABLE IF NOT EXISTS ledger_schema (version BIGINT NOT NULL)")
        .execute(&mut *transaction)
        .await
        .map_err(|cause| place.refused(cause))?;
    let row = statement("SELECT COALESCE(MAX(version), 0) AS version FROM ledger_schema")
        .fetch_one(&mut *transaction)
        .await?;
    let version: i64 = row.try_get("version")?;
    if version > VERSION {
        return Err(LedgerError::Newer {
            place: place.to_string(),
            version,
            known: VERSION,
        });
    }
    let done = usize::try_from(version).unwrap_or(0);
    for step in STEPS.iter().skip(done).copied().flatten() {
        statement(step)
            .execute(&mut *transaction)
            .await
            .map_err(|cause| place.refused(cause))?;
    }
    if version < VERSION {
        statement("INSERT INTO ledger_schema (version) VALUES ($1)")
            .bind(VERSION)
            .execute(&mut *transaction)
            .await
            .map_err(|cause| place.refused(cause))?;
    }
    transaction.commit().await?;
    Ok(())
}
