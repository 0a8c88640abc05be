//! `keys`: makes and revokes client keys.

use std::{path::Path, time::Duration};

use secrecy::ExposeSecret;
use tower_openrouter::settings::{RateSettings, WindowSettings};

use super::{
    cli::{Keys, NewKey, Revoke},
    key_list,
    print::{Failed, say},
    storage_config,
};
use crate::{
    OpenError,
    gateway::key_database,
    keys::{KeyHash, new_key},
    settings::{Config, KeyBudget, KeyEntry, KeyRules},
};

const MINUTE: Duration = Duration::from_secs(60);

pub(super) async fn run(keys: Keys) -> Result<(), Failed> {
    match keys {
        Keys::New(new) => add(new).await,
        Keys::List(list) => key_list::show(&storage_config(list.config.as_deref())?).await,
        Keys::Revoke(asked) => revoke(asked).await,
    }
}

async fn add(new: NewKey) -> Result<(), Failed> {
    let rules = rules(&new)?;
    if let Some((member, message)) = rules.problems(&new.name).first() {
        let colon = if member.is_empty() { "" } else { ": " };
        return Err(Failed::new(format!("{member}{colon}{message}")));
    }
    let key = new_key().map_err(Failed::new)?;
    let hash = KeyHash::of(key.expose_secret().as_bytes());
    if new.print_hash {
        say(KeyEntry::new(&new.name, &hash, rules).to_toml())?;
    } else {
        let config = storage_config(new.config.as_deref())?;
        if let Some(file) = file_with(&config, &new.name) {
            return Err(Failed::new(format!(
                "there is a `[[key]]` named `{}` in {file}",
                new.name
            )));
        }
        let database = key_database(&config).map_err(Failed::new)?;
        database.prepare().await.map_err(Failed::new)?;
        database.add(&new.name, &hash, &rules).await.map_err(Failed::new)?;
        say(format!(
            "The key is in {}: only a gateway over this database takes it.\n",
            database.place()
        ))?;
    }
    say(format!(
        "The key `{}`. It is not shown again:\n\n{}",
        new.name,
        key.expose_secret()
    ))
}

/// The settings file, if it has a `[[key]]` of this name.
fn file_with(config: &Config, name: &str) -> Option<String> {
    let has_it = config.own.key.iter().any(|key| key.name == name);
    let file = config.file.as_deref().unwrap_or_else(|| Path::new("the settings"));
    has_it.then(|| file.display().to_string())
}

async fn revoke(asked: Revoke) -> Result<(), Failed> {
    let (config, name) = (storage_config(asked.config.as_deref())?, asked.name);
    let file = file_with(&config, &name);
    let revoked = async {
        let database = key_database(&config)?.existing();
        database.prepare().await?;
        database.revoke(&name).await?;
        Ok::<_, OpenError>(database.place())
    };
    match (revoked.await, file) {
        // One of the database of the same name is not in force, and would be as soon as this is gone.
        (_, Some(file)) => Err(Failed::new(format!(
            "the key `{name}` is still in force: it stands in {file}: remove its `[[key]]`"
        ))),
        (Ok(place), None) => say(format!(
            "the key `{name}` is revoked: all gateways over {place} refuse it within a second"
        )),
        (Err(error), None) => Err(Failed::new(error)),
    }
}

fn rules(new: &NewKey) -> Result<KeyRules, Failed> {
    let budget = new.budget.iter().map(|text| budget(text));
    Ok(KeyRules {
        models: new.model.clone(),
        requests: new.requests_per_minute.map(|amount| RateSettings::new(amount, MINUTE)),
        tokens: new.tokens_per_minute.map(|amount| RateSettings::new(amount, MINUTE)),
        concurrency: new.concurrency,
        budget: budget.collect::<Result<_, _>>()?,
        expires: new.expires.clone(),
    })
}

/// An amount and a window: `5.00/day`.
fn budget(text: &str) -> Result<KeyBudget, Failed> {
    let (usd, per) = match text.split_once('/') {
        Some((usd, "day")) => (usd, WindowSettings::Day),
        Some((usd, "week")) => (usd, WindowSettings::Week),
        Some((usd, "month")) => (usd, WindowSettings::Month),
        None | Some((_, "ever")) => (text.trim_end_matches("/ever"), WindowSettings::Ever),
        Some(_) => {
            return Err(Failed::new(
                "--budget: the window is `day`, `week`, `month` or `ever`, e.g. `5.00/day`",
            ));
        }
    };
    let usd = usd.parse().map_err(|error| Failed::new(format!("--budget: {error}")))?;
    Ok(KeyBudget { usd, per })
}
