//! `spend`: what was spent, from the ledger, also while a gateway writes it.

use tower_openrouter::{
    layers::{
        UtcTime,
        ledger::{GroupBy, Spend},
    },
    ledger::Filter,
    settings::Time,
};

use super::{
    cli,
    print::{Failed, say},
    storage_config,
};
use crate::{gateway::ledger_to_read, keys::TAG, settings::utc_time};

pub(super) async fn run(asked: cli::Spend) -> Result<(), Failed> {
    let by = group(&asked.by)?;
    let mut filter = Filter::new();
    if let Some(since) = &asked.since {
        filter = filter.from(time(since)?);
    }
    let ledger = ledger_to_read(&storage_config(asked.config.as_deref())?)
        .await
        .map_err(Failed::new)?;
    let (rows, total) = match ledger {
        Some(ledger) => (
            ledger.spend(&by, &filter).await.map_err(Failed::new)?,
            ledger.total(&filter).await.map_err(Failed::new)?,
        ),
        None => (Vec::new(), Spend::default()),
    };
    let width = rows
        .iter()
        .map(|row| row.group.chars().count())
        .max()
        .unwrap_or(0)
        .max(asked.by.len())
        .max(5);
    say(format!(
        "{:<width$} {:>14} {:>14} {:>14} {:>9} {:>12} {:>12}",
        asked.by, "USD", "estimated", "lost", "attempts", "prompt", "answer"
    ))?;
    for row in &rows {
        say(line(&row.group, &row.spend, width))?;
    }
    say(line("total", &total, width))
}

fn line(name: &str, spend: &Spend, width: usize) -> String {
    let [cost, estimated, lost] = [spend.cost, spend.estimated, spend.lost].map(|amount| amount.to_string());
    format!(
        "{name:<width$} {cost:>14} {estimated:>14} {lost:>14} {:>9} {:>12} {:>12}",
        spend.attempts, spend.prompt_tokens, spend.answer_tokens
    )
}

fn group(name: &str) -> Result<GroupBy, Failed> {
    Ok(match name {
        "key" => GroupBy::Tag(TAG.into()),
        "model" => GroupBy::Model,
        "provider" => GroupBy::Provider,
        "upstream" => GroupBy::Upstream,
        "day" => GroupBy::Day,
        name => match name.strip_prefix("tag:").filter(|name| !name.is_empty()) {
            Some(tag) => GroupBy::Tag(tag.into()),
            None => {
                return Err(Failed::new(
                    "--by: write `key`, `model`, `provider`, `upstream`, `day`, or `tag:NAME`",
                ));
            }
        },
    })
}

fn time(text: &str) -> Result<UtcTime, Failed> {
    let before = || text.parse::<Time>().ok().map(|span| UtcTime::now().before(span.0));
    utc_time(text).or_else(before).ok_or_else(|| {
        Failed::new("--since: write a date, e.g. `2026-11-01`, a time in UTC, e.g. `2026-11-01T19:00:00Z`, or a length of time, e.g. `7days`")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn groups_and_times_are_read() {
        assert_eq!(group("key").unwrap(), GroupBy::Tag("key".into()));
        assert_eq!(group("tag:team").unwrap(), GroupBy::Tag("team".into()));
        assert!(group("tag:").is_err() && group("week").is_err());
        assert!(time("2026-11-01").is_ok() && time("7days").is_ok() && time("soon").is_err());
    }
}
