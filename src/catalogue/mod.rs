//! What is known of models: who can take which request, and what it costs.

mod capability;
mod file;
mod prices;
mod rates;
mod refresh;
mod table;

use std::{
    fmt,
    sync::{Arc, PoisonError, RwLock},
    time::Duration,
};

use tower_llm_layers::UtcTime;

use self::table::Table;
use crate::response::{Model, ModelEndpoints, Pricing};

pub use file::CatalogueFileError;
pub use refresh::{CatalogueRefresh, REFRESH_EVERY, Refreshing};

/// OpenRouter's models by name: what they can take, and what they cost.
///
/// A stack passes over candidates that cannot take a request ([`StackBuilder::catalogue`](crate::stack::StackBuilder::catalogue)) and holds
/// and estimates money by it ([`StackBuilder::prices`](crate::stack::StackBuilder::prices)). Cheap to clone; clones see the same models, also
/// when they are [refreshed](CatalogueRefresh).
///
/// A model is known by its id, its dated slug, an alias, and any of them with routing variants such as `:nitro` or a preset behind it. A
/// candidate at another upstream is unknown, unless its price is [given](Self::with_price).
///
/// ```
/// use tower_openrouter::{Candidate, Catalogue, layers::{Needs, PriceList, Quote, UtcTime}};
///
/// let model = r#"{"id":"openai/gpt-5","pricing":{"prompt":"0.00000125","completion":"0.00001"}}"#;
/// let catalogue = Catalogue::new([serde_json::from_str(model)?]);
/// let candidate = Candidate::new("openrouter", "openai/gpt-5:nitro")?;
/// let Quote::Known(tariff) = catalogue.quote(&candidate, &Needs::default(), UtcTime::now()) else {
///     return Err("it has a price".into());
/// };
/// assert_eq!(tariff.cost(1000, 100)?.to_string(), "$0.00225");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Default)]
pub struct Catalogue {
    // Written when the models are read again, which is seldom; read for a moment.
    table: Arc<RwLock<Arc<Table>>>,
}

impl Catalogue {
    /// From the answer of [`Account::models`](crate::Account::models), read just now.
    #[must_use]
    pub fn new(models: impl IntoIterator<Item = Model>) -> Self {
        let catalogue = Self::default();
        catalogue.replace(models, UtcTime::now());
        catalogue
    }

    /// A model by its id, its dated slug, an alias, or any of them with a routing variant such as `:nitro`.
    #[must_use]
    pub fn model(&self, name: &str) -> Option<Arc<Model>> {
        self.table().row(crate::transport::OPENROUTER, name)?.model.clone()
    }

    /// The same catalogue with the price of a model at another upstream: what a provider asks for when it is called directly.
    #[must_use]
    pub fn with_price(self, upstream: &str, model: &str, pricing: &Pricing) -> Self {
        self.change(|table| table.price(upstream, model, pricing));
        self
    }

    /// Takes in who serves a model: from then on its worst price is that of its dearest endpoint.
    pub fn learn_endpoints(&self, endpoints: &ModelEndpoints) {
        self.change(|table| table.endpoints(endpoints));
    }

    /// Puts these models in the place of those that were there. Endpoints and prices given by hand stay.
    pub fn replace(&self, models: impl IntoIterator<Item = Model>, read_at: UtcTime) {
        self.change(|table| table.replace(models, read_at));
    }

    /// When the models were read; `None` where none have been.
    #[must_use]
    pub fn read_at(&self) -> Option<UtcTime> {
        self.table().read_at
    }

    /// How long ago the models were read.
    #[must_use]
    pub fn age(&self) -> Option<Duration> {
        self.read_at().map(|read_at| UtcTime::now().since(read_at))
    }

    /// How many models there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.table().models.len()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The names of models whose price cannot be read: budgets refuse them. That of a router, which varies, is none of these.
    #[must_use]
    pub fn unpriced(&self) -> Vec<String> {
        self.table().unpriced()
    }

    fn table(&self) -> Arc<Table> {
        Arc::clone(&self.table.read().unwrap_or_else(PoisonError::into_inner))
    }

    fn change(&self, change: impl FnOnce(&mut Table)) {
        let mut table = self.table.write().unwrap_or_else(PoisonError::into_inner);
        change(Arc::make_mut(&mut table));
    }
}

impl fmt::Debug for Catalogue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let table = self.table();
        f.debug_struct("Catalogue")
            .field("models", &table.models.len())
            .field("read_at", &table.read_at)
            .finish_non_exhaustive()
    }
}
