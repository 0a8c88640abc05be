//! The slot of the cost layer: budgets, prices, the ledger, late bills.

use std::{collections::HashSet, sync::Arc, time::Duration};

use tower_llm_layers::{
    Budgeted, Candidate, DEFAULT_MIN_OUTPUT_TOKENS, PriceList, UsdAmount,
    budget::{Budget, BudgetError, BudgetStore, Budgets, InMemoryBudgetStore, MAX_PER_HOUR, Zone},
    cost::{CostLayer, DEFAULT_OUTPUT_TOKENS, UnknownPrice},
    ledger::{Ledger, Tee},
    reconcile::Reconciler,
};

use super::{BuildProblem, StackBuilder, tight};
use crate::transport::GENERATION_HEADER;

/// How long a call waits for reservations to end, by default: about what an attempt takes that has begun its answer.
pub(crate) const RESERVATION_WAIT: Duration = Duration::from_secs(2);

/// What happens if an hour costs more than it may: see [`StackBuilder::max_per_hour`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[cfg_attr(
    feature = "settings",
    derive(serde::Serialize, serde::Deserialize, schemars::JsonSchema),
    serde(rename_all = "snake_case")
)]
#[non_exhaustive]
pub enum MaxPerHour {
    /// A warning is logged, and an event emitted, at 50, 80 and 100 per cent.
    Alert,
    /// Attempts are refused until enough is free again, and the refusal says when.
    #[default]
    #[cfg_attr(feature = "settings", serde(rename = "brake"))]
    Refuse,
}

/// What the cost layer is made of.
#[derive(Debug, Clone)]
pub(super) struct Money {
    budgets: Vec<Budget>,
    max_per_hour: Option<(UsdAmount, MaxPerHour)>,
    store: Option<Arc<dyn BudgetStore>>,
    shared: Option<Budgets>,
    prices: Option<Arc<dyn PriceList>>,
    unknown_price: Option<UnknownPrice>,
    default_output_tokens: Option<u64>,
    min_output_tokens: u64,
    max_reservation_wait: Duration,
    allow_unreserved_tools: bool,
    ledgers: Vec<Arc<dyn Ledger>>,
    reconciler: Option<Reconciler>,
}

impl Default for Money {
    fn default() -> Self {
        Self {
            budgets: Vec::new(),
            max_per_hour: None,
            store: None,
            shared: None,
            prices: None,
            unknown_price: None,
            default_output_tokens: Some(DEFAULT_OUTPUT_TOKENS),
            min_output_tokens: DEFAULT_MIN_OUTPUT_TOKENS,
            max_reservation_wait: RESERVATION_WAIT,
            allow_unreserved_tools: false,
            ledgers: Vec::new(),
            reconciler: None,
        }
    }
}

impl<R: Budgeted, F, E> StackBuilder<R, F, E> {
    /// Adds a budget: the most an attempt can cost is reserved before it, and what it cost is recorded after. Give it prices
    /// as well: [`prices`](Self::prices). None by default.
    #[must_use]
    pub fn budget(mut self, budget: Budget) -> Self {
        self.settings.money.budgets.push(budget);
        self
    }

    /// The most that may be spent within any 60 minutes, for all calls together, and what happens beyond it. This limits runaway spend. It is the budget
    /// [`MAX_PER_HOUR`](tower_llm_layers::budget::MAX_PER_HOUR), and needs prices as every budget does. None by default.
    #[must_use]
    pub const fn max_per_hour(mut self, most: UsdAmount, action: MaxPerHour) -> Self {
        self.settings.money.max_per_hour = Some((most, action));
        self
    }

    /// The store of the budgets' accounts: in this process by default. Give all stacks of a process the same one.
    #[must_use]
    pub fn budget_store(mut self, store: Arc<dyn BudgetStore>) -> Self {
        self.settings.money.store = Some(store);
        self
    }

    /// Budgets that exist already, in the place of those named one by one: to refill them from a ledger, or to share them with a
    /// [`reconciler`](Self::reconciler).
    #[must_use]
    pub fn budgets(mut self, budgets: Budgets) -> Self {
        self.settings.money.shared = Some(budgets);
        self
    }

