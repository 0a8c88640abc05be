//! What many entries have spent, added up by the database: a start reads some sums, however many entries there are.

use std::{
    collections::{BTreeMap, HashMap},
    iter::once,
};

use sqlx::{Row, any::AnyRow};
use tower_llm_layers::{
    Tags, TokenUsage, UsdAmount, UtcTime,
    budget::{Budgets, Window},
    ledger::{CallId, Entry, EntryId, EntryOutcome, EntryState},
};

use crate::{
    DatabaseLedger, LedgerError,
    filter::{Filter, Where},
    query::{amount_sum, read_amount},
};

/// Entries that one question adds up at most: it takes some tenths of a second, and has no more rows than that.
const AT_ONCE: u32 = if cfg!(test) { 100 } else { 50_000 };

/// Sums that are kept at most until budgets have them.
const MOST_KEPT: usize = if cfg!(test) { 50 } else { 10_000 };

/// The parts of a window that rolls: see [`Window::Rolling`].
const PARTS: u64 = 30;

/// What entries have in common that are added up.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct Group {
    pub(crate) upstream: String,
    pub(crate) model: String,
    pub(crate) served_model: Option<String>,
    /// As a row has them.
    pub(crate) tags: String,
}

impl Group {
    /// One entry in the place of all.
    pub(crate) fn entry(self, recorded: UsdAmount, ended: UtcTime) -> Result<Entry, LedgerError> {
        let tags: BTreeMap<String, String> =
            serde_json::from_str(&self.tags).map_err(|_| LedgerError::Row { column: "tags" })?;
        Ok(Entry {
            id: EntryId::new(ended),
            call: CallId::new(ended),
            attempt: 0,
            began: ended,
            ended,
            upstream: self.upstream.into(),
            provider: None,
            model: self.model.into(),
            served_model: self.served_model.map(Into::into),
            tags: Tags::new(tags).map_err(|_| LedgerError::Row { column: "tags" })?,
            state: EntryState::Settled,
            outcome: EntryOutcome::Answered,
            streamed: false,
            reserved: UsdAmount::ZERO,
            estimate: None,
            bill: None,
            recorded,
            usage: TokenUsage::default(),
            generation_id: None,
            first_token: None,
            clamped_to: None,
            affordable_tokens: None,
        })
    }
}

/// What the entries of a group have spent.
#[derive(Debug)]
struct Sum {
    recorded: UsdAmount,
    /// When the last of them ended: with it all of them count for as long as it does.
    last: UtcTime,
}

/// Between which times entries are not added up, since one window or part of a window counts them and another does not.
#[derive(Debug, Default)]
struct Cuts {
    /// When windows begin and end, the earliest first.
    bounds: Vec<u64>,
    /// Windows that roll: when they began, and how long a part is.
    rolling: Vec<(u64, u64)>,
}

impl Cuts {
    fn of(budgets: &Budgets, now: UtcTime) -> Self {
        let mut cuts = Self::default();
        for budget in budgets.iter() {
            let begun = budget.window_start(now).millis();
            if let Window::Rolling(span) = budget.window() {
                let length = u64::try_from(span.as_millis()).unwrap_or(u64::MAX);
                cuts.rolling.push((begun, (length / PARTS).max(1)));
            } else {
                // The clock of what recorded an entry may have been ahead.
                let end = budget.window_end(now).map(UtcTime::millis);
                cuts.bounds.extend(once(begun).chain(end));
            }
        }
        cuts.bounds.sort_unstable();
        cuts.bounds.dedup();
        cuts.rolling.sort_unstable();
        cuts.rolling.dedup();
        cuts
    }

    /// What entries are grouped by, after other columns.
    fn sql(&self) -> String {
        let mut sql = String::new();
        if !self.bounds.is_empty() {
            sql.push_str(", CASE");
            for (number, bound) in self.bounds.iter().enumerate().rev() {
                sql.push_str(&format!(" WHEN e.ended >= {bound} THEN {}", number + 1));
            }
            sql.push_str(" ELSE 0 END");
        }
        for (begun, part) in &self.rolling {
            sql.push_str(&format!(
                ", CASE WHEN e.ended >= {begun} THEN e.ended / {part} ELSE 0 END"
            ));
        }
        sql
    }

    /// The same of one time.
    fn of_time(&self, ended: UtcTime) -> Vec<u64> {
        let ended = ended.millis();
        let bounds = self.bounds.iter().filter(|bound| **bound <= ended).count();
        let rolling = self
            .rolling
            .iter()
            .map(|(begun, part)| if ended >= *begun { ended / part } else { 0 });
        once(u64::try_from(bounds).unwrap_or(u64::MAX)).chain(rolling).collect()
    }
}

