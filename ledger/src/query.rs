//! The questions that one asks of a ledger.

use sqlx::{Row, any::AnyRow};
use tower_llm_layers::{
    UsdAmount, UtcTime,
    ledger::{Entry, GroupBy, NONE, Spend, SpendRow},
};

use crate::{
    DatabaseLedger, LedgerError,
    filter::{Filter, Where},
    rows::{COLUMNS, read},
};

/// Entries that [`DatabaseLedger::page`] gives at most at once.
pub const PAGE: u32 = 1_000;

/// Entries that [`DatabaseLedger::awaiting_bill`] gives at most: the others wait for the next start.
pub const MOST_AWAITING: u32 = 20_000;

const HOUR: i64 = 3_600_000;
const DAY: i64 = 24 * HOUR;

/// What is summed up beside the tokens: the cost, what is estimated of it, what is lost, and how far estimates were off.
const AMOUNTS: [&str; 4] = [
    "COALESCE(e.bill, e.estimate, 0)",
    "CASE WHEN e.state IN ('estimated', 'unbilled') THEN COALESCE(e.bill, e.estimate, 0) ELSE 0 END",
    "CASE WHEN e.outcome <> 'answered' THEN COALESCE(e.bill, e.estimate, 0) ELSE 0 END",
    // Amounts that were cut lie at the ends of what a column holds: their difference would not.
    "CASE WHEN e.bill IS NULL OR e.estimate IS NULL THEN 0
        WHEN e.bill BETWEEN -4611686018427387903 AND 4611686018427387903
            AND e.estimate BETWEEN -4611686018427387903 AND 4611686018427387903 THEN ABS(e.bill - e.estimate)
        ELSE 4611686018427387903 END",
];

impl DatabaseLedger {
    /// What was spent, in groups; the largest sum first. Entries without a provider or the tag are in the group `(none)`, so that the groups add up to
    /// the [total](Self::total).
    ///
    /// Sees what has been written: the last entries take [`flush_every`](crate::LedgerOptions::flush_every) to get there.
    ///
    /// # Errors
    ///
    /// If the database does not answer.
    pub async fn spend(&self, by: &GroupBy, filter: &Filter) -> Result<Vec<SpendRow>, LedgerError> {
        let Some((sql, conditions)) = spend_question(by, filter) else {
            return Ok(Vec::new());
        };
        spend_rows(by, &self.ask(sql, conditions).await?)
    }

    /// What was spent in all.
    ///
    /// # Errors
    ///
    /// If the database does not answer.
    pub async fn total(&self, filter: &Filter) -> Result<Spend, LedgerError> {
        let (sql, conditions) = total_question(filter);
        let rows = self.ask(sql, conditions).await?;
        rows.first().map_or_else(|| Ok(Spend::default()), spend)
    }

    /// The last entries, the latest first.
    ///
    /// # Errors
    ///
    /// If the database does not answer.
    pub async fn recent(&self, filter: &Filter, most: u32) -> Result<Vec<Entry>, LedgerError> {
        let (sql, conditions) = self.recent_question(filter, most).await?;
        let rows = self.ask(sql, conditions).await?;
        Ok(self.readable(&rows))
    }

    /// Asks for the last entries. Those of a tag that few have are found by it, and sorted. Of a tag that many have, entries are read from the last one
    /// on until there are enough.
    async fn recent_question(&self, filter: &Filter, most: u32) -> Result<(String, Where), LedgerError> {
        let mut conditions = Where::default();
        if self.is_rare(filter).await? {
            filter.apply_by_tag(&mut conditions);
        } else {
            // With a bound SQLite walks along the index of ends, and without one it reads and sorts all entries.
            conditions.and("e.ended >= 0");
            filter.apply(&mut conditions);
        }
        let sql = entries_question(&conditions, &format!("ORDER BY e.ended DESC, e.id DESC LIMIT {most}"));
        Ok((sql, conditions))
    }

