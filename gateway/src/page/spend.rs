//! What was spent, in groups and over time: from the ledger, or without one from the recent calls.

use std::{
    collections::{BTreeMap, HashMap},
    sync::Arc,
    time::Duration,
};

use tokio::{sync::Mutex, time::Instant};
use tower_openrouter::{
    UsdAmount,
    layers::{
        UtcTime,
        ledger::{GroupBy, NONE, Spend},
    },
    ledger::Filter as Entries,
};

use super::View;
use crate::{
    calls::{CallRecord, Filter},
    keys,
};

/// Groups with a colour of their own in the chart; the rest are one.
pub(super) const MOST_GROUPS: usize = 5;
/// Groups in the answer to one question; the rest are one.
const MOST_ROWS: usize = 200;
/// How long an answer is good for.
const FRESH: Duration = Duration::from_secs(5);
/// Answers that are kept.
const MOST_KEPT: usize = 32;
/// The group of what fits into no other.
pub(super) const OTHERS: &str = "(others)";

const HOUR: u64 = 3_600_000;
const DAY: u64 = 24 * HOUR;

/// By what spend is put into groups, by its name in a query.
pub(super) fn group_by(text: &str) -> Option<GroupBy> {
    Some(match text {
        "key" => GroupBy::Tag(keys::TAG.into()),
        "model" => GroupBy::Model,
        "provider" => GroupBy::Provider,
        "upstream" => GroupBy::Upstream,
        "day" => GroupBy::Day,
        "hour" => GroupBy::Hour,
        tag => GroupBy::Tag(tag.strip_prefix("tag:").filter(|name| !name.is_empty())?.into()),
    })
}

/// The span of a chart.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Range {
    Day,
    Week,
    Month,
}

impl Range {
    pub(super) const ALL: [Self; 3] = [Self::Day, Self::Week, Self::Month];

    pub(super) const fn as_str(self) -> &'static str {
        match self {
            Self::Day => "24h",
            Self::Week => "7d",
            Self::Month => "30d",
        }
    }

    /// The length of a bar in milliseconds, and how many there are.
    const fn bars(self) -> (u64, u64) {
        match self {
            Self::Day => (HOUR, 24),
            Self::Week => (DAY, 7),
            Self::Month => (DAY, 30),
        }
    }

    pub(super) const fn is_hourly(self) -> bool {
        matches!(self, Self::Day)
    }
}

/// What was spent in each bar of a chart, by group.
#[derive(Debug, Clone)]
pub(super) struct Timeline {
    /// The largest first.
    pub(super) groups: Vec<(String, Spend)>,
    /// When each bar begins, and what each group spent in it.
    pub(super) bars: Vec<(UtcTime, BTreeMap<String, UsdAmount>)>,
}

/// Answers that are kept for some seconds: a page that many look at asks the ledger once.
#[derive(Default)]
pub(super) struct Cached(Mutex<Kept>);

type Kept = HashMap<(GroupBy, Range), (Instant, Arc<Timeline>)>;

impl Cached {
    /// Those who ask meanwhile wait for the same answer of the ledger.
    pub(super) async fn timeline(&self, view: &View, by: &GroupBy, range: Range) -> Result<Arc<Timeline>, String> {
        let mut kept = self.0.lock().await;
        let question = (by.clone(), range);
        if let Some((at, timeline)) = kept.get(&question)
            && at.elapsed() < FRESH
        {
            return Ok(Arc::clone(timeline));
        }
        let timeline = Arc::new(timeline(view, by, range).await?);
        if kept.len() >= MOST_KEPT {
            kept.clear();
        }
        kept.insert(question, (Instant::now(), Arc::clone(&timeline)));
        Ok(timeline)
    }
}

async fn timeline(view: &View, by: &GroupBy, range: Range) -> Result<Timeline, String> {
    let (length, count) = range.bars();
    let last = UtcTime::now().millis() / length;
    let first = (last + 1).saturating_sub(count);
    let mut bars = Vec::new();
    for bar in first..=last {
        let (from, until) = (bar * length, (bar + 1) * length);
        let [from, until] = [from, until].map(UtcTime::from_millis);
        let rows = rows(view, by, from, Some(until)).await?;
        let groups = rows.into_iter().map(|(group, spend)| (group, spend.cost));
        bars.push((from, groups.collect()));
    }
    let groups = rows(view, by, UtcTime::from_millis(first * length), None).await?;
    Ok(Timeline { groups, bars })
}