impl DatabaseLedger {
    /// Records on budgets what the entries have spent that a filter lets pass, from this time on. Says how many entries there are.
    pub(crate) async fn refill_by_sums(
        &self,
        budgets: &Budgets,
        filter: &Filter,
        (from, now): (UtcTime, UtcTime),
    ) -> Result<u64, LedgerError> {
        let cuts = Cuts::of(budgets, now);
        let is_by_tag = self.is_rare(filter).await?;
        let mut sums = HashMap::new();
        let (mut recorded, mut from) = (0, from);
        loop {
            let mut part = filter.clone().from(from);
            let next = if is_by_tag {
                None
            } else {
                self.beyond_one_question(&part, from).await?
            };
            if let Some(next) = next {
                part = part.until(next);
            }
            for row in self.grouped(&part, is_by_tag, &cuts).await? {
                recorded += add(&mut sums, &row, &cuts)?;
            }
            if next.is_none() || sums.len() >= MOST_KEPT {
                budgets.refill(&self.entries_of(sums.drain()));
            }
            let Some(next) = next else {
                return Ok(recorded);
            };
            from = next;
        }
    }

    /// Whether a filter has a tag of so few entries that one question reads them all, as it finds them by the tag.
    pub(crate) async fn is_rare(&self, filter: &Filter) -> Result<bool, LedgerError> {
        let Some(conditions) = filter.tagged() else {
            return Ok(false);
        };
        let sql = format!(
            "SELECT COUNT(*) AS found FROM (SELECT 1 AS one FROM entry_tags tagged {} LIMIT {}) AS few",
            conditions.sql(),
            AT_ONCE + 1
        );
        let rows = self.ask(sql, conditions).await?;
        let Some(row) = rows.first() else { return Ok(false) };
        Ok(row.try_get::<i64, _>("found")? <= i64::from(AT_ONCE))
    }

    /// The end of the entries that one question adds up; `None` if there are no more than that.
    async fn beyond_one_question(&self, filter: &Filter, from: UtcTime) -> Result<Option<UtcTime>, LedgerError> {
        let mut conditions = Where::default();
        // Of all entries: the index of their ends has all that is needed.
        filter.apply_times(&mut conditions);
        let sql = format!(
            "SELECT e.ended FROM entries e {} ORDER BY e.ended LIMIT 1 OFFSET {AT_ONCE}",
            conditions.sql()
        );
        let rows = self.ask(sql, conditions).await?;
        let Some(row) = rows.first() else { return Ok(None) };
        // More than that may have ended within one millisecond.
        let ended = read_time(row, "ended")?.millis().max(from.millis().saturating_add(1));
        Ok(Some(UtcTime::from_millis(ended)))
    }

    async fn grouped(&self, filter: &Filter, is_by_tag: bool, cuts: &Cuts) -> Result<Vec<AnyRow>, LedgerError> {
        let mut conditions = Where::default();
        if is_by_tag {
            filter.apply_by_tag(&mut conditions);
        } else {
            filter.apply(&mut conditions);
        }
        let sql = format!(
            "SELECT e.upstream, e.model, e.served_model, e.tags, MAX(e.ended) AS last_ended, COUNT(*) AS attempts, {}
             FROM {} {} GROUP BY e.upstream, e.model, e.served_model, e.tags{}",
            amount_sum("e.recorded", "recorded"),
            conditions.tables(),
            conditions.sql(),
            cuts.sql()
        );
        self.ask(sql, conditions).await
    }

    /// Sums as entries. An invalid one is logged, and does not hide the others.
    fn entries_of(&self, sums: impl Iterator<Item = (Key, Sum)>) -> Vec<Entry> {
        let entry = |((group, _), sum): (Key, Sum)| self.readable_sum(group.entry(sum.recorded, sum.last));
        sums.filter_map(entry).collect()
    }

    /// The entry of a sum; `None` if it is invalid, which is logged.
    pub(crate) fn readable_sum(&self, entry: Result<Entry, LedgerError>) -> Option<Entry> {
        match entry {
            Ok(entry) => Some(entry),
            Err(error) => {
                tracing::error!(target: "llm::ledger", place = %self.0.place, %error, "a sum of entries makes no sense: it is left out");
                None
            }
        }
    }
}

/// A group, and between which cuts.
type Key = (Group, Vec<u64>);