    /// Entries that still await their bill, no older than this, the latest first, up to [`MOST_AWAITING`]: for a reconciler after a restart.
    ///
    /// # Errors
    ///
    /// If the database does not answer.
    pub async fn awaiting_bill(&self, since: UtcTime) -> Result<Vec<Entry>, LedgerError> {
        let mut conditions = Where::default();
        Filter::new().from(since).apply(&mut conditions);
        conditions.and("e.state = 'estimated'");
        conditions.and("e.generation_id IS NOT NULL");
        let latest = format!("ORDER BY e.ended DESC, e.id DESC LIMIT {MOST_AWAITING}");
        let rows = self.ask(entries_question(&conditions, &latest), conditions).await?;
        Ok(self.readable(&rows))
    }

    /// The next entries in order of their end, up to [`PAGE`], after a given one; from the first on without one.
    ///
    /// # Errors
    ///
    /// If the database does not answer.
    pub async fn page(&self, filter: &Filter, after: Option<&Entry>) -> Result<Vec<Entry>, LedgerError> {
        let mut after = after.map(|entry| (entry.ended.millis(), entry.id.to_string()));
        loop {
            let mut conditions = Where::default();
            filter.apply(&mut conditions);
            if let Some((ended, id)) = after {
                let (ended, id) = (conditions.number(ended), conditions.text(&id));
                conditions.and(&format!("(e.ended, e.id) > ({ended}, {id})"));
            }
            let sql = entries_question(&conditions, &format!("ORDER BY e.ended, e.id LIMIT {PAGE}"));
            let rows = self.ask(sql, conditions).await?;
            let Some(last) = rows.last() else {
                return Ok(Vec::new());
            };
            let entries = self.readable(&rows);
            if !entries.is_empty() {
                return Ok(entries);
            }
            let ended: i64 = last.try_get("ended")?;
            after = Some((u64::try_from(ended).unwrap_or(0), last.try_get("id")?));
        }
    }

    /// The entries in rows. An invalid one does not hide the others: it is logged.
    pub(crate) fn readable(&self, rows: &[AnyRow]) -> Vec<Entry> {
        let mut entries = Vec::with_capacity(rows.len());
        let mut odd = rows.iter().map(read).filter_map(|entry| match entry {
            Ok(entry) => {
                entries.push(entry);
                None
            }
            Err(error) => Some(error),
        });
        if let Some(error) = odd.next() {
            let rows = 1 + odd.count();
            tracing::error!(target: "llm::ledger", place = %self.0.place, rows, %error, "rows of the ledger make no sense: they are left out");
        }
        entries
    }
}

/// Asks for entries in all their columns.
fn entries_question(conditions: &Where, rest: &str) -> String {
    let columns = COLUMNS.map(|column| format!("e.{column}")).join(", ");
    let (tables, conditions) = (conditions.tables(), conditions.sql());
    format!("SELECT {columns} FROM {tables} {conditions} {rest}")
}

/// Asks what was spent, in groups; `None` if there are no groups of this kind.
pub(crate) fn spend_question(by: &GroupBy, filter: &Filter) -> Option<(String, Where)> {
    let mut conditions = Where::default();
    let (group, join) = match by {
        GroupBy::Model => ("e.model".to_owned(), String::new()),
        GroupBy::ServedModel => ("COALESCE(e.served_model, e.model)".to_owned(), String::new()),
        GroupBy::Upstream => ("e.upstream".to_owned(), String::new()),
        GroupBy::Provider => (format!("COALESCE(e.provider, '{NONE}')"), String::new()),
        GroupBy::Hour => (format!("CAST(e.ended / {HOUR} AS TEXT)"), String::new()),
        GroupBy::Day => (format!("CAST(e.ended / {DAY} AS TEXT)"), String::new()),
        GroupBy::Tag(name) => {
            let name = conditions.text(name);
            let join = format!("LEFT JOIN entry_tags t ON t.entry_id = e.id AND t.name = {name}");
            (format!("COALESCE(t.value, '{NONE}')"), join)
        }
        _ => return None,
    };
    filter.apply_by_tag(&mut conditions);
    let sql = format!(
        "SELECT {group} AS grouped, {} FROM {} {join} {} GROUP BY 1",
        sums(),
        conditions.tables(),
        conditions.sql()
    );
    Some((sql, conditions))
}

