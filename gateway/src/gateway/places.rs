//! What the settings name outside of themselves: each is read, and everything that is wrong with them is reported together, before anything opens.

use std::io;

use secrecy::{ExposeSecret, SecretString};
use tower_openrouter::{
    ledger::LedgerOptions,
    redis::{Store, StoreBuilder},
    settings::{OrOff, SettingsError},
};

use super::OpenError;
use crate::{
    keys::KeyDatabase,
    settings::{Config, Place, StorageSettings},
};

/// What the settings name, to be opened.
pub(super) struct Places {
    pub(super) storage: Option<(LedgerOptions, KeyDatabase)>,
    pub(super) shared: Option<StoreBuilder>,
}

impl Places {
    /// Those of these settings. Waits for the disk.
    pub(super) fn load(config: &Config) -> Result<Self, OpenError> {
        let mut wrong = Vec::new();
        let mut keep = |error: OpenError| match error {
            OpenError::Settings(error) => wrong.extend(error.problems().iter().cloned()),
            error => wrong.push(config.stack.problem("storage", error.to_string())),
        };
        let storage = storage(config).map_err(&mut keep).ok().flatten();
        let shared = shared(config).map_err(&mut keep).ok().flatten();
        drop(admin_token(config).map_err(&mut keep));
        SettingsError::unless_empty(wrong)?;
        Ok(Self { storage, shared })
    }
}

/// The token of the admin side, if there is one.
pub(crate) fn admin_token(config: &Config) -> Result<Option<SecretString>, OpenError> {
    let secret = config.own.admin.token.as_ref();
    let token = secret.map(tower_openrouter::settings::Secret::load).transpose();
    token.map_err(|error| problem(config, "admin.token", error.to_string()))
}

/// The ledger and the keys of the storage, if there is one.
pub(super) fn storage(config: &Config) -> Result<Option<(LedgerOptions, KeyDatabase)>, OpenError> {
    let OrOff::On(storage) = &config.own.storage else {
        return Ok(None);
    };
    let (ledger, keys) = match (&storage.postgres, config.sqlite()) {
        (Some(place), _) => {
            let wrong = |message| problem(config, "storage.postgres", message);
            // Each connection reads it again: its password may have been replaced.
            let place = place.clone();
            let url = move || postgres_url(&place).map_err(io::Error::other);
            let of_keys = url.clone();
            let ledger = LedgerOptions::postgres_from(move || Ok(url()?.expose_secret().to_owned()));
            let ledger = ledger.map_err(|error| wrong(error.to_string()))?;
            (ledger, KeyDatabase::postgres_from(of_keys))
        }
        (None, file) => {
            let file = file.unwrap_or_else(|| StorageSettings::DEFAULT_FILE.into());
            (LedgerOptions::sqlite(&file), KeyDatabase::sqlite(&file))
        }
    };
    Ok(Some((ledger.close_timeout(storage.close_timeout.0), keys)))
}

/// What the place has now. It is checked at each reading: the error of a client that cannot read it would quote it.
fn postgres_url(place: &Place) -> Result<SecretString, String> {
    let url = place.load()?;
    check_postgres(url.expose_secret())?;
    Ok(url)
}

/// Whether it is the URL of a PostgreSQL database. The message does not repeat it: it may hold a password.
fn check_postgres(url: &str) -> Result<(), String> {
    let is_postgres = url.starts_with("postgres://") || url.starts_with("postgresql://");
    if is_postgres && url.parse::<sqlx::any::AnyConnectOptions>().is_ok() {
        return Ok(());
    }
    Err("not the URL of a PostgreSQL database: write e.g. `postgres://USER:PASSWORD@HOST:5432/DATABASE`".to_owned())
}

/// The store that several gateways share, if there is one.
fn shared(config: &Config) -> Result<Option<StoreBuilder>, OpenError> {
    let Some(settings) = &config.own.shared else {
        return Ok(None);
    };
    let wrong = |message| problem(config, "shared.redis", message);
    let url = settings.redis.load().map_err(wrong)?;
    let store = Store::builder(url.expose_secret())
        .prefix(&settings.prefix)
        .lease(settings.lease.0)
        .decision_timeout(settings.decision_timeout.0);
    store.check().map_err(|error| wrong(error.to_string()))?;
    Ok(Some(store))
}

pub(super) fn problem(config: &Config, key: &str, message: String) -> OpenError {
    OpenError::Settings(config.stack.problem(key, message).into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_replaced_url_of_the_database_is_checked_and_not_quoted() {
        let folder = std::env::temp_dir().join(format!("gateway-places-{}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        let file = folder.join("database-url");
        let place = Place::new(format!("file:{}", file.display()));
        let good = "postgres://gateway:s3cr3t@127.0.0.1:5432/llm";
        std::fs::write(&file, good).unwrap();
        assert_eq!(postgres_url(&place).unwrap().expose_secret(), good);
        for wrong in [
            "mysql://gateway:s3cr3t@127.0.0.1/llm",
            "s3cr3t",
            "postgres://gateway:s3cr3t@[::",
        ] {
            std::fs::write(&file, wrong).unwrap();
            let error = postgres_url(&place).unwrap_err();
            assert!(error.contains("not the URL") && !error.contains("s3cr3t"), "{error}");
        }
        std::fs::remove_dir_all(&folder).unwrap();
    }
}
