//! The layer that reserves and settles money.

use std::{sync::Arc, time::Duration};

use http::HeaderName;
use tower_layer::Layer;

use super::{Cost, CostIfBudgeted, UnknownPrice, patience::LONGEST_WAIT, settings::Settings};
use crate::{PriceList, budget::Budgets, ledger::Ledger};

/// Reserves money before each attempt, and settles it once after. See the [module](super).
#[derive(Debug, Clone, Default)]
pub struct CostLayer {
    settings: Arc<Settings>,
}

impl CostLayer {
    /// Records nothing and reserves nothing until a ledger or budgets are set.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    fn set(mut self, change: impl FnOnce(&mut Settings)) -> Self {
        change(Arc::make_mut(&mut self.settings));
        self
    }

    /// The ledger that takes the entries.
    #[must_use]
    pub fn ledger(self, ledger: Arc<dyn Ledger>) -> Self {
        self.set(|settings| settings.ledger = Some(ledger))
    }

    /// What candidates cost: for reservations and estimates. Without it every price is unknown.
    #[must_use]
    pub fn prices(self, prices: Arc<dyn PriceList>) -> Self {
        self.set(|settings| {
            settings.prices = Some(prices);
            settings.name_models();
        })
    }

    /// What may be spent. Without budgets nothing is reserved or refused.
    #[must_use]
    pub fn budgets(self, budgets: Budgets) -> Self {
        self.set(|settings| {
            settings.budgets = Some(budgets);
            settings.name_models();
        })
    }

    /// What to do if a budget applies and the price is unknown. Refuses by default.
    #[must_use]
    pub fn unknown_price(self, policy: UnknownPrice) -> Self {
        self.set(|settings| settings.unknown_price = policy)
    }

    /// The shortest answer, in tokens, that a lowered `max_tokens` may leave: if not even that fits, the attempt is refused.
    /// [`DEFAULT_MIN_OUTPUT_TOKENS`](crate::DEFAULT_MIN_OUTPUT_TOKENS) by default.
    #[must_use]
    pub fn min_output_tokens(self, tokens: u64) -> Self {
        self.set(|settings| settings.min_output_tokens = tokens.max(1))
    }

    /// The `max_tokens` of a request that names none, if a budget applies that does not [only warn](crate::budget::Budget::soft): it is written into
    /// the request, and the response carries [`OutputLimit`](crate::OutputLimit). [`DEFAULT_OUTPUT_TOKENS`](super::DEFAULT_OUTPUT_TOKENS) by default. With `None` the longest answer of
    /// the model is reserved, which is often far more than comes.
    #[must_use]
    pub fn default_output_tokens(self, tokens: impl Into<Option<u64>>) -> Self {
        let tokens = tokens.into();
        self.set(|settings| settings.default_output_tokens = tokens)
    }

    /// The longest time that an attempt waits for reservations to end, if its money is not spent but only reserved: up to a day, and never
    /// past the call's deadline. Zero by default: then it is refused at once, with a hint of one second. An attempt waits only if no other
    /// candidate could answer instead. In this process those that wait are served in the order in which they came, up to
    /// [`MAX_QUEUED_RESERVATIONS`](crate::budget::MAX_QUEUED_RESERVATIONS) of them; one that does not wait takes what is free.
    #[must_use]
    pub fn max_reservation_wait(self, wait: Duration) -> Self {
        self.set(|settings| settings.max_reservation_wait = wait.min(LONGEST_WAIT))
    }

    /// Lets requests through whose tools or plugins cost more than any reservation can bound
    /// ([`LlmRequest::unbounded_tool`](crate::LlmRequest::unbounded_tool)): what they cost is spent after, and may pass the cap. Off by default:
    /// they are refused if a budget applies.
    #[must_use]
    pub fn allow_unreserved_tools(self) -> Self {
        self.set(|settings| settings.allow_unreserved_tools = true)
    }

    /// Whether the bills of interrupted answers are fetched later: then the budgets keep the whole reservation until the bill is
    /// there, so that it never finds too little left. Off by default: then they record the estimate. Only entries with a generation id are followed. Set
    /// it together with a [`Reconciler`](crate::reconcile::Reconciler) in the layer's ledger; without a ledger no generation id is read.
    #[must_use]
    pub fn bills_follow(self, follow: bool) -> Self {
        self.set(|settings| settings.bills_follow = follow)
    }

    /// The same for requests that need not be [`Budgeted`](crate::Budgeted): an answer is shortened if the request
    /// [offers it](crate::LlmRequest::budgeted), and an attempt that no budget carries in full is refused otherwise. For a stack that bills
    /// whatever it is built over.
    #[must_use]
    pub const fn if_budgeted(self) -> CostIfBudgetedLayer {
        CostIfBudgetedLayer(self)
    }

    /// The response header that names the answer: its bill is looked up by it. None by default; without it, or if it is absent, the first
    /// frame is read ([`Frame::generation_id`](crate::Frame::generation_id)).
    #[must_use]
    pub fn generation_header(self, name: HeaderName) -> Self {
        self.set(|settings| settings.generation_header = Some(name))
    }
}

impl<S> Layer<S> for CostLayer {
    type Service = Cost<S>;

    fn layer(&self, inner: S) -> Self::Service {
        Cost {
            inner,
            settings: Arc::clone(&self.settings),
        }
    }
}

/// [`CostLayer`] for requests that need not be [`Budgeted`](crate::Budgeted): see [`CostLayer::if_budgeted`].
#[derive(Debug, Clone, Default)]
pub struct CostIfBudgetedLayer(CostLayer);

impl<S> Layer<S> for CostIfBudgetedLayer {
    type Service = CostIfBudgeted<S>;

    fn layer(&self, inner: S) -> Self::Service {
        CostIfBudgeted(self.0.layer(inner))
    }
}