/// What was spent from then on, in groups; the largest first.
pub(super) async fn rows(
    view: &View,
    by: &GroupBy,
    from: UtcTime,
    until: Option<UtcTime>,
) -> Result<Vec<(String, Spend)>, String> {
    let Some(ledger) = &view.ledger else {
        return Ok(bounded(of_calls(view, by, from, until)));
    };
    let mut entries = Entries::new().from(from);
    if let Some(until) = until {
        entries = entries.until(until);
    }
    let rows = ledger.spend(by, &entries).await.map_err(|error| error.to_string())?;
    Ok(bounded(rows.into_iter().map(|row| (row.group, row.spend)).collect()))
}

/// The same of the recent calls.
fn of_calls(view: &View, by: &GroupBy, from: UtcTime, until: Option<UtcTime>) -> Vec<(String, Spend)> {
    let mut groups: HashMap<String, Spend> = HashMap::new();
    for call in view.calls.recent(&Filter::default(), usize::MAX) {
        if call.at < from || until.is_some_and(|until| call.at >= until) {
            continue;
        }
        let spend = groups.entry(group(by, &call)).or_default();
        let cost = call.cost.unwrap_or(UsdAmount::ZERO);
        let tokens = call.tokens.unwrap_or_default();
        spend.attempts += call.attempts.iter().filter(|attempt| attempt.is_sent).count() as u64;
        spend.cost = spend.cost.saturating_add(cost);
        if call.cost_is_estimate {
            spend.estimated = spend.estimated.saturating_add(cost);
        }
        spend.prompt_tokens = spend.prompt_tokens.saturating_add(tokens.prompt);
        spend.cached_tokens = spend.cached_tokens.saturating_add(tokens.cached);
        spend.answer_tokens = spend.answer_tokens.saturating_add(tokens.answer);
    }
    let mut rows: Vec<_> = groups.into_iter().collect();
    rows.sort_by(|(one, by_one), (other, by_other)| (by_other.cost, one).cmp(&(by_one.cost, other)));
    rows
}

fn group(by: &GroupBy, call: &CallRecord) -> String {
    let upstream = || call.attempts.last().map(|attempt| attempt.upstream.to_string());
    let group = match by {
        GroupBy::Model => call.model.as_ref().or(call.requested.as_ref()).map(ToString::to_string),
        GroupBy::Provider => call.provider.as_ref().map(ToString::to_string),
        GroupBy::Upstream => upstream(),
        GroupBy::Tag(name) => call.tags.get(name).map(str::to_owned),
        GroupBy::Hour => call.at.to_string().get(..13).map(str::to_owned),
        _ => call.at.to_string().get(..10).map(str::to_owned),
    };
    group.unwrap_or_else(|| NONE.to_owned())
}

/// The largest groups, and one for the rest.
fn bounded(mut rows: Vec<(String, Spend)>) -> Vec<(String, Spend)> {
    if rows.len() > MOST_ROWS {
        let rest = rows.split_off(MOST_ROWS);
        rows.push((OTHERS.to_owned(), sum(rest.iter().map(|(_, spend)| spend))));
    }
    rows
}

/// Several sums as one.
pub(super) fn sum<'a>(all: impl Iterator<Item = &'a Spend>) -> Spend {
    all.fold(Spend::default(), |mut sum, more| {
        sum.attempts = sum.attempts.saturating_add(more.attempts);
        sum.cost = sum.cost.saturating_add(more.cost);
        sum.estimated = sum.estimated.saturating_add(more.estimated);
        sum.lost = sum.lost.saturating_add(more.lost);
        sum.estimate_error = sum.estimate_error.saturating_add(more.estimate_error);
        sum.prompt_tokens = sum.prompt_tokens.saturating_add(more.prompt_tokens);
        sum.cached_tokens = sum.cached_tokens.saturating_add(more.cached_tokens);
        sum.answer_tokens = sum.answer_tokens.saturating_add(more.answer_tokens);
        sum
    })
}
