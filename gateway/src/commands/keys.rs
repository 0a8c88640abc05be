//! `keys`: makes, lists and revokes client keys.

use std::{path::Path, time::Duration};

use secrecy::ExposeSecret;
use tower_openrouter::{
    layers::UtcTime,
    settings::{RateSettings, WindowSettings},
};

use super::{
    cli::{Keys, NewKey},
    config,
    print::{Failed, say},
};
use crate::{
    gateway::key_database,
    keys::{KeyDatabase, KeyHash, new_key},
    settings::{KeyBudget, KeyRules, utc_time},
};

const MINUTE: Duration = Duration::from_secs(60);

pub(super) async fn run(keys: Keys) -> Result<(), Failed> {
    match keys {
        Keys::New(new) => add(new).await,
        Keys::List(list) => show(&database(list.config.as_deref()).await?).await,
        Keys::Revoke(revoke) => {
            let database = database(revoke.config.as_deref()).await?;
            database.revoke(&revoke.name).await.map_err(Failed::new)?;
            say(format!(
                "the key `{}` is revoked: all gateways over this database refuse it within a second",
                revoke.name
            ))
        }
    }
}

async fn database(file: Option<&Path>) -> Result<KeyDatabase, Failed> {
    let database = key_database(&config(file)?).map_err(Failed::new)?;
    database.prepare().await.map_err(Failed::new)?;
    Ok(database)
}

async fn add(new: NewKey) -> Result<(), Failed> {
    let rules = rules(&new)?;
    if let Some((member, message)) = rules.problems(&new.name).first() {
        return Err(Failed::new(format!("{member}: {message}")));
    }
    let key = new_key().map_err(Failed::new)?;
    let hash = KeyHash::of(key.expose_secret().as_bytes());
    if new.print_hash {
        say(format!(
            "[[key]]\nname = \"{}\"\nhash = \"{}\"\n",
            new.name,
            hash.written()
        ))?;
    } else {
        let database = database(new.config.as_deref()).await?;
        database.add(&new.name, &hash, &rules).await.map_err(Failed::new)?;
    }
    say(format!(
        "The key `{}`. It is not shown again:\n\n{}",
        new.name,
        key.expose_secret()
    ))
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

async fn show(database: &KeyDatabase) -> Result<(), Failed> {
    let keys = database.all().await.map_err(Failed::new)?;
    if keys.is_empty() {
        return say("there are no client keys in the database");
    }
    say(format!(
        "{:<24} {:<11} {:<9} {:<22} {:<12} models",
        "name", "made", "state", "budgets", "expires"
    ))?;
    for key in keys {
        let is_expired = key
            .rules
            .expires
            .as_deref()
            .and_then(utc_time)
            .is_some_and(|at| at <= UtcTime::now());
        let state = match key.revoked {
            Some(_) => "revoked",
            None if is_expired => "expired",
            None => "in force",
        };
        let budgets: Vec<_> = key
            .rules
            .budgets(&key.name)
            .iter()
            .map(|budget| {
                let window = budget.name.rsplit('/').next().unwrap_or_default();
                format!("{}/{window}", budget.usd)
            })
            .collect();
        let made: String = key.created.to_string().chars().take(10).collect();
        let expires = key.rules.expires.as_deref().unwrap_or("never");
        let models = if key.rules.models.is_empty() {
            "all".to_owned()
        } else {
            key.rules.models.join(" ")
        };
        say(format!(
            "{:<24} {made:<11} {state:<9} {:<22} {expires:<12} {models}",
            key.name,
            budgets.join(" ")
        ))?;
    }
    Ok(())
}