/// The groups, the largest sum first.
pub(crate) fn spend_rows(by: &GroupBy, rows: &[AnyRow]) -> Result<Vec<SpendRow>, LedgerError> {
    let mut rows = rows
        .iter()
        .map(|row| {
            let group: String = row.try_get("grouped")?;
            Ok(SpendRow {
                group: name(by, group),
                spend: spend(row)?,
            })
        })
        .collect::<Result<Vec<_>, LedgerError>>()?;
    rows.sort_by(|one, other| (other.spend.cost, &one.group).cmp(&(one.spend.cost, &other.group)));
    Ok(rows)
}

/// Asks what was spent in all.
pub(crate) fn total_question(filter: &Filter) -> (String, Where) {
    let mut conditions = Where::default();
    filter.apply_by_tag(&mut conditions);
    let sql = format!("SELECT {} FROM {} {}", sums(), conditions.tables(), conditions.sql());
    (sql, conditions)
}

/// Counts of tokens that are summed up, by their upper and lower half.
const TOKENS: [&str; 3] = ["prompt_tokens", "cached_tokens", "answer_tokens"];

/// The unit at which a count of tokens is cut in two.
const TOKENS_CUT: i64 = 1 << 32;

/// The sums of all amounts and tokens.
fn sums() -> String {
    let mut columns = vec!["COUNT(*) AS attempts".to_owned()];
    for (index, amount) in AMOUNTS.iter().enumerate() {
        columns.push(amount_sum(amount, &format!("amount_{index}")));
    }
    for tokens in TOKENS {
        columns.push(format!(
            "CAST(COALESCE(SUM(e.{tokens} / {TOKENS_CUT}), 0) AS BIGINT) AS {tokens}_0"
        ));
        columns.push(format!(
            "CAST(COALESCE(SUM(e.{tokens} % {TOKENS_CUT}), 0) AS BIGINT) AS {tokens}_1"
        ));
    }
    columns.join(", ")
}

/// The sum of an amount, under this name, in parts that no number of rows makes too large, whatever their values: whole dollars, whole micro-dollars,
/// pico-dollars.
pub(crate) fn amount_sum(amount: &str, name: &str) -> String {
    let parts = [
        format!("({amount}) / 1000000000000"),
        format!("(({amount}) / 1000000) % 1000000"),
        format!("({amount}) % 1000000"),
    ];
    let sum = |(part, expression): (usize, &String)| {
        format!("CAST(COALESCE(SUM({expression}), 0) AS BIGINT) AS {name}_{part}")
    };
    parts.iter().enumerate().map(sum).collect::<Vec<_>>().join(", ")
}

/// The sum of the amount of this name.
pub(crate) fn read_amount(row: &AnyRow, name: &str) -> Result<UsdAmount, sqlx::Error> {
    let part = |part: usize| row.try_get::<i64, _>(&*format!("{name}_{part}")).map(i128::from);
    Ok(UsdAmount::from_pico(
        part(0)? * 1_000_000_000_000 + part(1)? * 1_000_000 + part(2)?,
    ))
}

pub(crate) fn spend(row: &AnyRow) -> Result<Spend, LedgerError> {
    let number = |column: &str| row.try_get::<i64, _>(column);
    let mut amounts = [UsdAmount::ZERO; 4];
    for (index, amount) in amounts.iter_mut().enumerate() {
        *amount = read_amount(row, &format!("amount_{index}"))?;
    }
    let mut counts = [0; 3];
    for (count, tokens) in counts.iter_mut().zip(TOKENS) {
        let part = |part: usize| number(&format!("{tokens}_{part}")).map(i128::from);
        let sum = part(0)? * i128::from(TOKENS_CUT) + part(1)?;
        *count = u64::try_from(sum.max(0)).unwrap_or(u64::MAX);
    }
    let attempts = u64::try_from(number("attempts")?).unwrap_or(0);
    Ok(Spend::from_sums(attempts, amounts, counts))
}

