//! `keys list`: the client keys of the settings file and of the database.

use std::collections::HashSet;

use tower_openrouter::{layers::UtcTime, settings::OrOff};

use super::print::{Failed, say};
use crate::{
    OpenError,
    gateway::key_database,
    keys::StoredKey,
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
        OrOff::Off => Ok((None, Vec::new())),
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
        Err(error) => (None, Vec::new(), Some(error)),
    };
    lines.extend(stored.iter().map(|key| Line {
        name: &key.name,
        made: key.created.to_string().chars().take(10).collect(),
        state: match key.revoked {
            Some(_) => "revoked",
            None if names.contains(&*key.name) => "left out",
            None => state(&key.rules),
        },
        place: "database",
        rules: &key.rules,
    }));
    if let Some(place) = place {
        say(format!("database: {place}"))?;
    }
    if lines.is_empty() && failed.is_none() {
        return say("there are no client keys");
    }
    if !lines.is_empty() {
        say(format!(
            "{:<24} {:<11} {:<9} {:<9} {:<22} {:<12} models",
            "name", "made", "state", "place", "budgets", "expires"
        ))?;
    }
    for line in &lines {
        say(line.printed())?;
    }
    failed.map_or(Ok(()), |error| Err(Failed::new(error)))
}

async fn stored(config: &Config) -> Result<(String, Vec<StoredKey>), OpenError> {
    let database = key_database(config)?.existing();
    database.prepare().await?;
    Ok((database.place(), database.all().await?))
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
        let budgets: Vec<_> = self
            .rules
            .budgets(self.name)
            .iter()
            .map(|budget| {
                let window = budget.name.rsplit('/').next().unwrap_or_default();
                format!("{}/{window}", budget.usd)
            })
            .collect();
        let models = if self.rules.models.is_empty() {
            "all".to_owned()
        } else {
            self.rules.models.join(" ")
        };
        format!(
            "{:<24} {:<11} {:<9} {:<9} {:<22} {:<12} {models}",
            self.name,
            self.made,
            self.state,
            self.place,
            budgets.join(" "),
            self.rules.expires.as_deref().unwrap_or("never"),
        )
    }
}
