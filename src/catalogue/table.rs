//! Models by their names.

use std::{
    collections::{HashMap, HashSet},
    sync::{Arc, atomic::AtomicBool},
};

use tower_llm_layers::{UsdAmount, UtcTime};

use super::{
    names::{bare, dated},
    prices::PLUGIN_SEARCH,
    rates::{NoRates, Rates},
    served::{Served, longest_answer},
};
use crate::transport::OPENROUTER;
use openrouter_wire::catalogue::{Model, ModelEndpoints, Pricing};

/// Everything that is known.
#[derive(Debug, Clone, Default)]
pub(super) struct Table {
    /// By id, dated slug and alias.
    rows: HashMap<Box<str>, Arc<Row>>,
    /// Endpoints by the id of their model: they outlive a refresh.
    served: HashMap<Box<str>, Arc<Served>>,
    /// Prices given by hand, by upstream and model.
    by_hand: HashMap<Box<str>, HashMap<Box<str>, Arc<Row>>>,
    pub(super) read_at: Option<UtcTime>,
}

/// One model.
#[derive(Debug)]
pub(super) struct Row {
    pub(super) model: Option<Arc<Model>>,
    /// Under which id its endpoints are listed: for an alias that of the model it stands for.
    pub(super) listed_as: Box<str>,
    pub(super) rates: Result<Rates, NoRates>,
    pub(super) longest_answer: Option<u64>,
    pub(super) served: Arc<Served>,
    /// Whether its endpoints have been requested since the models were read.
    pub(super) requested: AtomicBool,
}

impl Table {
    /// A candidate's row. What only routes is taken off its name.
    pub(super) fn row(&self, upstream: &str, name: &str) -> Option<&Arc<Row>> {
        let by_hand = self.by_hand.get(upstream);
        if upstream != OPENROUTER {
            // What stands behind a colon is part of the name elsewhere.
            return by_hand?.get(name);
        }
        let find = |name: &str| {
            by_hand
                .and_then(|models| models.get(name))
                .or_else(|| self.rows.get(name))
        };
        find(name).or_else(|| find(&bare(name)))
    }

    /// Every model once, by its id.
    pub(super) fn models(&self) -> impl Iterator<Item = (&str, &Arc<Model>, &Row)> {
        self.rows.iter().filter_map(|(name, row)| {
            let model = row.model.as_ref().filter(|model| *model.id == **name)?;
            Some((&**name, model, &**row))
        })
    }

    /// The endpoints of every model whose endpoints were requested.
    pub(super) fn all_served(&self) -> impl Iterator<Item = (&str, &ModelEndpoints)> {
        self.served.iter().map(|(id, served)| (&**id, &served.list))
    }

    pub(super) fn rows_listed_as(&self, id: &str) -> impl Iterator<Item = &Row> {
        self.rows
            .values()
            .map(|row| &**row)
            .filter(move |row| *row.listed_as == *id)
    }

    pub(super) fn replace(&mut self, models: impl IntoIterator<Item = Model>, read_at: UtcTime) {
        self.rows.clear();
        let (aliases, models): (Vec<_>, Vec<_>) = models
            .into_iter()
            .filter(|model| !model.id.is_empty())
            .map(Arc::new)
            .partition(|model| model.alias_target.is_some());
        // An alias may stand for a dated slug, so that those come first.
        self.add_all(&models);
        self.add_all(&aliases);
        // Models that are gone leave nothing behind.
        let listed: HashSet<&str> = self.rows.values().map(|row| &*row.listed_as).collect();
        self.served.retain(|id, _| listed.contains(&**id));
        self.read_at = Some(read_at);
    }

    fn add_all(&mut self, models: &[Arc<Model>]) {
        for model in models {
            let row = Arc::new(self.new_row(model));
            self.rows.insert(model.id.as_str().into(), row);
        }
        // An id means its own model, whatever slug another one has.
        for model in models.iter().filter(|model| !model.canonical_slug.is_empty()) {
            let row = self.rows.get(&*model.id).cloned();
            let slug = dated(&model.id, &model.canonical_slug);
            if let Some(row) = row.filter(|_| !self.rows.contains_key(&*slug)) {
                self.rows.insert(slug.into(), row);
            }
        }
    }

    fn new_row(&self, model: &Arc<Model>) -> Row {
        let target = model.alias_target.as_ref().and_then(|target| target.slug.as_deref());
        let target = target.and_then(|slug| self.row(OPENROUTER, slug));
        let own = Rates::read(&model.pricing, PLUGIN_SEARCH);
        let rates = match (own, target) {
            // An alias may have no price of its own.
            (Err(NoRates::Unknown), Some(target)) => target.rates.clone(),
            (own, _) => own,
        };
        let listed_as: Box<str> = target.map_or(&*model.id, |target| &*target.listed_as).into();
        let served = self.served.get(&listed_as).cloned().unwrap_or_default();
        Row {
            longest_answer: longest_answer(model, &served),
            // A router has no endpoints of its own.
            requested: AtomicBool::new(rates == Err(NoRates::Varies)),
            rates,
            served,
            listed_as,
            model: Some(Arc::clone(model)),
        }
    }

    pub(super) fn price(&mut self, upstream: &str, model: &str, pricing: &Pricing) {
        let plugin = if upstream == OPENROUTER {
            PLUGIN_SEARCH
        } else {
            UsdAmount::ZERO
        };
        let row = Row {
            model: None,
            listed_as: model.into(),
            rates: Rates::read(pricing, plugin),
            longest_answer: None,
            served: Arc::default(),
            requested: AtomicBool::new(true),
        };
        let models = self.by_hand.entry(upstream.into()).or_default();
        models.insert(model.into(), Arc::new(row));
    }

    /// Takes in the endpoints of the model of that id.
    pub(super) fn learn(&mut self, id: &str, endpoints: ModelEndpoints) {
        let served = Arc::new(Served::read(endpoints));
        self.served.insert(id.into(), Arc::clone(&served));
        for row in self.rows.values_mut().filter(|row| *row.listed_as == *id) {
            let Some(model) = &row.model else { continue };
            *row = Arc::new(Row {
                model: Some(Arc::clone(model)),
                listed_as: row.listed_as.clone(),
                rates: row.rates.clone(),
                longest_answer: longest_answer(model, &served),
                served: Arc::clone(&served),
                requested: AtomicBool::new(true),
            });
        }
    }

    /// The names of models without a price, in order, those included of which an endpoint has none.
    pub(super) fn unpriced(&self) -> Vec<String> {
        let unknown = |rates: &Result<Rates, NoRates>| *rates == Err(NoRates::Unknown);
        let unpriced = |row: &Row| unknown(&row.rates) || row.served.offers.iter().any(|offer| unknown(&offer.rates));
        let mut names: Vec<_> = self
            .models()
            .filter(|(_, _, row)| unpriced(row))
            .map(|(id, _, _)| id.to_owned())
            .collect();
        names.sort_unstable();
        names
    }
}