/// A group as it is shown: hours and days by their date.
fn name(by: &GroupBy, group: String) -> String {
    let unit = match by {
        GroupBy::Hour => HOUR,
        GroupBy::Day => DAY,
        _ => return group,
    };
    let Ok(count) = group.parse::<u64>() else { return group };
    let at = UtcTime::from_millis(count.saturating_mul(unit.unsigned_abs())).to_string();
    let length = if unit == HOUR { "2026-11-25T06" } else { "2026-11-25" }.len();
    at.get(..length).unwrap_or_default().to_owned()
}

#[cfg(test)]
#[cfg(feature = "sqlite")]
mod tests {
    use std::fs;

    use tower_llm_layers::{Tags, ledger::Ledger};

    use super::*;
    use crate::{LedgerOptions, ledger::Opened, writer::tests::entry};

    /// The first step of the plan for a question.
    async fn plan(opened: &Opened, sql: &str, conditions: Where) -> String {
        let plan = format!("EXPLAIN QUERY PLAN {sql}");
        let plan = opened.reader.ask(&plan, conditions).await.unwrap();
        plan.first().unwrap().try_get("detail").unwrap()
    }

    /// Those of a frequent tag are not all read and sorted.
    #[tokio::test]
    async fn the_last_entries_of_a_tag_are_found_by_their_end_if_there_are_many() {
        let folder = std::env::temp_dir().join(format!("ledger-recent-{}", std::process::id()));
        fs::create_dir_all(&folder).unwrap();
        let ledger = LedgerOptions::sqlite(folder.join("spend.sqlite")).open().await.unwrap();
        // More than one question adds up, and fewer.
        for number in 0..154_u64 {
            let mut entry = entry();
            entry.ended = UtcTime::from_millis(number);
            entry.tags = Tags::new([("key", if number < 4 { "few" } else { "many" })]).unwrap();
            ledger.record(&entry);
        }
        assert_eq!(ledger.close().await.written, 154);
        for (key, index, last) in [
            ("few", "entry_tags_value", [3, 2]),
            ("many", "entries_ended", [153, 152]),
        ] {
            let filter = Filter::new().tag("key", key);
            for filter in [filter.clone().from(UtcTime::from_millis(0)), filter] {
                let (sql, conditions) = ledger.recent_question(&filter, 2).await.unwrap();
                let first = plan(&ledger.0.opened, &sql, conditions).await;
                assert!(first.contains(index), "{first}: {sql}");
                let recent = ledger.recent(&filter, 2).await.unwrap();
                let ended: Vec<_> = recent.iter().map(|entry| entry.ended.millis()).collect();
                assert_eq!(ended, last, "{key}");
            }
        }
        drop(fs::remove_dir_all(folder));
    }

    #[tokio::test]
    async fn the_entries_of_a_tag_are_found_by_its_index() {
        let folder = std::env::temp_dir().join(format!("ledger-plan-{}", std::process::id()));
        fs::create_dir_all(&folder).unwrap();
        let options = LedgerOptions::sqlite(folder.join("spend.sqlite"));
        let (opened, _writer) = options.prepare().await.unwrap();
        let all = Filter::new().tag("key", "a").tag("team", "b");
        for filter in [all.clone().from(UtcTime::from_millis(1)), all] {
            let by_team = spend_question(&GroupBy::Tag("team".into()), &filter).unwrap();
            for (sql, conditions) in [total_question(&filter), by_team] {
                let first = plan(&opened, &sql, conditions).await;
                assert!(first.contains("entry_tags_value"), "{first}: {sql}");
            }
        }
        drop(fs::remove_dir_all(folder));
    }
}
