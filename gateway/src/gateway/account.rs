//! The account of the settings' OpenRouter, where bills and the catalogue are requested: both follow it when a reload replaces it.

use tokio::task::spawn_blocking;
use tower_openrouter::{
    Account,
    settings::{Settings, SettingsError},
};

use super::Gateway;
use crate::settings::Config;

/// The account of these settings, and the name of its upstream; `None` if no upstream has one.
pub(super) async fn account_of(settings: &Settings) -> Result<Option<(String, Account)>, SettingsError> {
    let settings = settings.clone();
    spawn_blocking(move || settings.account()).await.unwrap_or(Ok(None))
}

/// Whether these settings have budgets.
pub(super) fn has_budgets(settings: &Settings) -> bool {
    !settings.budget.is_empty() || settings.max_per_hour.is_some()
}

/// The account of settings that are not in force yet.
pub(super) struct NextAccount {
    account: Result<Option<(String, Account)>, SettingsError>,
    /// Whether the settings in force use the catalogue.
    was_used: bool,
}

impl Gateway {
    /// The account of these settings, which are about to be in force. The catalogue is used if they use it, and if they have budgets, its first
    /// prices are waited for.
    pub(super) async fn next_account(&self, config: &Config, has_budgets: bool) -> NextAccount {
        let account = account_of(&config.stack).await;
        // What is wrong with the account is wrong with the stack, too, which reports it.
        let has_account = !matches!(account, Ok(None));
        let was_used = self.0.catalogue.use_by(config, has_account);
        if has_budgets {
            let account = account.as_ref().ok().and_then(Option::as_ref);
            self.0.catalogue.first_prices(config, account).await;
        }
        NextAccount { account, was_used }
    }

    /// Its settings were refused.
    pub(super) fn keep_account(&self, next: &NextAccount) {
        self.0.catalogue.set_used(next.was_used);
    }

    /// Its settings are in force: bills and the catalogue are requested there. If there is none any more, bills of answers that came before are
    /// still requested at the one before.
    pub(super) fn follow_account(&self, config: &Config, next: NextAccount) {
        let account = match next.account {
            Ok(account) => account,
            Err(error) => {
                tracing::warn!(target: "gateway", %error, "bills and prices are requested at the account of the settings before");
                return;
            }
        };
        self.0.catalogue.follow(config, account.as_ref());
        match (&self.0.bills, account) {
            (Some(bills), Some((name, account))) => bills.replace(&name, account),
            (None, Some(_)) if self.0.ledger.is_some() => {
                tracing::warn!(target: "gateway", "late bills are requested from the next start on: at this one no upstream reported them");
            }
            (_, None) | (None, Some(_)) => {}
        }
    }
}
