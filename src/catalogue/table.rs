//! Models by their names.

use std::{collections::HashMap, sync::Arc};

use tower_llm_layers::UtcTime;

use super::rates::{NoRates, Rates};
use crate::{
    response::{Model, ModelEndpoints, Pricing},
    transport::OPENROUTER,
};

/// Variants that only say how to route: the model is the one without them.
const ROUTING: [&str; 4] = [":nitro", ":floor", ":exacto", ":online"];

/// Everything that is known.
#[derive(Debug, Clone, Default)]
pub(super) struct Table {
    /// By id.
    pub(super) models: HashMap<Box<str>, Arc<Row>>,
    /// Ids by dated slug and alias.
    names: HashMap<Box<str>, Box<str>>,
    /// Endpoints by the id of their model: they outlive a refresh.
    endpoints: HashMap<Box<str>, Arc<Served>>,
    /// Prices given by hand, by upstream and model.
    direct: HashMap<(Box<str>, Box<str>), Arc<Row>>,
    pub(super) read_at: Option<UtcTime>,
}

/// One model.
#[derive(Debug)]
pub(super) struct Row {
    pub(super) model: Option<Arc<Model>>,
    pub(super) rates: Result<Rates, NoRates>,
    pub(super) longest_answer: Option<u64>,
    pub(super) served: Arc<Served>,
}

/// What is known of who serves a model.
#[derive(Debug, Default)]
pub(super) struct Served {
    /// The prices of each endpoint; none where nobody has asked.
    pub(super) rates: Vec<Rates>,
    /// The longest answer of any, where all say so.
    longest_answer: Option<u64>,
}

impl Table {
    /// A candidate's row. What only routes is taken off its name.
    pub(super) fn row(&self, upstream: &str, name: &str) -> Option<&Arc<Row>> {
        if !self.direct.is_empty() {
            let direct = self.direct.get(&(upstream.into(), name.into()));
            if direct.is_some() {
                return direct;
            }
        }
        if upstream != OPENROUTER {
            return None;
        }
        self.find(name).or_else(|| self.find(bare(name)))
    }

    fn find(&self, name: &str) -> Option<&Arc<Row>> {
        let id = self.names.get(name).map_or(name, |id| id);
        self.models.get(id)
    }

    pub(super) fn replace(&mut self, models: impl IntoIterator<Item = Model>, read_at: UtcTime) {
        self.models.clear();
        self.names.clear();
        for model in models {
            self.add(model);
        }
        self.read_at = Some(read_at);
    }

    fn add(&mut self, model: Model) {
        let id: Box<str> = model.id.as_str().into();
        if !model.canonical_slug.is_empty() && model.canonical_slug != model.id {
            // Of two models with one slug, such as a free variant, the first is meant.
            let slug = model.canonical_slug.as_str().into();
            self.names.entry(slug).or_insert_with(|| id.clone());
        }
        let rates = Rates::read(&model.pricing);
        let own = model.top_provider.max_completion_tokens;
        let served = self.endpoints.get(&id).cloned().unwrap_or_default();
        let row = Row {
            rates,
            longest_answer: longest(own, model.context_length, &served),
            served,
            model: Some(Arc::new(model)),
        };
        self.models.insert(id, Arc::new(row));
    }

    pub(super) fn price(&mut self, upstream: &str, model: &str, pricing: &Pricing) {
        let row = Row {
            model: None,
            rates: Rates::read(pricing),
            longest_answer: None,
            served: Arc::default(),
        };
        self.direct.insert((upstream.into(), model.into()), Arc::new(row));
    }

    pub(super) fn endpoints(&mut self, model: &ModelEndpoints) {
        // One whose price cannot be read is left out: the model's own row still stands.
        let rates = model
            .endpoints
            .iter()
            .filter_map(|endpoint| Rates::read(&endpoint.pricing).ok());
        let answers: Option<Vec<u64>> = model
            .endpoints
            .iter()
            .map(|endpoint| endpoint.max_completion_tokens)
            .collect();
        let served = Arc::new(Served {
            rates: rates.collect(),
            longest_answer: answers.and_then(|all| all.into_iter().max()),
        });
        let id: Box<str> = model.id.as_str().into();
        self.endpoints.insert(id.clone(), Arc::clone(&served));
        if let Some(row) = self.models.get_mut(&id) {
            let known = row.model.as_ref();
            let own = known.and_then(|model| model.top_provider.max_completion_tokens);
            let context = known.and_then(|model| model.context_length);
            *row = Arc::new(Row {
                model: row.model.clone(),
                rates: row.rates.clone(),
                longest_answer: longest(own, context, &served),
                served,
            });
        }
    }

    pub(super) fn unpriced(&self) -> Vec<String> {
        let unpriced = self.models.iter().filter(|(_, row)| row.rates == Err(NoRates::Unknown));
        let mut names: Vec<_> = unpriced.map(|(id, _)| id.to_string()).collect();
        names.sort_unstable();
        names
    }
}

/// No answer is longer than the context, and none longer than the longest that any endpoint gives.
fn longest(own: Option<u64>, context: Option<u64>, served: &Served) -> Option<u64> {
    match (own, served.longest_answer) {
        (Some(own), Some(served)) => Some(own.max(served)),
        (Some(own), None) => Some(own),
        (None, served) => served.or(context),
    }
}

/// A name without a preset and without routing variants.
fn bare(name: &str) -> &str {
    let mut bare = name.split_once('@').map_or(name, |(model, _)| model);
    while let Some(shorter) = ROUTING.iter().find_map(|variant| bare.strip_suffix(variant)) {
        bare = shorter;
    }
    bare
}
