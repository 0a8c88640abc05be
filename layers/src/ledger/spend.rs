//! Spend in groups.

use std::borrow::Cow;

use super::{Entry, EntryOutcome};
use crate::{UsdAmount, UtcTime};

/// The group of entries that have no provider, or not the tag.
pub const NONE: &str = "(none)";

/// By what spend is put into groups.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum GroupBy {
    /// The requested model.
    Model,
    /// The model that answered; the requested one if the upstream named none.
    ServedModel,
    /// The upstream.
    Upstream,
    /// The provider behind the upstream; entries without one are in the group [`NONE`].
    Provider,
    /// The value of this tag; entries without it are in the group [`NONE`].
    Tag(Box<str>),
    /// The hour in which the attempt ended, as `2026-11-25T06`.
    Hour,
    /// The UTC day in which the attempt ended, as `2026-11-25`.
    Day,
}

/// What was spent, and for what.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct Spend {
    /// Attempts that were sent.
    pub attempts: u64,
    /// What they cost, as far as is known.
    pub cost: UsdAmount,
    /// Of that, what is an estimate.
    pub estimated: UsdAmount,
    /// Of the cost, for attempts that gave no whole answer: dropped ones, and failed ones.
    pub lost: UsdAmount,
    /// The sum of |estimate − bill| over entries of which both are known.
    pub estimate_error: UsdAmount,
    /// Tokens of prompts.
    pub prompt_tokens: u64,
    /// Of these, read from a cache.
    pub cached_tokens: u64,
    /// Tokens of answers.
    pub answer_tokens: u64,
}

/// What was spent in one group.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SpendRow {
    /// The group: a model, a tag's value, an hour.
    pub group: String,
    /// What was spent in it.
    pub spend: Spend,
}

impl Spend {
    /// One that is put together from sums elsewhere.
    #[must_use]
    pub fn from_sums(
        attempts: u64,
        [cost, estimated, lost, estimate_error]: [UsdAmount; 4],
        [prompt, cached, answer]: [u64; 3],
    ) -> Self {
        Self {
            attempts,
            cost,
            estimated,
            lost,
            estimate_error,
            prompt_tokens: prompt,
            cached_tokens: cached,
            answer_tokens: answer,
        }
    }
}

impl GroupBy {
    /// Whether its groups are times, of which the later ones matter more.
    pub(super) const fn is_time(&self) -> bool {
        matches!(self, Self::Hour | Self::Day)
    }

    /// Every group that an entry is in.
    pub(super) fn of(entry: &Entry) -> impl Iterator<Item = (Self, Cow<'_, str>)> {
        let fixed = [
            (Self::Model, Cow::Borrowed(&*entry.model)),
            (
                Self::ServedModel,
                Cow::Borrowed(entry.served_model.as_deref().unwrap_or(&entry.model)),
            ),
            (Self::Upstream, Cow::Borrowed(&*entry.upstream)),
            (Self::Hour, Cow::Owned(hour(entry.ended))),
            (Self::Day, Cow::Owned(day(entry.ended))),
        ];
        let tags = entry
            .tags
            .iter()
            .map(|(name, value)| (Self::Tag(name.into()), Cow::Borrowed(value)));
        let provider = entry
            .provider
            .as_deref()
            .map(|name| (Self::Provider, Cow::Borrowed(name)));
        fixed.into_iter().chain(provider).chain(tags)
    }
}

fn day(at: UtcTime) -> String {
    let (year, month, day) = at.date();
    format!("{year:04}-{month:02}-{day:02}")
}

fn hour(at: UtcTime) -> String {
    format!("{}T{:02}", day(at), at.millis_of_day() / 3_600_000)
}

impl Spend {
    /// Counts an entry in.
    pub fn add(&mut self, entry: &Entry) {
        self.attempts += 1;
        self.amounts(entry, UsdAmount::saturating_add);
        self.tokens(entry, u64::saturating_add);
    }

    /// Counts an entry that has changed.
    pub(super) fn replace(&mut self, before: &Entry, after: &Entry) {
        self.amounts(before, UsdAmount::saturating_sub);
        self.tokens(before, u64::saturating_sub);
        self.amounts(after, UsdAmount::saturating_add);
        self.tokens(after, u64::saturating_add);
    }

    /// Adds other sums.
    pub(super) fn merge(&mut self, other: &Self) {
        self.attempts = self.attempts.saturating_add(other.attempts);
        self.cost = self.cost.saturating_add(other.cost);
        self.estimated = self.estimated.saturating_add(other.estimated);
        self.lost = self.lost.saturating_add(other.lost);
        self.estimate_error = self.estimate_error.saturating_add(other.estimate_error);
        self.prompt_tokens = self.prompt_tokens.saturating_add(other.prompt_tokens);
        self.cached_tokens = self.cached_tokens.saturating_add(other.cached_tokens);
        self.answer_tokens = self.answer_tokens.saturating_add(other.answer_tokens);
    }

    /// What is left of the sums without these.
    pub(super) const fn without(mut self, other: &Self) -> Self {
        self.attempts = self.attempts.saturating_sub(other.attempts);
        self.cost = self.cost.saturating_sub(other.cost);
        self.estimated = self.estimated.saturating_sub(other.estimated);
        self.lost = self.lost.saturating_sub(other.lost);
        self.estimate_error = self.estimate_error.saturating_sub(other.estimate_error);
        self.prompt_tokens = self.prompt_tokens.saturating_sub(other.prompt_tokens);
        self.cached_tokens = self.cached_tokens.saturating_sub(other.cached_tokens);
        self.answer_tokens = self.answer_tokens.saturating_sub(other.answer_tokens);
        self
    }

    fn amounts(&mut self, entry: &Entry, change: fn(UsdAmount, UsdAmount) -> UsdAmount) {
        let cost = entry.cost();
        self.cost = change(self.cost, cost);
        if entry.state.is_estimate() {
            self.estimated = change(self.estimated, cost);
        }
        if entry.outcome != EntryOutcome::Answered {
            self.lost = change(self.lost, cost);
        }
        if let (Some(bill), Some(estimate)) = (entry.bill, entry.estimate) {
            let off = bill.max(estimate).saturating_sub(bill.min(estimate));
            self.estimate_error = change(self.estimate_error, off);
        }
    }

    fn tokens(&mut self, entry: &Entry, change: fn(u64, u64) -> u64) {
        self.prompt_tokens = change(self.prompt_tokens, entry.usage.prompt);
        self.cached_tokens = change(self.cached_tokens, entry.usage.cached);
        self.answer_tokens = change(self.answer_tokens, entry.usage.answer);
    }
}
