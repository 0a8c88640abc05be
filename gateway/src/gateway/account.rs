//! The accounts of the settings' upstreams, where bills and the catalogue are requested: both follow them when a reload replaces them.

use secrecy::ExposeSecret;
use tokio::task::spawn_blocking;
use tower_openrouter::{
    Account,
    settings::{ConnectionsSettings, KeySettings, ProxySettings, Secret, Settings, SettingsError, UpstreamSettings},
};

use super::Gateway;
use crate::{keys::KeyHash, settings::Config};

/// The account of settings.
pub(super) struct OwnAccount {
    /// The name of its upstream.
    pub(super) name: String,
    pub(super) account: Account,
    pub(super) origin: Origin,
}

/// What an account is made of: one that is made of the same is the same.
#[derive(PartialEq, Eq, Clone)]
pub(super) struct Origin {
    upstream: UpstreamSettings,
    connections: ConnectionsSettings,
    /// Its keys and the proxy as they were read, by their hashes.
    secrets: Vec<Option<KeyHash>>,
}

impl Origin {
    /// Waits for the disk if secrets are in files.
    fn of(upstream: &UpstreamSettings, connections: &ConnectionsSettings) -> Self {
        let hash = |secret: &Secret| {
            let text = secret.load().ok()?;
            Some(KeyHash::of(text.expose_secret().as_bytes()))
        };
        let mut secrets = match &upstream.key {
            Some(KeySettings::One(secret)) => vec![hash(secret)],
            Some(KeySettings::Pool(pool)) => pool.iter().map(hash).collect(),
            _ => Vec::new(),
        };
        if let Some(ProxySettings::Secret(secret)) = &connections.proxy {
            secrets.push(hash(secret));
        }
        Self {
            upstream: upstream.clone(),
            connections: connections.clone(),
            secrets,
        }
    }
}

/// The accounts of these settings. The catalogue is read from the first, and bills from all.
pub(super) async fn accounts_of(settings: &Settings) -> Result<Vec<OwnAccount>, SettingsError> {
    let settings = settings.clone();
    let accounts = spawn_blocking(move || read(&settings)).await;
    accounts.unwrap_or_else(|panicked| std::panic::resume_unwind(panicked.into_panic()))
}

fn read(settings: &Settings) -> Result<Vec<OwnAccount>, SettingsError> {
    // Before the account is read: a key that is replaced in between is another one at the next reload.
    let origins = settings.upstream.iter();
    let origins: Vec<_> = origins
        .map(|upstream| Origin::of(upstream, &settings.connections))
        .collect();
    let own = |(name, account): (String, Account)| {
        let origin = origins.iter().find(|origin| origin.upstream.name.trim() == name)?;
        let origin = origin.clone();
        Some(OwnAccount { name, account, origin })
    };
    Ok(settings.accounts()?.into_iter().filter_map(own).collect())
}

/// Whether these settings have budgets.
pub(super) fn has_budgets(settings: &Settings) -> bool {
    !settings.budget.is_empty() || settings.max_per_hour.is_some()
}

/// The accounts of settings that are not in force yet.
pub(super) struct NextAccounts {
    accounts: Result<Vec<OwnAccount>, SettingsError>,
    /// Whether the settings in force use the catalogue.
    was_used: bool,
}

impl Gateway {
    /// The accounts of these settings, which are about to be in force. The catalogue is used if they use it, and if they have budgets, its first
    /// prices are waited for.
    pub(super) async fn next_accounts(&self, config: &Config, has_budgets: bool) -> NextAccounts {
        let accounts = accounts_of(&config.stack).await;
        // What is wrong with an account is wrong with the stack, too, which reports it.
        let has_account = !accounts.as_ref().is_ok_and(Vec::is_empty);
        let was_used = self.0.catalogue.use_by(config, has_account);
        if has_budgets {
            let first = accounts.as_ref().ok().and_then(|accounts| accounts.first());
            self.0.catalogue.first_prices(config, first).await;
        }
        NextAccounts { accounts, was_used }
    }

    /// Their settings were refused.
    pub(super) fn keep_accounts(&self, next: &NextAccounts) {
        self.0.catalogue.set_used(next.was_used);
    }

    /// Their settings are in force: bills and the catalogue are requested there. Bills of answers that came from an upstream that is no longer there are
    /// still requested at its account.
    pub(super) fn follow_accounts(&self, config: &Config, next: NextAccounts) {
        let accounts = match next.accounts {
            Ok(accounts) => accounts,
            Err(error) => {
                tracing::warn!(target: "gateway", %error, "bills and prices are requested at the account of the settings before");
                return;
            }
        };
        self.0.catalogue.follow(config, accounts.first());
        if let Some(bills) = &self.0.bills {
            for own in accounts {
                bills.replace(&own.name, own.account);
            }
        } else if self.0.ledger.is_some() && !accounts.is_empty() {
            tracing::warn!(target: "gateway", "late bills are requested from the next start on: at this one no upstream reported them");
        }
    }
}
