//! Models and prices, read from OpenRouter in the background.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use tokio::{runtime::Handle, time::timeout};
use tower_openrouter::{
    Account, Catalogue,
    catalogue::{CatalogueRefresh, Refreshing},
    layers::PriceList,
    stack::StackBuilder,
};

use crate::settings::Config;

/// How long the start waits for prices if there are budgets: without a price a budget refuses.
const FIRST: Duration = Duration::from_secs(5);

/// A catalogue that is read again every hour, if the settings do not say what models and prices there are.
#[derive(Clone)]
pub(super) struct Refreshed {
    catalogue: Catalogue,
    is_used: Arc<AtomicBool>,
    is_there: bool,
    _refreshing: Option<Refreshing>,
}

impl Refreshed {
    /// An empty one, of an upstream that has one or not.
    pub(super) fn new(config: &Config, is_there: bool) -> Self {
        let refreshed = Self {
            catalogue: Catalogue::default(),
            is_used: Arc::default(),
            is_there,
            _refreshing: None,
        };
        refreshed.follow(config);
        refreshed
    }

    /// Begins to read it from this account.
    pub(super) async fn begin(config: &Config, account: Option<&(String, Account)>, has_budgets: bool) -> Self {
        let mut refreshed = Self::new(config, account.is_some());
        let catalogue = refreshed.catalogue.clone();
        let Some((name, account)) = account.filter(|_| refreshed.is_used()) else {
            return refreshed;
        };
        let candidates = config.stack.chain.iter().chain(&config.stack.cheaper);
        let models = candidates.filter(|candidate| candidate.upstream == *name);
        let refresh = CatalogueRefresh::new(catalogue, account.clone()).endpoints_of(models.map(|model| &*model.model));
        if has_budgets {
            match timeout(FIRST, refresh.once()).await {
                Ok(Ok(())) => {}
                Ok(Err(error)) => {
                    tracing::warn!(target: "gateway", %error, "prices are not known yet: budgets refuse until they are");
                }
                Err(_) => {
                    tracing::warn!(target: "gateway", "prices did not come in {FIRST:?}: budgets refuse until they do");
                }
            }
        }
        refreshed._refreshing = Some(refresh.spawn_on(&Handle::current()));
        refreshed
    }

    /// Follows other settings.
    pub(super) fn follow(&self, config: &Config) {
        let stack = &config.stack;
        let is_used =
            self.is_there && config.own.refresh_catalogue && stack.catalogue.is_none() && stack.prices.is_empty();
        self.is_used.store(is_used, Ordering::Relaxed);
    }

    fn is_used(&self) -> bool {
        self.is_used.load(Ordering::Relaxed)
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
