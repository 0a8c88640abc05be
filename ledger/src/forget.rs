//! Forgets old entries, and keeps what they spent in sums: so a ledger does not grow without end, and budgets without a window lose nothing.

use std::collections::{BTreeMap, HashMap};

use sqlx::{AnyConnection, Connection, Row, any::AnyRow};
use tokio::time::timeout;
use tower_llm_layers::{UsdAmount, UtcTime, ledger::Entry};

use crate::{
    DatabaseLedger, Filter, LedgerError,
    filter::Where,
    place::Place,
    statement::statement,
    sums::Group,
    writer::{STATEMENT_MILLIS, TRANSACTION},
};

/// Entries that one transaction forgets at most.
const AT_ONCE: u32 = 500;

/// A number that only those who forget lock by, in databases that several processes write.
const LOCK: i64 = 0x6c6c_6d5f_666f_7267;

const PICO: i64 = 1_000_000_000_000;

/// What [`DatabaseLedger::forget_before`] has done.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct Forgotten {
    /// Entries that are gone.
    pub entries: u64,
}

/// What the forgotten entries of one upstream, model and set of tags have spent.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
struct Sum {
    upstream: String,
    model: String,
    /// Empty if the upstream named none.
    served_model: String,
    tags: String,
    entries: i64,
    recorded: i128,
}

impl DatabaseLedger {
    /// Deletes the entries that ended before this time, in batches of 500, a transaction each. What they spent is kept as one sum for each
    /// upstream, model, model that answered, and set of tags: [`restore`](Self::restore) records the sums on budgets without a window. If calls have
    /// tags of their own, such as the id of a request, there are as many sums as there were entries: use
    /// [`forget_before_keeping`](Self::forget_before_keeping). Queries and exports have the entries no more. A bill that comes later for one of them
    /// finds no entry.
    ///
    /// Of several processes over one PostgreSQL database that do so at once, one continues, and the others return early.
    ///
    /// Keep at least the longest window of the budgets, or what was spent in it is not restored.
    ///
    /// ```no_run
    /// # async fn example() -> Result<(), Box<dyn std::error::Error>> {
    /// use std::time::Duration;
    /// use tower_llm_layers::UtcTime;
    /// use tower_llm_ledger::LedgerOptions;
    ///
    /// let ledger = LedgerOptions::sqlite("spend.sqlite").open().await?;
    /// let forgotten = ledger.forget_before(UtcTime::now().before(Duration::from_secs(90 * 86_400))).await?;
    /// println!("{} entries forgotten", forgotten.entries);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// [`LedgerError`] if the database does not answer. What was forgotten by then stays so, and is part of the sums.
    ///
    /// # Cancellation
    ///
    /// As after an error.
    pub async fn forget_before(&self, time: UtcTime) -> Result<Forgotten, LedgerError> {
        let place = self.0.place.clone();
        self.0.home.ask(forget(place, time, None)).await
    }

    /// The same, and the sums keep only the tags of these names: those that budgets without a window count by, now or later. The other tags of the
    /// forgotten entries are lost: a budget that counts by one of them finds nothing of what was spent.
    ///
    /// # Errors
    ///
    /// As [`forget_before`](Self::forget_before).
    ///
    /// # Cancellation
    ///
    /// As after an error.
    pub async fn forget_before_keeping(&self, time: UtcTime, tags: &[&str]) -> Result<Forgotten, LedgerError> {
        let (place, tags) = (self.0.place.clone(), tags.iter().map(|&name| name.to_owned()).collect());
        self.0.home.ask(forget(place, time, Some(tags))).await
    }

    /// The sums of what was forgotten, as entries that ended at the beginning of time: only budgets without a window count them. Those that a filter
    /// surely does not let pass are left out.
    pub(crate) async fn forgotten(&self, filter: &Filter) -> Result<Vec<Entry>, LedgerError> {
        let mut conditions = Where::default();
        filter.apply_to_sums(&mut conditions);
        let sql = format!(
            "SELECT f.upstream, f.model, f.served_model, f.tags, f.dollars, f.pico FROM forgotten f {}",
            conditions.sql()
        );
        let rows = self.ask(sql, conditions).await?;
        let entry = |row: &AnyRow| self.readable_sum(as_entry(row));
        Ok(rows.iter().filter_map(entry).collect())
    }
}

async fn forget(place: Place, time: UtcTime, keep: Option<Vec<String>>) -> Result<Forgotten, LedgerError> {
    let mut session = place.connect(false).await?;
    let mut forgotten = Forgotten::default();
    loop {
        let batch = forget_some(&mut session.connection, time, &place, keep.as_deref());
        let batch = timeout(TRANSACTION, batch).await;
        let count = batch.unwrap_or_else(|_| Err(place.slow(TRANSACTION)))?;
        if count == 0 {
            break;
        }
        forgotten.entries += count;
    }
    session.connection.close().await?;
    Ok(forgotten)
}

