//! Puts other settings and other client keys in force, without ending a call.

use std::{
    collections::HashSet,
    path::{Path, PathBuf},
    time::{Duration, SystemTime},
};

use tokio::{task::spawn_blocking, time::sleep};
use tower_openrouter::settings::Settings;

use super::{Gateway, InForce, OpenError};
use crate::{
    keys::{KeyOnRing, StoredKey},
    settings::{Config, ConfigError},
};

/// How often the database of client keys and the settings file are looked at. A key that is revoked is refused by all gateways within this time.
pub const RELOAD_EVERY: Duration = Duration::from_millis(500);

/// How often the histograms are emptied.
const TIDY_EVERY: Duration = Duration::from_secs(5);

/// The keys of the file and of the database. One of the file goes before one of the same name.
pub(super) fn keys_of(config: &Config, stored: &[StoredKey]) -> Vec<KeyOnRing> {
    let mut names = HashSet::new();
    let mut keys = Vec::new();
    for entry in &config.own.key {
        // The file was checked.
        let Ok(hash) = entry.hash.parse() else { continue };
        names.insert(entry.name.as_str());
        keys.push(KeyOnRing {
            name: entry.name.clone(),
            hash,
            rules: entry.rules(),
            is_revoked: false,
        });
    }
    for key in stored {
        if names.contains(key.name.as_str()) {
            tracing::warn!(target: "gateway::keys", key = key.name, "this key of the database is left out: the settings file has one of its name");
            continue;
        }
        if let Some((member, message)) = key.rules.problems(&key.name).first() {
            tracing::error!(target: "gateway::keys", key = key.name, member, message, "this key of the database is left out");
            continue;
        }
        keys.push(KeyOnRing {
            name: key.name.clone(),
            hash: key.hash,
            rules: key.rules.clone(),
            is_revoked: key.revoked.is_some(),
        });
    }
    keys
}

/// The settings of the stack with the budgets of these keys.
pub(super) fn with_key_budgets(config: &Config, keys: &[KeyOnRing]) -> Settings {
    let mut settings = config.stack.clone();
    let in_force = keys.iter().filter(|key| !key.is_revoked);
    settings
        .budget
        .extend(in_force.flat_map(|key| key.rules.budgets(&key.name)));
    settings
}

impl Gateway {
    /// Reads the settings file again, and puts it in force. What only a start can change is logged.
    ///
    /// # Errors
    ///
    /// Everything that is wrong with it; then the old settings stay in force.
    pub async fn reload(&self, path: &Path) -> Result<(), OpenError> {
        let read = {
            let path = path.to_owned();
            spawn_blocking(move || Config::from_file(&path)).await
        };
        let config = match read {
            Ok(Ok(config)) => config,
            Ok(Err(ConfigError::Settings(error))) => {
                tracing::error!(target: "gateway", %error, "settings refused: the old ones stay in force");
                return Err(error.into());
            }
            Ok(Err(ConfigError::NoKey)) | Err(_) => return Ok(()),
        };
        let mut in_force = self.0.in_force.lock().await;
        fixed(&in_force.config, &config);
        let config = Config {
            listen: in_force.config.listen,
            ..config
        };
        self.0.catalogue.follow(&config);
        let keys = keys_of(&config, &in_force.stored);
        let replaced = self.replace(with_key_budgets(&config, &keys)).await;
        if let Err(error) = replaced {
            self.0.catalogue.follow(&in_force.config);
            return Err(error);
        }
        self.0.ring.replace(keys);
        in_force.config = config;
        Ok(())
    }

    /// Looks whether the keys of the database have changed, and puts those in force that it has.
    ///
    /// # Errors
    ///
    /// If the database does not answer; then the old keys stay in force.
    pub async fn reload_keys(&self) -> Result<(), OpenError> {
        let Some(database) = &self.0.keys else { return Ok(()) };
        let mut in_force = self.0.in_force.lock().await;
        let version = database.version().await?;
        if version == in_force.version {
            return Ok(());
        }
        // Read after the version: what changes in between is read again.
        let stored = database.all().await?;
        let InForce { config, .. } = &*in_force;
        let keys = keys_of(config, &stored);
        let settings = with_key_budgets(config, &keys);
        if settings == self.0.handle.settings() {
            self.0.ring.replace(keys);
        } else {
            match self.replace(settings).await {
                Ok(()) => self.0.ring.replace(keys),
                // Revoked is revoked; a key whose budgets are not in force is not in force either.
                Err(_) => {
                    let known = |key: &KeyOnRing| key.rules.budget.is_empty() || self.0.ring.has(&key.name);
                    self.0.ring.replace(keys.into_iter().filter(known).collect::<Vec<_>>());
                }
            }
        }
        tracing::info!(target: "gateway::keys", keys = self.0.ring.len(), "client keys replaced");
        in_force.stored = stored;
        in_force.version = version;
        Ok(())
    }

    async fn replace(&self, settings: Settings) -> Result<(), OpenError> {
        let handle = self.0.handle.clone();
        match spawn_blocking(move || handle.replace(settings)).await {
            Ok(replaced) => Ok(replaced?),
            Err(panicked) => std::panic::resume_unwind(panicked.into_panic()),
        }
    }
}

/// Logs which of the new settings wait for a start.
fn fixed(before: &Config, after: &Config) {
    let (old, new) = (&before.own, &after.own);
    for (key, is_changed) in [
        ("listen", old.listen != new.listen),
        ("admin", old.admin != new.admin),
        ("storage", old.storage != new.storage),
        ("shared", old.shared != new.shared),
        ("server", old.server != new.server),
        ("log", old.log != new.log),
        ("record", old.record != new.record),
        ("record_max_bytes", old.record_max_bytes != new.record_max_bytes),
    ] {
        if is_changed {
            tracing::warn!(target: "gateway", key, "this setting changes with the next start");
        }
    }
}

/// Follows the keys of the database until it is dropped.
pub async fn watch_keys(gateway: Gateway) {
    let mut is_failing = false;
    loop {
        sleep(RELOAD_EVERY).await;
        match gateway.reload_keys().await {
            Ok(()) => is_failing = false,
            Err(error) if !is_failing => {
                tracing::error!(target: "gateway::keys", %error, "the client keys are not read: the old ones stay in force");
                is_failing = true;
            }
            Err(_) => {}
        }
    }
}

/// Empties what the histograms have gathered, until it is dropped: otherwise it grows until the metrics are read.
pub async fn tidy_metrics(gateway: Gateway) {
    loop {
        sleep(TIDY_EVERY).await;
        if let Some(metrics) = &gateway.0.metrics {
            metrics.run_upkeep();
        }
    }
}

/// Follows the settings file until it is dropped: reads it again when it has changed.
pub async fn watch_file(gateway: Gateway, path: PathBuf) {
    let stamp = async || {
        let path = path.clone();
        let about = spawn_blocking(move || std::fs::metadata(path)).await.ok()?.ok()?;
        Some((about.modified().ok()?, about.len()))
    };
    let mut seen: Option<(SystemTime, u64)> = stamp().await;
    loop {
        sleep(RELOAD_EVERY).await;
        let now = stamp().await;
        // One that is not there is being replaced.
        if now.is_some() && now != seen {
            seen = now;
            // What is wrong with it was logged.
            drop(gateway.reload(&path).await);
        }
    }
}
