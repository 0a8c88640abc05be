//! `keys list`: the client keys of the settings file and of the database.

use std::collections::HashSet;

use tower_openrouter::{
    layers::UtcTime,
    settings::{OrOff, RateSettings},
};

use super::print::{Failed, say};
use crate::{
    OpenError,
    gateway::key_database,
    keys::StoredKeys,
    settings::{Config, KeyRules, utc_time},
};

/// A line of the list.
struct Line<'a> {
    name: &'a str,
    made: String,
    state: &'static str,
    place: &'static str,
    rules: &'a KeyRules,
}

/// Prints those of the file, then those of the database; what is wrong with the database is reported after those of the file.
pub(super) async fn show(config: &Config) -> Result<(), Failed> {
    let of_file: Vec<_> = config.own.key.iter().map(|key| (&*key.name, key.rules())).collect();
    let stored = match &config.own.storage {
        OrOff::Off => Ok((None, StoredKeys::default())),
        OrOff::On(_) => stored(config).await.map(|(place, keys)| (Some(place), keys)),
    };
    let mut lines: Vec<_> = of_file
        .iter()
        .map(|(name, rules)| Line {
            name,
            made: "-".to_owned(),
            state: state(rules),
            place: "file",
            rules,
        })
        .collect();
    let names: HashSet<_> = of_file.iter().map(|(name, _)| *name).collect();
    let (place, stored, failed) = match stored {
        Ok((place, keys)) => (place, keys, None),
        Err(error) => (None, StoredKeys::default(), Some(error)),
    };
    lines.extend(stored.keys.iter().map(|key| Line {
        name: &key.name,
        made: key.created.to_string().chars().take(10).collect(),
        state: match key.revoked {
            Some(_) => "revoked",
            None if names.contains(&*key.name) || !key.rules.problems(&key.name).is_empty() => "left out",
            None => state(&key.rules),
        },
        place: "database",
        rules: &key.rules,
    }));
    if let Some(place) = place {
        say(format!("database: {place}"))?;
    }
    for wrong in &stored.unreadable {
        say(format!("left out, since it cannot be read: {wrong}"))?;
    }
    if lines.is_empty() && stored.unreadable.is_empty() && failed.is_none() {
        return say("there are no client keys");
    }
    if !lines.is_empty() {
        say(format!(
            "{:<24} {:<11} {:<9} {:<9} {:<22} {:<32} {:<12} models",
            "name", "made", "state", "place", "budgets", "limits", "expires"
        ))?;
    }
    for line in &lines {
        say(line.printed())?;
    }
    failed.map_or(Ok(()), |error| Err(Failed::new(error)))
}

async fn stored(config: &Config) -> Result<(String, StoredKeys), OpenError> {
    let database = key_database(config)?.existing();
    database.prepare().await?;
    Ok((database.place(), database.read().await?))
}

fn state(rules: &KeyRules) -> &'static str {
    let expires = rules.expires.as_deref().and_then(utc_time);
    if expires.is_some_and(|at| at <= UtcTime::now()) {
        "expired"
    } else {
        "in force"
    }
}

impl Line<'_> {
    fn printed(&self) -> String {
        format!(
            "{:<24} {:<11} {:<9} {:<9} {:<22} {:<32} {:<12} {}",
            self.name,
            self.made,
            self.state,
            self.place,
            budgets(self.name, self.rules),
            limits(self.rules),
            expires(self.rules),
            models(self.rules),
        )
    }
}

/// What the key of this name may do: a line each.
pub(super) fn described(name: &str, rules: &KeyRules) -> String {
    format!(
        "state    {}\nbudgets  {}\nlimits   {}\nexpires  {}\nmodels   {}",
        state(rules),
        budgets(name, rules),
        limits(rules),
        expires(rules),
        models(rules),
    )
}

fn budgets(name: &str, rules: &KeyRules) -> String {
    let budgets = rules.budgets(name).into_iter().map(|budget| {
        let window = budget.name.rsplit('/').next().unwrap_or_default();
        format!("{}/{window}", budget.usd)
    });
    or_none(budgets.collect::<Vec<_>>().join(" "))
}

fn limits(rules: &KeyRules) -> String {
    let rate = |what: &str, rate: &RateSettings| format!("{} {what}/{}", rate.amount, rate.per);
    let limits = [
        rules.requests.as_ref().map(|requests| rate("requests", requests)),
        rules.tokens.as_ref().map(|tokens| rate("tokens", tokens)),
        rules.concurrency.map(|calls| format!("{calls} at once")),
    ];
    or_none(limits.into_iter().flatten().collect::<Vec<_>>().join(", "))
}

fn expires(rules: &KeyRules) -> &str {
    rules.expires.as_deref().unwrap_or("never")
}

fn models(rules: &KeyRules) -> String {
    if rules.models.is_empty() {
        "all".to_owned()
    } else {
        rules.models.join(" ")
    }
}

fn or_none(text: String) -> String {
    if text.is_empty() { "-".to_owned() } else { text }
}