    /// What candidates cost: a [`Catalogue`](crate::Catalogue). None by default.
    #[must_use]
    pub fn prices(mut self, prices: Arc<dyn PriceList>) -> Self {
        self.settings.money.prices = Some(prices);
        self
    }

    /// What to do if a budget applies and the price of a candidate is unknown: it is skipped by default.
    #[must_use]
    pub const fn unknown_price(mut self, policy: UnknownPrice) -> Self {
        self.settings.money.unknown_price = Some(policy);
        self
    }

    /// The `max_tokens` of requests that name none, if a budget applies: written into the request, and reported by
    /// [`OutputLimit`](tower_llm_layers::OutputLimit) in the response's extensions.
    /// [`DEFAULT_OUTPUT_TOKENS`](tower_llm_layers::cost::DEFAULT_OUTPUT_TOKENS) by default. With `None` the longest answer of the model is reserved.
    #[must_use]
    pub fn default_output_tokens(mut self, tokens: impl Into<Option<u64>>) -> Self {
        self.settings.money.default_output_tokens = tokens.into();
        self
    }

    /// The longest time that a call waits for reservations to end, if a budget's money is not spent but only reserved, and no other candidate
    /// can answer instead. 2 s by default, and never past the call's deadline; zero refuses at once.
    #[must_use]
    pub const fn max_reservation_wait(mut self, wait: Duration) -> Self {
        self.settings.money.max_reservation_wait = wait;
        self
    }

    /// Lets requests through under a budget whose tools or plugins cost more than any reservation can bound, such as `fusion`, an advisor, or
    /// the parsing of documents: what they cost is spent after, and may pass the cap. By default they are refused, with the tool's name.
    #[must_use]
    pub const fn allow_unreserved_tools(mut self) -> Self {
        self.settings.money.allow_unreserved_tools = true;
        self
    }

    /// The shortest answer, in tokens, that a budget may shorten a request to before it refuses it;
    /// [`DEFAULT_MIN_OUTPUT_TOKENS`](tower_llm_layers::DEFAULT_MIN_OUTPUT_TOKENS) by default.
    #[must_use]
    pub const fn min_output_tokens(mut self, tokens: u64) -> Self {
        self.settings.money.min_output_tokens = tokens;
        self
    }

    /// Adds a ledger: it gets every attempt that was sent, and what it cost. None by default.
    #[must_use]
    pub fn ledger(mut self, ledger: Arc<dyn Ledger>) -> Self {
        self.settings.money.ledgers.push(ledger);
        self
    }

    /// Fetches the bills of interrupted answers. Build it with the ledger and the budgets that this stack has. The stack adds it behind its ledgers and
    /// sets [`CostLayer::bills_follow`](tower_llm_layers::cost::CostLayer::bills_follow): do not add it by [`ledger`](Self::ledger) as well, or each bill is
    /// requested twice. None by default: then estimates stay.
    #[must_use]
    pub fn reconciler(mut self, reconciler: Reconciler) -> Self {
        self.settings.money.reconciler = Some(reconciler);
        self
    }
}

