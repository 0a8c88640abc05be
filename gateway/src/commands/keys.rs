//! `keys`: makes, changes and revokes client keys.

use std::path::Path;

use secrecy::ExposeSecret;

use super::{
    cli::{Keys, NewKey, Revoke, SetKey},
    key_list,
    key_rules::{self, Changes},
    print::{Failed, say},
    storage_config,
};
use crate::{
    OpenError,
    gateway::key_database,
    keys::{KeyHash, new_key},
    settings::{Config, KeyEntry},
};

pub(super) async fn run(keys: Keys) -> Result<(), Failed> {
    match keys {
        Keys::New(new) => add(new).await,
        Keys::Set(asked) => set(asked).await,
        Keys::List(list) => key_list::show(&storage_config(list.config.as_deref())?).await,
        Keys::Revoke(asked) => revoke(asked).await,
    }
}

async fn add(new: NewKey) -> Result<(), Failed> {
    let rules = key_rules::of_new(&new)?;
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

async fn set(asked: SetKey) -> Result<(), Failed> {
    let changes = Changes::of(&asked)?;
    let config = storage_config(asked.config.as_deref())?;
    let name = &asked.name;
    if let Some(file) = file_with(&config, name) {
        return Err(Failed::new(format!(
            "the key `{name}` stands in {file}: change its `[[key]]` there, which is in force as soon as the file is saved"
        )));
    }
    let changed = async {
        let database = key_database(&config)?.existing();
        database.prepare().await?;
        let rules = database.change(name, |rules| changes.apply(rules)).await?;
        Ok::<_, OpenError>((database.place(), rules))
    };
    let (place, rules) = changed.await.map_err(Failed::new)?;
    say(format!(
        "the key `{name}` is changed: all gateways over {place} follow within a second\n\n{}",
        key_list::described(name, &rules)
    ))
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
