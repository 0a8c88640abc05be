//! Puts other settings and other client keys in force, without ending a call.

use std::path::Path;

use tokio::task::spawn_blocking;
use tower_openrouter::settings::Settings;

use super::{
    Backoff, Gateway, InForce, OpenError,
    account::has_budgets,
    client_keys::{Keys, keys_have_budgets},
};
use crate::{
    keys::{KeyDatabaseError, KeyOnRing},
    settings::{Config, ConfigError, GatewaySettings, Stamp},
};

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
        let reloaded = self.put_file(path, is_again).await;
        self.0.refused.note(reloaded.as_ref().err());
        reloaded
    }

    async fn put_file(&self, path: &Path, is_again: bool) -> Result<(), OpenError> {
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
        // Without the lock: prices may be waited for, and new keys are not.
        let has_budgets = has_budgets(&config.stack) || keys_have_budgets(&config, &self.0.client_keys.stored().1);
        let accounts = self.next_accounts(&config, has_budgets).await;
        let mut in_force = self.0.in_force.lock().await;
        let config = Config {
            listen: in_force.config.listen,
            ..config
        };
        let (version, stored) = self.0.client_keys.stored();
        let keys = Keys::of(&config, &stored);
        if let Err(error) = self.replace(keys.with_budgets(&config)).await {
            self.keep_accounts(&accounts);
            // The stack logs what is wrong with its settings.
            if !is_again && !matches!(error, OpenError::Settings(_)) {
                tracing::error!(target: "gateway", %error, "settings refused: the old ones stay in force");
            }
            return Err(error);
        }
        self.follow_accounts(&config, accounts);
        for key in fixed(&in_force.started, &in_force.config.own, &config.own) {
            tracing::warn!(target: "gateway", key, "this setting changes with the next start");
        }
        self.0.client_keys.put(keys);
        in_force.config = config;
        in_force.version = version;
        in_force.pending = None;
        Ok(())
    }

    /// Looks whether the keys of the database have changed. Those that it has revoked are refused at once, and what it allows the others, but for their
    /// budgets, is in force at once: it waits for the database alone.
    pub(super) async fn read_keys(&self) -> Result<(), KeyDatabaseError> {
        let Some(database) = &self.0.keys else { return Ok(()) };
        let version = database.version().await?;
        if version != self.0.client_keys.version() {
            // Read after the version: what changes in between is read again.
            self.0.client_keys.read(version, database.read().await?);
        }
        Ok(())
    }

    /// Puts the keys in force that were read last, with their budgets: it waits for what their windows have spent, and for other settings that are
    /// being put in force.
    ///
    /// # Errors
    ///
    /// If the settings with the budgets of new keys are refused: then those keys are not in force, and tried again, while all others are as the
    /// database says.
    pub(super) async fn put_keys(&self) -> Result<(), OpenError> {
        let mut in_force = self.0.in_force.lock().await;
        let (version, stored) = self.0.client_keys.stored();
        if version != in_force.version {
            in_force.version = version;
            in_force.pending = Some(Backoff::now());
        }
        let Some(mut backoff) = in_force.pending else {
            return Ok(());
        };
        if !backoff.is_due() {
            return Err(OpenError::KeysPending);
        }
        let InForce { config, .. } = &*in_force;
        let mut keys = Keys::of(config, &stored);
        let settings = keys.with_budgets(config);
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
            let ring = self.ring();
            keys.retain(|key: &KeyOnRing| key.rules.budget.is_empty() || ring.has(&key.name));
            self.0.client_keys.put(keys);
            backoff.refused();
            in_force.pending = Some(backoff);
            return Err(error);
        }
        self.0.client_keys.put(keys);
        in_force.pending = None;
        tracing::info!(target: "gateway::keys", keys = self.ring().len(), "client keys replaced");
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

/// Which of the new settings wait for a start: those that have changed, and are not as they were at the last one.
fn fixed(started: &GatewaySettings, before: &GatewaySettings, after: &GatewaySettings) -> Vec<&'static str> {
    let both = changed(before, after).into_iter().zip(changed(started, after));
    both.filter(|((_, is_new), (_, is_waiting))| *is_new && *is_waiting)
        .map(|((key, _), _)| key)
        .collect()
}

/// What only a start changes, and whether it is different.
fn changed(old: &GatewaySettings, new: &GatewaySettings) -> [(&'static str, bool); 9] {
    [
        ("listen", old.listen != new.listen),
        ("admin", old.admin != new.admin),
        ("storage", old.storage != new.storage),
        ("shared", old.shared != new.shared),
        ("server", old.server != new.server),
        ("log", old.log != new.log),
        ("telemetry", old.telemetry != new.telemetry),
        ("record", old.record != new.record),
        ("record_max_bytes", old.record_max_bytes != new.record_max_bytes),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_setting_that_is_as_it_runs_waits_for_no_start() {
        let listening = |address: &str| GatewaySettings {
            listen: address.to_owned(),
            ..GatewaySettings::default()
        };
        let (running, other) = (listening("127.0.0.1:8080"), listening("127.0.0.1:9090"));
        assert_eq!(fixed(&running, &running, &other), ["listen"]);
        assert!(fixed(&running, &other, &other).is_empty(), "it was logged");
        assert!(fixed(&running, &other, &running).is_empty(), "it is in force");
    }
}