impl Money {
    /// The layer, as it was set up; without the budgets if something is wrong with them.
    /// The `candidates` are those of the chain.
    pub(super) fn layer<'a>(
        &self,
        candidates: impl Iterator<Item = &'a Candidate>,
        wrong: &mut Vec<BuildProblem>,
    ) -> CostLayer {
        let mut layer = CostLayer::new()
            .generation_header(GENERATION_HEADER)
            .max_reservation_wait(self.max_reservation_wait)
            .default_output_tokens(self.default_output_tokens)
            .min_output_tokens(self.min_output_tokens);
        if self.allow_unreserved_tools {
            layer = layer.allow_unreserved_tools();
        }
        let has_budgets = self.shared.is_some() || !self.budgets.is_empty() || self.max_per_hour.is_some();
        if has_budgets && self.prices.is_none() && self.unknown_price.is_none() {
            wrong.push(BuildProblem::NoPrices);
        }
        if let Some(budgets) = self.all_budgets(wrong) {
            let is_durable = self.ledgers.iter().any(Ledger::is_durable);
            if is_durable && budgets.are_volatile() {
                wrong.push(BuildProblem::BudgetsForget);
            }
            tight::warn(&budgets, self.prices.as_deref(), self.default_output_tokens, candidates);
            layer = layer.budgets(budgets);
        }
        if let Some(prices) = &self.prices {
            layer = layer.prices(Arc::clone(prices));
        }
        if let Some(policy) = self.unknown_price {
            if matches!(policy, UnknownPrice::Assume(price) if !price.can_be()) {
                wrong.push(BuildProblem::NegativePrice);
            }
            layer = layer.unknown_price(policy);
        }
        if let Some(ledger) = self.ledger() {
            layer = layer.ledger(ledger);
        }
        layer.bills_follow(self.reconciler.is_some())
    }

    /// All ledgers as one.
    pub(super) fn ledger(&self) -> Option<Arc<dyn Ledger>> {
        // The ledger has the entry before its bill is requested.
        let late = self
            .reconciler
            .iter()
            .cloned()
            .map(|late| Arc::new(late) as Arc<dyn Ledger>);
        let ledgers: Vec<_> = self.ledgers.iter().cloned().chain(late).collect();
        (!ledgers.is_empty()).then(|| Arc::new(Tee::new(ledgers)) as _)
    }

    fn all_budgets(&self, wrong: &mut Vec<BuildProblem>) -> Option<Budgets> {
        let before = wrong.len();
        // Neither may be left out in silence.
        let has_own = !self.budgets.is_empty() || self.max_per_hour.is_some();
        if self.shared.is_some() && (has_own || self.store.is_some()) {
            wrong.push(BuildProblem::BudgetsTwice);
        }
        let hour = self.max_per_hour.and_then(|(most, action)| {
            let budget = Budget::max_per_hour(most)
                .map_err(|error| wrong.push(error.into()))
                .ok()?;
            Some(match action {
                MaxPerHour::Alert => budget.soft(),
                MaxPerHour::Refuse => budget,
            })
        });
        let (mut names, mut twice) = (HashSet::new(), HashSet::new());
        for name in self.budgets.iter().chain(&hour).map(Budget::name) {
            if !names.insert(name) && twice.insert(name) {
                let name = name.to_owned();
                wrong.push(BudgetError::Twice { name }.into());
            }
        }
        if wrong.len() > before || self.shared.is_some() {
            return self.shared.clone();
        }
        if !has_own {
            return None;
        }
        let own = || Arc::new(InMemoryBudgetStore::new()) as Arc<dyn BudgetStore>;
        let store = self.store.clone().unwrap_or_else(own);
        let budgets = Budgets::in_store(self.budgets.iter().cloned().chain(hour), store);
        budgets.map_err(|error| wrong.push(error.into())).ok()
    }

    pub(super) fn describe(&self) -> String {
        let named = self.shared.iter().flat_map(Budgets::iter).chain(&self.budgets);
        let budgets: Vec<_> = named
            .map(|budget| {
                let soft = if budget.is_soft() { " (only warns)" } else { "" };
                let zone = budget.zone();
                let zone = if *zone == Zone::UTC {
                    String::new()
                } else {
                    format!(" in {zone}")
                };
                format!("`{}` {} a {}{zone}{soft}", budget.name(), budget.cap(), budget.window())
            })
            .chain(self.max_per_hour.map(|(most, action)| {
                let soft = if action == MaxPerHour::Alert {
                    " (only warns)"
                } else {
                    ""
                };
                format!("`{MAX_PER_HOUR}` {most} a rolling hour{soft}")
            }))
            .collect();
        let budgets = if budgets.is_empty() {
            "no budgets".to_owned()
        } else {
            budgets.join(", ")
        };
        let bills = if self.reconciler.is_some() {
            ", late bills are fetched"
        } else {
            ""
        };
        let ledgers = match self.ledgers.len() {
            0 => "no ledger".to_owned(),
            1 => "1 ledger".to_owned(),
            several => format!("{several} ledgers"),
        };
        format!("{budgets}; {ledgers}{bills}")
    }
}
