//! Puts other settings and other client keys in force, without ending a call.

use std::{collections::HashSet, path::Path};

use tokio::task::spawn_blocking;
use tower_openrouter::settings::Settings;

use super::{Backoff, Gateway, InForce, OpenError, account::has_budgets};
use crate::{
    keys::{KeyOnRing, StoredKey},
    settings::{Config, ConfigError, Stamp},
};

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

/// Whether a key of the file or of the database has a budget.
fn keys_have_budgets(config: &Config, stored: &[StoredKey]) -> bool {
    let of_database = stored.iter().filter(|key| key.revoked.is_none());
    let mut budgets = of_database
        .map(|key| &key.rules.budget)
        .chain(config.own.key.iter().map(|key| &key.budget));
    budgets.any(|budgets| !budgets.is_empty())
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
        self.reload_file(path, false).await
    }

    /// The same; what was refused before is not logged again.
    pub(super) async fn reload_file(&self, path: &Path, is_again: bool) -> Result<(), OpenError> {
        let read = {
            let path = path.to_owned();
            spawn_blocking(move || {
                let config = Config::from_file(&path)?;
                let is_readable = !is_again || config.stamp.is_readable();
                Ok((config, is_readable))
            })
            .await
        };
        let config = match read {
            Ok(Ok((config, true))) => config,
            Ok(Ok((_, false))) => return Err(OpenError::Unreadable),
            Ok(Err(ConfigError::Settings(error))) => {
                if !is_again {
                    tracing::error!(target: "gateway", %error, "settings refused: the old ones stay in force");
                }
                return Err(error.into());
            }
            Ok(Err(ConfigError::NoKey)) | Err(_) => return Ok(()),
        };
        // Without the lock: prices may be waited for, and a revoked key is not.
        let has_budgets =
            has_budgets(&config.stack) || keys_have_budgets(&config, &self.0.in_force.lock().await.stored);
        let account = self.next_account(&config, has_budgets).await;
        let mut in_force = self.0.in_force.lock().await;
        let config = Config {
            listen: in_force.config.listen,
            ..config
        };
        let keys = keys_of(&config, &in_force.stored);
        let settings = with_key_budgets(&config, &keys);
        if let Err(error) = self.replace(settings).await {
            self.keep_account(&account);
            // The stack logs what is wrong with its settings.
            if !is_again && !matches!(error, OpenError::Settings(_)) {
                tracing::error!(target: "gateway", %error, "settings refused: the old ones stay in force");
            }
            return Err(error);
        }
        self.follow_account(&config, account);
        fixed(&in_force.config, &config);
        self.0.ring.replace(keys);
        in_force.config = config;
        in_force.pending = None;
        Ok(())
    }

    /// Looks whether the keys of the database have changed, and puts those in force that it has.
    ///
    /// # Errors
    ///
    /// If the database does not answer; then the old keys stay in force. If the settings with the budgets of new keys are refused: then those keys are
    /// not in force, and tried again, while all others are as the database says.
    pub async fn reload_keys(&self) -> Result<(), OpenError> {
        let Some(database) = &self.0.keys else { return Ok(()) };
        let mut in_force = self.0.in_force.lock().await;
        let version = database.version().await?;
        if version != in_force.version {
            // Read after the version: what changes in between is read again.
            in_force.stored = database.all().await?;
            in_force.version = version;
            in_force.pending = Some(Backoff::now());
        }
        let Some(mut backoff) = in_force.pending else {
            return Ok(());
        };
        if !backoff.is_due() {
            return Err(OpenError::KeysPending);
        }
        let InForce { config, stored, .. } = &*in_force;
        let keys = keys_of(config, stored);
        let settings = with_key_budgets(config, &keys);
        let replaced = if settings == self.0.handle.settings() {
            Ok(())
        } else if backoff.is_again() && !is_readable(config.stamp.clone()).await {
            // What was refused before is not logged again.
            Err(OpenError::Unreadable)
        } else {
            self.replace(settings).await
        };
        if let Err(error) = replaced {
            // Revoked is revoked; a key whose budgets are not in force is not in force either.
            let known = |key: &KeyOnRing| key.rules.budget.is_empty() || self.0.ring.has(&key.name);
            self.0.ring.replace(keys.into_iter().filter(known).collect::<Vec<_>>());
            backoff.refused();
            in_force.pending = Some(backoff);
            return Err(error);
        }
        self.0.ring.replace(keys);
        in_force.pending = None;
        tracing::info!(target: "gateway::keys", keys = self.0.ring.len(), "client keys replaced");
        Ok(())
    }

    /// Puts these settings in force, under the caller's lock. A budget that was not there, or had another window or scope, begins with what its window has spent.
    async fn replace(&self, settings: Settings) -> Result<(), OpenError> {
        let (new, changed) = self.refill(&settings).await?;
        new.put().await;
        let handle = self.0.handle.clone();
        let before = handle.settings();
        if let Some(keys) = &self.0.idempotency {
            keys.follow(&settings);
        }
        let replaced = match spawn_blocking(move || handle.replace(settings)).await {
            Ok(replaced) => replaced,
            Err(panicked) => std::panic::resume_unwind(panicked.into_panic()),
        };
        if let (Err(_), Some(keys)) = (&replaced, &self.0.idempotency) {
            keys.follow(&before);
        }
        replaced?;
        changed.put().await;
        Ok(())
    }

    /// Gives the shared store the secret of idempotency keys back if it has lost it, or takes the one that another gateway has drawn since.
    pub(super) async fn renew_idempotency(&self) -> Result<(), OpenError> {
        let Some(keys) = &self.0.idempotency else { return Ok(()) };
        if !keys.renew().await? {
            return Ok(());
        }
        tracing::warn!(target: "gateway", "the shared store has another secret of idempotency keys: this gateway uses it from now on");
        let _in_force = self.0.in_force.lock().await;
        let settings = self.0.handle.settings();
        self.replace(settings).await
    }
}

async fn is_readable(stamp: Stamp) -> bool {
    spawn_blocking(move || stamp.is_readable()).await.unwrap_or(false)
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
        ("telemetry", old.telemetry != new.telemetry),
        ("record", old.record != new.record),
        ("record_max_bytes", old.record_max_bytes != new.record_max_bytes),
    ] {
        if is_changed {
            tracing::warn!(target: "gateway", key, "this setting changes with the next start");
        }
    }
}
