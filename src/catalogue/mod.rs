//! What is known of models: which model can take which request, and what it costs.

mod capability;
mod endpoint_queue;
mod file;
mod names;
mod prices;
mod rates;
mod refresh;
mod served;
mod table;

use std::{
    fmt,
    sync::{Arc, Mutex, PoisonError, RwLock, atomic::Ordering},
    time::Duration,
};

use tower_llm_layers::UtcTime;

use self::{
    endpoint_queue::EndpointQueue,
    table::{Row, Table},
};
use openrouter_wire::catalogue::{Model, ModelEndpoints, Pricing};

pub use file::CatalogueFileError;
pub use prices::PLUGIN_SEARCH;
pub use refresh::{CatalogueRefresh, DEFAULT_REFRESH_EVERY, Refreshing};

/// OpenRouter's models by name: what they can take, and what they cost.
///
/// A stack skips candidates that cannot take a request ([`StackBuilder::catalogue`](crate::stack::StackBuilder::catalogue)), and reserves
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
/// let Quote::Known(worst) = catalogue.quote(&candidate, &Needs::default(), UtcTime::now()) else {
///     return Err("it has a price".into());
/// };
/// assert_eq!(worst.cost(1000, 100)?.to_string(), "$0.00225");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Default)]
pub struct Catalogue {
    shared: Arc<CatalogueState>,
}

#[derive(Default)]
struct CatalogueState {
    /// Locked for as long as it takes to take a pointer or put one there.
    table: RwLock<Arc<Table>>,
    /// Held while a new table is made: one at a time.
    making: Mutex<()>,
    endpoint_queue: EndpointQueue,
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

    /// Adds the price of a model at another upstream, such as a provider that is called directly, or replaces the price that OpenRouter
    /// reports. Clones see it too. It stays when the models are read again; it is not saved. A price that cannot be parsed is unknown, and
    /// budgets refuse it.
    ///
    /// ```
    /// use tower_openrouter::{Catalogue, response::Pricing};
    ///
    /// let pricing: Pricing = serde_json::from_str(r#"{"prompt":"0.00000125","completion":"0.00001"}"#)?;
    /// let catalogue = Catalogue::default().with_price("openai", "gpt-5", &pricing);
    /// # Ok::<(), serde_json::Error>(())
    /// ```
    #[must_use]
    pub fn with_price(self, upstream: &str, model: &str, pricing: &Pricing) -> Self {
        self.change(|table| table.price(upstream, model, pricing));
        self
    }

    /// Takes in the endpoints of a model: from then on its worst price is that of its most expensive endpoint. A [refresh](CatalogueRefresh)
    /// does so by itself for each model of which a price was requested.
    pub fn add_endpoints(&self, endpoints: &ModelEndpoints) {
        self.learn(&endpoints.id, endpoints.clone());
    }

    /// Whether the endpoints of a model are known. If they are not, its quotes are those of its cheapest endpoint.
    #[must_use]
    pub fn has_endpoints(&self, name: &str) -> bool {
        let table = self.table();
        let row = table.row(crate::transport::OPENROUTER, name);
        row.is_some_and(|row| !row.served.offers.is_empty())
    }

    /// Replaces all models by these. Endpoints and prices given by hand stay.
    pub fn replace(&self, models: impl IntoIterator<Item = Model>, read_at: UtcTime) {
        self.change(|table| table.replace(models, read_at));
    }

    /// When the models were read; `None` if none have been.
    #[must_use]
    pub fn read_at(&self) -> Option<UtcTime> {
        self.table().read_at
    }

    /// How long ago the models were read.
    #[must_use]
    pub fn age(&self) -> Option<Duration> {
        self.read_at().map(|read_at| UtcTime::now().since(read_at))
    }

    /// All models, by their ids.
    #[must_use]
    pub fn models(&self) -> Vec<Arc<Model>> {
        let table = self.table();
        let mut models: Vec<_> = table.models().map(|(_, model, _)| Arc::clone(model)).collect();
        models.sort_unstable_by(|one, other| one.id.cmp(&other.id));
        models
    }

    /// How many models there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.table().models().count()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The names of models without a readable price, at themselves or one of their endpoints: budgets refuse them. A
    /// router, whose price varies, is not listed.
    #[must_use]
    pub fn unpriced(&self) -> Vec<String> {
        self.table().unpriced()
    }

    fn table(&self) -> Arc<Table> {
        Arc::clone(&self.shared.table.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Makes a new table while the old one is still read, and then replaces the old one.
    fn change(&self, change: impl FnOnce(&mut Table)) {
        let making = self.shared.making.lock().unwrap_or_else(PoisonError::into_inner);
        let mut new = Table::clone(&self.table());
        change(&mut new);
        let new = Arc::new(new);
        let old = {
            let mut table = self.shared.table.write().unwrap_or_else(PoisonError::into_inner);
            std::mem::replace(&mut *table, new)
        };
        drop(making);
        // The last handle of the old table may be dropped here, with no lock held.
        drop(old);
    }

    /// Takes in the endpoints of the model of this name.
    fn learn(&self, name: &str, endpoints: ModelEndpoints) {
        let id = self.listed_as(name);
        self.change(|table| table.learn(&id, endpoints));
    }

    /// Under which id the endpoints of a model are listed.
    fn listed_as(&self, name: &str) -> Box<str> {
        let table = self.table();
        let row = table.row(crate::transport::OPENROUTER, name);
        row.map_or(name, |row| &*row.listed_as).into()
    }

    /// Requests the endpoints of a model once; the answer comes later, if a refresh is running.
    fn request_endpoints(&self, row: &Row) {
        if !row.requested.load(Ordering::Relaxed) && !row.requested.swap(true, Ordering::Relaxed) {
            self.shared.endpoint_queue.push(&row.listed_as);
        }
    }

    /// Allows the endpoints of a model to be requested again.
    fn clear_requested(&self, id: &str) {
        let table = self.table();
        for row in table.rows_listed_as(id) {
            row.requested.store(false, Ordering::Relaxed);
        }
    }
}

impl fmt::Debug for Catalogue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let table = self.table();
        f.debug_struct("Catalogue")
            .field("models", &table.models().count())
            .field("read_at", &table.read_at)
            .finish_non_exhaustive()
    }
}
