//! The settings of the cost layer.

use std::{fmt, sync::Arc, time::Duration};

use http::HeaderName;

use crate::{DEFAULT_MIN_OUTPUT_TOKENS, PriceList, Quote, WorstCasePrice, budget::Budgets, ledger::Ledger};

/// The `max_tokens` of a request that names none, if a budget applies, by default: more than nearly every answer has, and far less than the
/// longest answer of a model, which would otherwise be reserved.
pub const DEFAULT_OUTPUT_TOKENS: u64 = 8_192;

/// What an answer may have if neither the request nor [`DEFAULT_OUTPUT_TOKENS`] nor the price list says: it is then requested with this
/// `max_tokens`, since no budget carries an answer without end.
pub const UNBOUNDED_ANSWER: u64 = 32_768;

/// What to do if a budget applies and the price of a candidate is unknown, or varies. If all budgets that apply
/// [only warn](crate::budget::Budget::soft), the attempt passes without a reservation, unless a price is assumed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum UnknownPrice {
    /// Refuse the attempt, so that the next candidate answers.
    #[default]
    Refuse,
    /// Let it through without a reservation as long as something of the budget is free: the budget learns of it by the bill, and may exceed its
    /// cap by what such attempts cost.
    Allow,
    /// Reserve by this price.
    Assume(WorstCasePrice),
}

/// Everything a cost layer is set to.
#[derive(Clone)]
pub(super) struct Settings {
    pub(super) prices: Option<Arc<dyn PriceList>>,
    pub(super) budgets: Option<Budgets>,
    pub(super) ledger: Option<Arc<dyn Ledger>>,
    pub(super) unknown_price: UnknownPrice,
    pub(super) min_output_tokens: u64,
    pub(super) default_output_tokens: Option<u64>,
    pub(super) max_reservation_wait: Duration,
    pub(super) allow_unreserved_tools: bool,
    pub(super) bills_follow: bool,
    pub(super) generation_header: Option<HeaderName>,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            prices: None,
            budgets: None,
            ledger: None,
            unknown_price: UnknownPrice::default(),
            min_output_tokens: DEFAULT_MIN_OUTPUT_TOKENS,
            default_output_tokens: Some(DEFAULT_OUTPUT_TOKENS),
            max_reservation_wait: Duration::ZERO,
            allow_unreserved_tools: false,
            bills_follow: false,
            generation_header: None,
        }
    }
}

impl Settings {
    /// Whether anything is made of an estimate of what an attempt takes.
    pub(super) fn estimates(&self) -> bool {
        self.prices.is_some() || self.budgets.is_some() || self.ledger.is_some()
    }

    /// Whether a budget asks for the model.
    pub(super) fn counts_models(&self) -> bool {
        self.budgets.as_ref().is_some_and(Budgets::count_models)
    }

    /// Has the budgets count models under the names of the price list.
    pub(super) fn name_models(&self) {
        if let (Some(budgets), Some(prices)) = (&self.budgets, &self.prices) {
            budgets.use_model_names_of(Arc::clone(prices));
        }
    }
}

impl UnknownPrice {
    /// The price to reserve by; `Err` if the attempt is refused, `None` if nothing is reserved.
    pub(super) const fn resolve(self, quote: Quote) -> Result<Option<WorstCasePrice>, ()> {
        match (quote, self) {
            (Quote::Known(worst_case), _) | (_, Self::Assume(worst_case)) => Ok(Some(worst_case)),
            (_, Self::Allow) => Ok(None),
            (_, Self::Refuse) => Err(()),
        }
    }
}

impl fmt::Debug for Settings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Settings")
            .field("budgets", &self.budgets)
            .field("unknown_price", &self.unknown_price)
            .field("min_output_tokens", &self.min_output_tokens)
            .field("default_output_tokens", &self.default_output_tokens)
            .field("max_reservation_wait", &self.max_reservation_wait)
            .field("allow_unreserved_tools", &self.allow_unreserved_tools)
            .field("bills_follow", &self.bills_follow)
            .finish_non_exhaustive()
    }
}