/// Forgets a batch; none if another process does so in a database that both write.
async fn forget_some(
    connection: &mut AnyConnection,
    time: UtcTime,
    place: &Place,
    keep: Option<&[String]>,
) -> Result<u64, LedgerError> {
    let mut transaction = place.begin(connection).await?;
    place.limit(&mut transaction, STATEMENT_MILLIS).await?;
    if place.is_shared() {
        // It ends with the transaction, so that it also holds behind a pool.
        let row = statement("SELECT pg_try_advisory_xact_lock($1) AS is_free")
            .bind(LOCK)
            .fetch_one(&mut *transaction)
            .await?;
        if !row.try_get::<bool, _>("is_free")? {
            transaction.rollback().await?;
            return Ok(0);
        }
    }
    let delete = format!(
        "DELETE FROM entries WHERE id IN (SELECT id FROM entries WHERE ended < $1 ORDER BY ended LIMIT {AT_ONCE}) RETURNING *"
    );
    let before = i64::try_from(time.millis()).unwrap_or(i64::MAX);
    let rows = statement(&delete).bind(before).fetch_all(&mut *transaction).await?;
    let mut sums: HashMap<u128, Sum> = HashMap::new();
    for row in &rows {
        let mut sum = Sum {
            upstream: row.try_get("upstream")?,
            model: row.try_get("model")?,
            served_model: row.try_get::<Option<String>, _>("served_model")?.unwrap_or_default(),
            tags: kept_tags(row.try_get("tags")?, keep),
            ..Sum::default()
        };
        let recorded: i64 = row.try_get("recorded")?;
        let known = sums.entry(sum.key()).or_insert_with(|| std::mem::take(&mut sum));
        known.entries += 1;
        known.recorded += i128::from(recorded);
    }
    for (key, sum) in sums {
        sum.add(key, &mut transaction).await?;
    }
    if !rows.is_empty() {
        let names: Vec<_> = (1..=rows.len()).map(|number| format!("${number}")).collect();
        let delete = format!("DELETE FROM entry_tags WHERE entry_id IN ({})", names.join(", "));
        let mut filled = statement(&delete);
        for row in &rows {
            filled = filled.bind(row.try_get::<String, _>("id")?);
        }
        filled.execute(&mut *transaction).await?;
    }
    transaction.commit().await?;
    Ok(rows.len() as u64)
}

/// The tags of a row, of these names alone. What cannot be read stays as it is.
fn kept_tags(tags: String, keep: Option<&[String]>) -> String {
    let Some(keep) = keep else { return tags };
    let Ok(mut all) = serde_json::from_str::<BTreeMap<String, String>>(&tags) else {
        return tags;
    };
    all.retain(|name, _| keep.contains(name));
    serde_json::to_string(&all).unwrap_or(tags)
}

impl Sum {
    /// The name of its row: a hash (FNV-1a), as the texts are too long for an index.
    fn key(&self) -> u128 {
        let texts = [&self.upstream, &self.model, &self.served_model, &self.tags];
        let bytes = texts.into_iter().flat_map(|text| text.bytes().chain([0xff]));
        bytes.fold(0x6c62_272e_07bb_0142_62b8_2175_6295_c58d, |hash: u128, byte| {
            (hash ^ u128::from(byte)).wrapping_mul(0x0000_0000_0100_0000_0000_0000_0000_013b)
        })
    }

    async fn add(self, key: u128, connection: &mut AnyConnection) -> Result<(), sqlx::Error> {
        let pico = i64::try_from(self.recorded.rem_euclid(i128::from(PICO))).unwrap_or(0);
        let dollars = i64::try_from(self.recorded.div_euclid(i128::from(PICO))).unwrap_or(i64::MAX);
        statement(
            "INSERT INTO forgotten (id, upstream, model, served_model, tags, entries, dollars, pico)
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
             ON CONFLICT (id) DO UPDATE SET entries = forgotten.entries + excluded.entries,
             dollars = forgotten.dollars + excluded.dollars + (forgotten.pico + excluded.pico) / 1000000000000,
             pico = (forgotten.pico + excluded.pico) % 1000000000000",
        )
        .bind(format!("{key:032x}"))
        .bind(self.upstream)
        .bind(self.model)
        .bind(self.served_model)
        .bind(self.tags)
        .bind(self.entries)
        .bind(dollars)
        .bind(pico)
        .execute(connection)
        .await
        .map(drop)
    }
}

fn as_entry(row: &AnyRow) -> Result<Entry, LedgerError> {
    let part = |column: &'static str| row.try_get::<i64, _>(column).map(i128::from);
    let recorded = UsdAmount::from_pico(part("dollars")? * i128::from(PICO) + part("pico")?);
    let served: String = row.try_get("served_model")?;
    let group = Group {
        upstream: row.try_get("upstream")?,
        model: row.try_get("model")?,
        served_model: (!served.is_empty()).then_some(served),
        tags: row.try_get("tags")?,
    };
    group.entry(recorded, UtcTime::from_millis(0))
}
