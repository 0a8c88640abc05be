//! Entries as rows, and back.

use sqlx::{AnyConnection, Row, any::AnyRow};
use std::time::Duration;
use tower_llm_layers::{
    Tags, TokenUsage, UsdAmount, UtcTime,
    ledger::{Correction, Entry},
};

use crate::{
    LedgerError,
    statement::{Statement, kept_statement, parts, statement},
};

/// The columns of an entry, in their order.
pub(crate) const COLUMNS: [&str; 31] = [
    "id",
    "call_id",
    "attempt",
    "began",
    "ended",
    "upstream",
    "model",
    "tags",
    "state",
    "outcome",
    "streamed",
    "reserved",
    "estimate",
    "bill",
    "recorded",
    "prompt_tokens",
    "cached_tokens",
    "cache_written_tokens",
    "audio_tokens",
    "answer_tokens",
    "answer_audio_tokens",
    "reasoning_tokens",
    "searches",
    "charged",
    "charged_upstream",
    "generation_id",
    "first_token_ms",
    "clamped_to",
    "provider",
    "served_model",
    "cache_written_1h_tokens",
];

/// Parameters that one statement may have: SQLite takes 32 766, PostgreSQL twice as many.
const MOST_PARAMETERS: usize = 32_000;

/// Entries that one statement may write.
pub(crate) const MOST_ROWS: usize = MOST_PARAMETERS / COLUMNS.len();

/// `($1, $2), ($3, $4)`: so many rows of so many values. SQLite looks each name up among all others, so there they have none.
fn placeholders(rows: usize, columns: usize, named: bool) -> String {
    let mut text = String::with_capacity(rows * columns * 7);
    for row in 0..rows {
        text.push_str(if row == 0 { "(" } else { ", (" });
        for column in 0..columns {
            let comma = if column == 0 { "" } else { ", " };
            text.push_str(comma);
            if named {
                text.push_str(&format!("${}", row * columns + column + 1));
            } else {
                text.push('?');
            }
        }
        text.push(')');
    }
    text
}

/// Writes entries with their tags. What is there already stays unchanged: a batch may be written twice.
pub(crate) async fn insert(
    connection: &mut AnyConnection,
    entries: &[&Entry],
    is_shared: bool,
) -> Result<(), sqlx::Error> {
    for entries in parts(entries, MOST_ROWS, is_shared) {
        let sql = format!(
            "INSERT INTO entries ({}) VALUES {} ON CONFLICT (id) DO NOTHING",
            COLUMNS.join(", "),
            placeholders(entries.len(), COLUMNS.len(), is_shared)
        );
        let filled = entries
            .iter()
            .fold(kept_statement(&sql, is_shared), |filled, entry| bind(filled, entry));
        filled.execute(&mut *connection).await?;
    }
    let tags: Vec<_> = entries
        .iter()
        .flat_map(|entry| {
            entry
                .tags
                .iter()
                .map(|(name, value)| (entry.id.to_string(), name, value))
        })
        .collect();
    for tags in parts(&tags, MOST_PARAMETERS / 3, is_shared) {
        let sql = format!(
            "INSERT INTO entry_tags (entry_id, name, value) VALUES {} ON CONFLICT (entry_id, name) DO NOTHING",
            placeholders(tags.len(), 3, is_shared)
        );
        let filled = tags
            .iter()
            .fold(kept_statement(&sql, is_shared), |filled, (id, name, value)| {
                filled.bind(id.clone()).bind(*name).bind(*value)
            });
        filled.execute(&mut *connection).await?;
    }
    Ok(())
}

fn bind<'q>(filled: Statement<'q>, entry: &'q Entry) -> Statement<'q> {
    let usage = &entry.usage;
    let tags: serde_json::Map<_, _> = entry
        .tags
        .iter()
        .map(|(name, value)| (name.to_owned(), value.into()))
        .collect();
    filled
        .bind(entry.id.to_string())
        .bind(entry.call.to_string())
        .bind(i64::from(entry.attempt))
        .bind(whole(entry.began.millis()))
        .bind(whole(entry.ended.millis()))
        .bind(&*entry.upstream)
        .bind(&*entry.model)
        .bind(serde_json::Value::Object(tags).to_string())
        .bind(entry.state.as_str())
        .bind(entry.outcome.as_str())
        .bind(i64::from(entry.streamed))
        .bind(money(entry.reserved))
        .bind(entry.estimate.map(money))
        .bind(entry.bill.map(money))
        .bind(money(entry.recorded))
        .bind(whole(usage.prompt))
        .bind(whole(usage.cached))
        .bind(whole(usage.cache_written))
        .bind(whole(usage.audio))
        .bind(whole(usage.answer))
        .bind(whole(usage.answer_audio))
        .bind(whole(usage.reasoning))
        .bind(whole(usage.searches))
        .bind(usage.charged.map(money))
        .bind(usage.charged_upstream.map(money))
        .bind(entry.generation_id.as_deref())
        .bind(
            entry
                .first_token
                .map(|time| i64::try_from(time.as_millis()).unwrap_or(i64::MAX)),
        )
        .bind(entry.clamped_to.map(whole))
        .bind(entry.provider.as_deref())
        .bind(entry.served_model.as_deref())
        .bind(whole(usage.cache_written_1h))
}

