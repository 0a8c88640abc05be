//! Entries as CSV and as JSON lines.

use std::{collections::BTreeMap, io::Write};

use serde::Serialize;
use tower_llm_layers::{UsdAmount, ledger::Entry};

use crate::{DatabaseLedger, Filter, LedgerError};

/// An entry as it is exported: amounts as decimal numbers of dollars, times in ISO 8601.
#[derive(Serialize)]
struct Line<T> {
    id: String,
    call: String,
    attempt: u32,
    began: String,
    ended: String,
    upstream: String,
    provider: Option<String>,
    model: String,
    served_model: Option<String>,
    tags: T,
    state: &'static str,
    outcome: &'static str,
    streamed: bool,
    cost: String,
    bill: Option<String>,
    estimate: Option<String>,
    reserved: String,
    recorded: String,
    prompt_tokens: u64,
    cached_tokens: u64,
    cache_written_tokens: u64,
    cache_written_1h_tokens: u64,
    audio_tokens: u64,
    answer_tokens: u64,
    answer_audio_tokens: u64,
    reasoning_tokens: u64,
    searches: u64,
    generation_id: Option<String>,
    first_token_ms: Option<u64>,
    clamped_to: Option<u64>,
}

impl<T> Line<T> {
    fn new(entry: &Entry, tags: T, text: impl Fn(&str) -> String) -> Self {
        let usage = &entry.usage;
        Self {
            id: entry.id.to_string(),
            call: entry.call.to_string(),
            attempt: entry.attempt,
            began: entry.began.to_string(),
            ended: entry.ended.to_string(),
            upstream: text(&entry.upstream),
            provider: entry.provider.as_deref().map(&text),
            model: text(&entry.model),
            served_model: entry.served_model.as_deref().map(&text),
            tags,
            state: entry.state.as_str(),
            outcome: entry.outcome.as_str(),
            streamed: entry.streamed,
            cost: entry.cost().decimal(),
            bill: entry.bill.map(UsdAmount::decimal),
            estimate: entry.estimate.map(UsdAmount::decimal),
            reserved: entry.reserved.decimal(),
            recorded: entry.recorded.decimal(),
            prompt_tokens: usage.prompt,
            cached_tokens: usage.cached,
            cache_written_tokens: usage.cache_written,
            cache_written_1h_tokens: usage.cache_written_1h,
            audio_tokens: usage.audio,
            answer_tokens: usage.answer,
            answer_audio_tokens: usage.answer_audio,
            reasoning_tokens: usage.reasoning,
            searches: usage.searches,
            generation_id: entry.generation_id.as_deref().map(&text),
            first_token_ms: entry
                .first_token
                .map(|time| u64::try_from(time.as_millis()).unwrap_or(u64::MAX)),
            clamped_to: entry.clamped_to,
        }
    }
}

/// A text that no spreadsheet takes for a formula.
fn harmless(text: &str) -> String {
    if text.starts_with(['=', '+', '-', '@', '\t', '\r']) {
        format!("'{text}")
    } else {
        text.to_owned()
    }
}

/// Writes entries as CSV, with a line of names first. A text that a spreadsheet would take for a formula gets a `'` before it.
///
/// # Errors
///
/// If the writer fails.
pub fn write_csv<'a>(
    entries: impl IntoIterator<Item = &'a Entry>,
    writer: impl Write,
    head: bool,
) -> Result<(), LedgerError> {
    let mut csv = csv::WriterBuilder::new().has_headers(head).from_writer(writer);
    for entry in entries {
        let line = Line::new(entry, harmless(&entry.tags.to_string()), harmless);
        csv.serialize(line).map_err(|error| LedgerError::Export(error.into()))?;
    }
    csv.flush().map_err(LedgerError::Export)
}

/// Writes entries as JSON, one on each line.
///
/// # Errors
///
/// If the writer fails.
pub fn write_json_lines<'a>(
    entries: impl IntoIterator<Item = &'a Entry>,
    mut writer: impl Write,
) -> Result<(), LedgerError> {
    for entry in entries {
        let tags: BTreeMap<_, _> = entry.tags.iter().collect();
        let line = Line::new(entry, tags, str::to_owned);
        serde_json::to_writer(&mut writer, &line).map_err(|error| LedgerError::Export(error.into()))?;
        writer.write_all(b"\n").map_err(LedgerError::Export)?;
    }
    writer.flush().map_err(LedgerError::Export)
}

impl DatabaseLedger {
    /// Writes all entries that are meant as CSV, in order of their end, a page at a time. Says how many.
    ///
    /// # Errors
    ///
    /// If the database does not answer, or the writer fails.
    pub async fn export_csv(&self, filter: &Filter, mut writer: impl Write) -> Result<u64, LedgerError> {
        let mut count = 0;
        let mut last: Option<Entry> = None;
        loop {
            let mut page = self.page(filter, last.as_ref()).await?;
            write_csv(&page, &mut writer, count == 0)?;
            count += page.len() as u64;
            last = page.pop();
            if last.is_none() {
                return Ok(count);
            }
        }
    }

    /// Writes all entries that are meant as JSON lines, in order of their end, a page at a time. Says how many.
    ///
    /// # Errors
    ///
    /// If the database does not answer, or the writer fails.
    pub async fn export_json_lines(&self, filter: &Filter, mut writer: impl Write) -> Result<u64, LedgerError> {
        let mut count = 0;
        let mut last: Option<Entry> = None;
        loop {
            let mut page = self.page(filter, last.as_ref()).await?;
            write_json_lines(&page, &mut writer)?;
            count += page.len() as u64;
            last = page.pop();
            if last.is_none() {
                return Ok(count);
            }
        }
    }
}
