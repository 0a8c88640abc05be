//! Models and prices, read from OpenRouter in the background.

use std::{
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use tokio::{runtime::Handle, time::timeout};
use tower_openrouter::{
    Catalogue,
    catalogue::{CatalogueRefresh, Refreshing},
    layers::PriceList,
    stack::StackBuilder,
};

use super::account::{Origin, OwnAccount};
use crate::settings::Config;

/// How long prices are waited for if there are budgets: without a price a budget refuses.
const FIRST: Duration = Duration::from_secs(5);

/// A catalogue that is read again every hour, if the settings do not say what models and prices there are. Cheap to clone; clones are the same.
#[derive(Clone, Default)]
pub(super) struct Refreshed {
    catalogue: Catalogue,
    is_used: Arc<AtomicBool>,
    /// Reads it from the account of the settings in force, while they use it.
    followed: Arc<Mutex<Option<Followed>>>,
}

/// The account that it is read from.
struct Followed {
    origin: Origin,
    /// Those whose endpoints are read with it.
    models: Vec<String>,
    _refreshing: Refreshing,
}

impl Refreshed {
    /// Is used by the stacks that are built from now on, if these settings, of an upstream that has a catalogue or not, use one. Returns whether it
    /// was.
    pub(super) fn use_by(&self, config: &Config, has_account: bool) -> bool {
        let stack = &config.stack;
        self.set_used(
            has_account && config.own.refresh_catalogue && stack.catalogue.is_none() && stack.prices.is_empty(),
        )
    }

    /// Whether it is used by the stacks that are built from now on. Returns whether it was.
    pub(super) fn set_used(&self, is_used: bool) -> bool {
        self.is_used.swap(is_used, Ordering::Relaxed)
    }

    fn is_used(&self) -> bool {
        self.is_used.load(Ordering::Relaxed)
    }

    /// Waits for the first prices, if it is used and was never read: before settings with budgets are in force.
    pub(super) async fn first_prices(&self, config: &Config, account: Option<&OwnAccount>) {
        let is_awaited = self.is_used() && self.catalogue.read_at().is_none();
        let Some(account) = account.filter(|_| is_awaited) else {
            return;
        };
        match timeout(FIRST, self.refresh_from(config, account).once()).await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => {
                tracing::warn!(target: "gateway", base_url = account.account.base_url(), %error, "prices are not known yet: budgets that do not only warn refuse until they are");
            }
            Err(_) => {
                tracing::warn!(target: "gateway", "prices did not come in {FIRST:?}: budgets that do not only warn refuse until they do");
            }
        }
    }

    /// Reads it from this account from now on, the first time at once, if it is used; and from no account before. If the account and the models are those
    /// that are followed already, nothing changes: it was read within the hour, or is tried again soon.
    pub(super) fn follow(&self, config: &Config, account: Option<&OwnAccount>) {
        let mut followed = self.followed.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(account) = account.filter(|_| self.is_used()) else {
            *followed = None;
            return;
        };
        let models = models_of(config, account);
        if followed
            .as_ref()
            .is_some_and(|known| known.origin == account.origin && known.models == models)
        {
            return;
        }
        let refresh = self.refresh_from(config, account);
        *followed = Some(Followed {
            origin: account.origin.clone(),
            models,
            _refreshing: refresh.spawn_on(&Handle::current()),
        });
    }

    fn refresh_from(&self, config: &Config, own: &OwnAccount) -> CatalogueRefresh {
        CatalogueRefresh::new(self.catalogue.clone(), own.account.clone()).endpoints_of(models_of(config, own))
    }

    /// Its prices, if it is used.
    pub(super) fn prices(&self) -> Option<Arc<dyn PriceList>> {
        self.is_used().then(|| Arc::new(self.catalogue.clone()) as _)
    }

    /// The builder with it, if it is used.
    pub(super) fn apply(&self, builder: StackBuilder) -> StackBuilder {
        if self.is_used() {
            let catalogue = Arc::new(self.catalogue.clone());
            return builder.catalogue(Arc::clone(&catalogue) as _).prices(catalogue);
        }
        builder
    }
}

/// The models of the chain at the upstream of this account.
fn models_of(config: &Config, account: &OwnAccount) -> Vec<String> {
    let candidates = config.stack.chain.iter().chain(&config.stack.cheaper);
    let models = candidates.filter(|candidate| candidate.upstream == account.name);
    models.map(|candidate| candidate.model.clone()).collect()
}