/// Puts a bill in the place of an estimate. Says whether its entry was there. What leaves the bill to a later run may come after that run's bill,
/// and changes nothing then.
pub(crate) async fn correct(connection: &mut AnyConnection, correction: &Correction) -> Result<bool, sqlx::Error> {
    let (bill, recorded) = (correction.bill.map(money), money(correction.recorded));
    let id = correction.id.to_string();
    let state = correction.state().as_str();
    let done = match &correction.usage {
        None => {
            let still = if correction.awaits_bill {
                " AND state = 'estimated'"
            } else {
                ""
            };
            let sql = format!("UPDATE entries SET bill = $1, recorded = $4, state = $2 WHERE id = $3{still}");
            statement(&sql)
                .bind(bill)
                .bind(state)
                .bind(id)
                .bind(recorded)
                .execute(connection)
                .await?
        }
        Some(usage) => {
            statement(
                "UPDATE entries SET bill = $1, recorded = $14, state = $2, prompt_tokens = $4, cached_tokens = $5, cache_written_tokens = $6,
                 audio_tokens = $7, answer_tokens = $8, reasoning_tokens = $9, searches = $10, charged = $11, charged_upstream = $12, answer_audio_tokens = $13,
                 cache_written_1h_tokens = $15
                 WHERE id = $3",
            )
            .bind(bill)
            .bind(state)
            .bind(id)
            .bind(whole(usage.prompt))
            .bind(whole(usage.cached))
            .bind(whole(usage.cache_written))
            .bind(whole(usage.audio))
            .bind(whole(usage.answer))
            .bind(whole(usage.reasoning))
            .bind(whole(usage.searches))
            .bind(usage.charged.map(money))
            .bind(usage.charged_upstream.map(money))
            .bind(whole(usage.answer_audio))
            .bind(recorded)
            .bind(whole(usage.cache_written_1h))
            .execute(connection)
            .await?
        }
    };
    Ok(correction.awaits_bill || done.rows_affected() > 0)
}

/// A count as databases hold it; what is larger is as good as the largest.
fn whole(count: u64) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}

/// Pico-dollars as databases hold them: up to nine million dollars an attempt.
fn money(amount: UsdAmount) -> i64 {
    i64::try_from(amount.pico()).unwrap_or_else(|_| {
        tracing::error!(target: "llm::ledger", %amount, "an amount is too large for a row: it is cut");
        if amount.is_negative() { i64::MIN } else { i64::MAX }
    })
}

pub(crate) fn read(row: &AnyRow) -> Result<Entry, LedgerError> {
    let text = |column: &'static str| row.try_get::<String, _>(column);
    let number = |column: &'static str| row.try_get::<i64, _>(column).map(count);
    let amount = |column: &'static str| {
        let written = row.try_get::<Option<i64>, _>(column)?;
        Ok::<_, sqlx::Error>(written.map(|pico| UsdAmount::from_pico(i128::from(pico))))
    };
    let maybe = |column: &'static str| Ok::<_, sqlx::Error>(row.try_get::<Option<i64>, _>(column)?.map(count));
    let odd = |column| move |_| LedgerError::Row { column };
    let tags: std::collections::BTreeMap<String, String> =
        serde_json::from_str(&text("tags")?).map_err(|_| LedgerError::Row { column: "tags" })?;
    let mut usage = TokenUsage::default();
    usage.prompt = number("prompt_tokens")?;
    usage.cached = number("cached_tokens")?;
    usage.cache_written = number("cache_written_tokens")?;
    usage.cache_written_1h = number("cache_written_1h_tokens")?;
    usage.audio = number("audio_tokens")?;
    usage.answer = number("answer_tokens")?;
    usage.answer_audio = number("answer_audio_tokens")?;
    usage.reasoning = number("reasoning_tokens")?;
    usage.searches = number("searches")?;
    usage.charged = amount("charged")?;
    usage.charged_upstream = amount("charged_upstream")?;
    Ok(Entry {
        id: text("id")?.parse().map_err(odd("id"))?,
        call: text("call_id")?.parse().map_err(odd("call_id"))?,
        attempt: u32::try_from(number("attempt")?).unwrap_or(u32::MAX),
        began: UtcTime::from_millis(number("began")?),
        ended: UtcTime::from_millis(number("ended")?),
        upstream: text("upstream")?.into(),
        model: text("model")?.into(),
        tags: Tags::new(tags).map_err(|_| LedgerError::Row { column: "tags" })?,
        state: text("state")?
            .parse()
            .map_err(|_| LedgerError::Row { column: "state" })?,
        outcome: text("outcome")?
            .parse()
            .map_err(|_| LedgerError::Row { column: "outcome" })?,
        streamed: number("streamed")? != 0,
        reserved: amount("reserved")?.unwrap_or_default(),
        estimate: amount("estimate")?,
        bill: amount("bill")?,
        recorded: amount("recorded")?.unwrap_or_default(),
        usage,
        generation_id: row.try_get::<Option<String>, _>("generation_id")?.map(Into::into),
        first_token: maybe("first_token_ms")?.map(Duration::from_millis),
        clamped_to: maybe("clamped_to")?,
        affordable_tokens: None,
        provider: row.try_get::<Option<String>, _>("provider")?.map(Into::into),
        served_model: row.try_get::<Option<String>, _>("served_model")?.map(Into::into),
    })
}

/// A count out of a row; nothing here is below zero.
fn count(written: i64) -> u64 {
    u64::try_from(written).unwrap_or(0)
}
