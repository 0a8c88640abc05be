//! What a candidate costs.

use std::fmt;

use crate::{Candidate, Needs, TokenUsage, UsdAmount, UsdError, UtcTime};

/// The most that one request can cost at one candidate: a straight line in the tokens of prompt and answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct WorstCasePrice {
    /// Whatever the tokens: the request, pictures, searches.
    pub fixed: UsdAmount,
    /// For each token of prompt, at the most expensive way in which it can be billed.
    pub prompt_token: UsdAmount,
    /// For each token of answer, at the most expensive way in which it can be billed.
    pub answer_token: UsdAmount,
    /// The longest answer the candidate gives, in tokens; `None` if that is unknown.
    pub max_answer: Option<u64>,
}

impl WorstCasePrice {
    /// Free of charge, and without a longest answer: each part that costs something is set by its method.
    #[must_use]
    pub const fn new() -> Self {
        Self {
            fixed: UsdAmount::ZERO,
            prompt_token: UsdAmount::ZERO,
            answer_token: UsdAmount::ZERO,
            max_answer: None,
        }
    }

    /// Sets the part that does not depend on the tokens. Zero by default.
    #[must_use]
    pub const fn fixed(mut self, amount: UsdAmount) -> Self {
        self.fixed = amount;
        self
    }

    /// Sets the price of a token of prompt. Zero by default.
    #[must_use]
    pub const fn prompt_token(mut self, price: UsdAmount) -> Self {
        self.prompt_token = price;
        self
    }

    /// Sets the price of a token of answer. Zero by default.
    #[must_use]
    pub const fn answer_token(mut self, price: UsdAmount) -> Self {
        self.answer_token = price;
        self
    }

    /// Sets the longest answer, in tokens. `None` by default: unknown.
    #[must_use]
    pub const fn max_answer(mut self, tokens: Option<u64>) -> Self {
        self.max_answer = tokens;
        self
    }

    /// Whether no part of it is below zero.
    #[must_use]
    pub const fn can_be(&self) -> bool {
        !(self.fixed.is_negative() || self.prompt_token.is_negative() || self.answer_token.is_negative())
    }

    /// What so many tokens cost at most.
    ///
    /// # Errors
    ///
    /// If it overflows.
    pub fn cost(&self, prompt: u64, answer: u64) -> Result<UsdAmount, UsdError> {
        let prompt = self.prompt_token.checked_mul(prompt)?;
        let answer = self.answer_token.checked_mul(answer)?;
        self.fixed.checked_add(prompt)?.checked_add(answer)
    }

    /// How many tokens of answer fit into an amount together with the prompt; `None` if not even the prompt does.
    #[must_use]
    pub fn answer_within(&self, amount: UsdAmount, prompt: u64) -> Option<u64> {
        let left = amount.pico().checked_sub(self.cost(prompt, 0).ok()?.pico())?;
        if left < 0 {
            return None;
        }
        if self.answer_token.pico() <= 0 {
            return Some(u64::MAX);
        }
        Some(u64::try_from(left / self.answer_token.pico()).unwrap_or(u64::MAX))
    }
}

/// What a price list says of a candidate.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Quote {
    /// It costs this at most.
    Known(WorstCasePrice),
    /// It routes to others: the price is known only afterwards.
    Varies,
    /// It is not on the list.
    Unknown,
}

/// What candidates cost: a catalogue.
pub trait PriceList: fmt::Debug + Send + Sync {
    /// The most that a request with these needs can cost at this candidate, whichever of its endpoints serves.
    fn quote(&self, candidate: &Candidate, needs: &Needs, at: UtcTime) -> Quote;

    /// What this usage costs by the list, rounded up; `None` if the list does not say.
    fn cost(&self, candidate: &Candidate, usage: &TokenUsage, at: UtcTime) -> Option<UsdAmount>;

    /// The same if the answer names the provider that gave it, e.g. `"DeepInfra"`: behind a router each has prices of its own.
    /// [`cost`](Self::cost) by default.
    fn cost_of_provider(
        &self,
        candidate: &Candidate,
        provider: &str,
        usage: &TokenUsage,
        at: UtcTime,
    ) -> Option<UsdAmount> {
        let _ = provider;
        self.cost(candidate, usage, at)
    }

    /// Whether this candidate's providers have prices of their own, so that [`cost`](Self::cost) is the highest of several. `false` by default.
    fn varies_by_provider(&self, candidate: &Candidate) -> bool {
        let _ = candidate;
        false
    }

    /// Whether the list has prices of the [tier](crate::PriceTier) at which this usage was served. If it has none, [`cost`](Self::cost) is the
    /// highest that is known, and an estimate. `true` by default.
    fn has_tier(&self, candidate: &Candidate, usage: &TokenUsage) -> bool {
        let _ = (candidate, usage);
        true
    }

    /// The one name of this candidate's model on the list, however the candidate spells it: [budgets](crate::budget) count by it. `None`, the
    /// default, if the list does not have the model, or has no other name for it.
    fn listed_as(&self, candidate: &Candidate) -> Option<Box<str>> {
        let _ = candidate;
        None
    }

    /// The candidate whose model answered, under its name on the list, if an answer of `candidate` names `model` as the one that gave it. `None`,
    /// the default, if that is the candidate's own model, or the list does not have it.
    fn served_by(&self, candidate: &Candidate, model: &str) -> Option<Candidate> {
        let _ = (candidate, model);
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn usd(text: &str) -> UsdAmount {
        text.parse().unwrap()
    }

    #[test]
    fn an_answer_that_fits_never_costs_more_than_the_amount() {
        let worst_case = WorstCasePrice {
            fixed: usd("0.01"),
            prompt_token: usd("0.000003"),
            answer_token: usd("0.000015"),
            max_answer: None,
        };
        assert_eq!(worst_case.answer_within(usd("0.0129"), 1000), None);
        assert_eq!(worst_case.answer_within(usd("0.013"), 1000), Some(0));
        let fits = worst_case.answer_within(usd("0.05"), 1000).unwrap();
        assert!(worst_case.cost(1000, fits).unwrap() <= usd("0.05"));
        assert!(worst_case.cost(1000, fits + 1).unwrap() > usd("0.05"));
        assert_eq!(WorstCasePrice::default().answer_within(usd("0"), 1), Some(u64::MAX));
        assert_eq!(worst_case.answer_within(usd("1"), u64::MAX), None);
    }
}