/// Adds the sum in a row. Says of how many entries it is.
fn add(sums: &mut HashMap<Key, Sum>, row: &AnyRow, cuts: &Cuts) -> Result<u64, LedgerError> {
    let group = Group {
        upstream: row.try_get("upstream")?,
        model: row.try_get("model")?,
        served_model: row.try_get("served_model")?,
        tags: row.try_get("tags")?,
    };
    let (last, recorded) = (read_time(row, "last_ended")?, read_amount(row, "recorded")?);
    sums.entry((group, cuts.of_time(last)))
        .and_modify(|sum| {
            sum.recorded = sum.recorded.saturating_add(recorded);
            sum.last = sum.last.max(last);
        })
        .or_insert(Sum { recorded, last });
    Ok(u64::try_from(row.try_get::<i64, _>("attempts")?).unwrap_or(0))
}

fn read_time(row: &AnyRow, column: &str) -> Result<UtcTime, sqlx::Error> {
    let millis: i64 = row.try_get(column)?;
    Ok(UtcTime::from_millis(u64::try_from(millis).unwrap_or(0)))
}

#[cfg(test)]
#[cfg(feature = "sqlite")]
mod tests {
    use std::{fs, sync::Arc, time::Duration};

    use tower_llm_layers::{
        budget::{Budget, InMemoryBudgetStore},
        ledger::Ledger,
    };

    use super::*;
    use crate::{LedgerOptions, writer::tests::entry};

    /// What stands on each account.
    type Spent = Vec<(String, String, UsdAmount, UsdAmount, Option<UtcTime>)>;

    /// What stands on each account after a refill.
    async fn spent(refill: impl AsyncFnOnce(&Budgets)) -> Spent {
        let minutes = |count: u64| Window::Rolling(Duration::from_secs(60 * count));
        let budget = |name: &str| Budget::usd(name, "0.0001").unwrap();
        let store = InMemoryBudgetStore::new();
        let budgets = [
            budget("all"),
            budget("day").per(Window::Day).each("team"),
            budget("month").per(Window::Month).each("model"),
            budget("rolling").per(minutes(7_700)),
            budget("longer").per(minutes(20_000)).only("team", "b"),
        ];
        let budgets = Budgets::in_store(budgets, Arc::new(store.clone())).unwrap();
        refill(&budgets).await;
        let accounts = store.accounts().into_iter().map(|state| {
            let name = state.budget.name().to_owned();
            (name, state.account, state.settled, state.overrun, state.resets)
        });
        let mut spent: Vec<_> = accounts.collect();
        spent.sort();
        spent
    }

    /// In many questions of a hundred entries, and with more sums than are kept at once.
    #[tokio::test]
    async fn sums_count_in_each_window_as_their_entries_do() {
        let folder = std::env::temp_dir().join(format!("ledger-sums-{}", std::process::id()));
        fs::create_dir_all(&folder).unwrap();
        let ledger = LedgerOptions::sqlite(folder.join("spend.sqlite")).open().await.unwrap();
        let now = UtcTime::now();
        let entries: Vec<Entry> = (0..1_000_u64)
            .map(|number| {
                let mut entry = entry();
                // The last 250 in one millisecond.
                let minutes = if number < 750 { number * number / 13 } else { 7 };
                entry.ended = now.before(Duration::from_secs(60 * minutes + 30));
                entry.model = format!("a/{}", number % 3).into();
                entry.recorded = UsdAmount::from_pico(i128::from(999_999 + number));
                entry.tags = Tags::new([("team", ["a", "b"][usize::from(number % 2 == 0)])]).unwrap();
                entry
            })
            .collect();
        for entry in &entries {
            ledger.record(entry);
        }
        assert_eq!(ledger.close().await.written, 1_000);
        let of = |entries: Vec<Entry>| spent(async move |budgets: &Budgets| budgets.refill(&entries));
        let restored = |filter: Filter| {
            let ledger = ledger.clone();
            spent(async move |budgets: &Budgets| {
                assert_eq!(ledger.restore_of(budgets, &filter).await.unwrap().recorded % 500, 0);
            })
        };
        let expected = of(entries.clone()).await;
        assert!(expected.len() > 2, "{expected:?}");
        assert_eq!(restored(Filter::new()).await, expected);
        // A tag of more entries than one question adds up, and one of none.
        let of_a = entries.iter().filter(|entry| entry.tags.get("team") == Some("a"));
        let expected = of(of_a.cloned().collect()).await;
        assert_eq!(restored(Filter::new().tag("team", "a")).await, expected);
        assert!(restored(Filter::new().tag("team", "c")).await.is_empty());
        drop(fs::remove_dir_all(folder));
    }
}
