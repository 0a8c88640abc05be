//! Prices and usage of the tests.

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use tower_llm_layers::{
    Candidate, Needs, PriceList, Quote, Stage, TokenUsage, UsdAmount, UtcTime, WorstCasePrice,
    budget::{AccountRef, BudgetStore, Decision, InMemoryBudgetStore, ReserveRequest},
    ledger::{Correction, Entry, Ledger},
};

use super::Beat;

pub(crate) fn usd(text: &str) -> UsdAmount {
    text.parse().unwrap()
}

/// A trailer that says what was used, and what was charged.
pub(crate) fn charged(prompt: u64, answer: u64, dollars: &str) -> Beat {
    let mut usage = TokenUsage::default();
    (usage.prompt, usage.answer) = (prompt, answer);
    usage.charged = Some(usd(dollars));
    Beat::Charged(Stage::Trailer, usage)
}

/// A ledger that keeps everything.
#[derive(Debug, Default)]
pub(crate) struct Kept(Mutex<Vec<Entry>>);

impl Kept {
    pub(crate) fn new() -> Arc<Self> {
        Arc::default()
    }

    pub(crate) fn entries(&self) -> Vec<Entry> {
        self.0.lock().unwrap().clone()
    }

    /// The one entry there is.
    pub(crate) fn only(&self) -> Entry {
        let mut entries = self.entries();
        assert_eq!(entries.len(), 1, "{entries:#?}");
        entries.remove(0)
    }
}

impl Ledger for Kept {
    fn record(&self, entry: &Entry) {
        self.0.lock().unwrap().push(entry.clone());
    }

    fn correct(&self, correction: &Correction) {
        let mut entries = self.0.lock().unwrap();
        correction.apply(entries.iter_mut().find(|entry| entry.id == correction.id).unwrap());
    }
}

/// A price list: a micro-dollar for a token of prompt, ten for one of answer; `costly` costs ten times that, `varies` varies, and
/// `unknown` is not on it; `free` costs nothing. The longest answer is a thousand tokens, except for `endless`.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Prices;

impl PriceList for Prices {
    fn quote(&self, candidate: &Candidate, _: &Needs, _: UtcTime) -> Quote {
        let times = match candidate.model() {
            "varies" => return Quote::Varies,
            "unknown" => return Quote::Unknown,
            "costly" => 10,
            "free" => 0,
            _ => 1,
        };
        Quote::Known(
            WorstCasePrice::new()
                .prompt_token(UsdAmount::from_pico(1_000_000 * times))
                .answer_token(UsdAmount::from_pico(10_000_000 * times))
                .max_answer((candidate.model() != "endless").then_some(1_000)),
        )
    }

    fn cost(&self, candidate: &Candidate, usage: &TokenUsage, at: UtcTime) -> Option<UsdAmount> {
        let Quote::Known(worst_case) = self.quote(candidate, &Needs::default(), at) else {
            return None;
        };
        worst_case.cost(usage.prompt, usage.answer).ok()
    }
}

/// A book that answers only after so many polls, as one on a server does.
#[derive(Debug, Default)]
pub(crate) struct SlowStore(pub(crate) InMemoryBudgetStore, pub(crate) u32);

impl BudgetStore for SlowStore {
    fn reserve(&self, ask: ReserveRequest) -> Decision {
        let (book, polls) = (self.0.clone(), self.1);
        Decision::Later(Box::pin(async move {
            for _ in 0..polls {
                tokio::task::yield_now().await;
            }
            match book.reserve(ask) {
                Decision::Now(decision) => decision,
                Decision::Later(decision) => decision.await,
            }
        }))
    }

    fn adjust(&self, lines: &[AccountRef], by: UsdAmount, at: UtcTime) {
        self.0.adjust(lines, by, at);
    }
}

/// A day.
pub(crate) const DAY: Duration = Duration::from_secs(24 * 60 * 60);
