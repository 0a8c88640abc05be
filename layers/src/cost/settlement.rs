//! The recorded cost of an attempt that has ended.

use tokio::time::Instant;

use super::{meter::Running, plan::Limited};
use crate::{
    AttemptHandle, Candidate, Outcome, Quote, TokenUsage, UsdAmount, UtcTime,
    budget::Reservation,
    call::ExchangeEnd,
    events::attempt_ended,
    ledger::{Entry, EntryId, EntryOutcome, EntryState, difference_per_mille},
};

/// The difference between bill and estimate above which a warning is logged, in thousandths of the bill.
const WORTH_A_WORD: u64 = 10;

/// An answer of fewer tokens holds no picture.
const LEAST_OF_A_PICTURE: u64 = 256;

/// What an attempt comes to.
struct Sums {
    reserved: UsdAmount,
    bill: Option<UsdAmount>,
    estimate: Option<UsdAmount>,
    recorded: UsdAmount,
    usage: TokenUsage,
    state: EntryState,
    /// Whether `usage` is the upstream's own count.
    is_reported: bool,
}

impl Running {
    /// Settles the reservation, and records the entry.
    pub(super) fn settle(mut self: Box<Self>, outcome: EntryOutcome, free: bool) {
        let now = crate::util::now();
        let sums = self.sums(outcome, free, now);
        let is_held = self.reservation.is_some();
        if let Some(reservation) = self.reservation.take() {
            reservation.settle(sums.recorded);
        }
        self.book_on_served(is_held, sums.recorded, now);
        let cost = sums.bill.or(sums.estimate).unwrap_or(UsdAmount::ZERO);
        self.end_line(outcome, now, Some((cost, sums.state.is_estimate())));
        self.warn_if_implausible(&sums);
        self.warn_if_cut(outcome, &sums);
        if let Some(ledger) = self.settings.ledger.clone() {
            ledger.record(&self.entry(outcome, &sums, UtcTime::at(now)));
        }
    }

    /// What was reserved for models that did not answer is not spent on them, and what answered without a reservation is.
    fn book_on_served(&self, is_held: bool, recorded: UsdAmount, at: Instant) {
        let (Some(budgets), Some(candidate)) = (&self.settings.budgets, &self.candidate) else {
            return;
        };
        if recorded == UsdAmount::ZERO || !budgets.count_models() {
            return;
        }
        let spent = budgets.lines_of(&self.tags, candidate, self.served_model.as_deref());
        let held = if is_held {
            budgets.lines_of_all(&self.tags, candidate, &self.alternatives)
        } else {
            Vec::new()
        };
        budgets.change(&held, &spent, recorded, UtcTime::at(at));
    }

    /// Tells the attempt's line how the exchange ended.
    pub(super) fn end_line(&self, outcome: EntryOutcome, at: Instant, cost: Option<(UsdAmount, bool)>) {
        let Some(line) = &self.line else { return };
        let end = ExchangeEnd {
            outcome: match outcome {
                EntryOutcome::Answered => Outcome::Answered,
                EntryOutcome::Failed(kind) => Outcome::Failed(kind),
                EntryOutcome::Dropped => Outcome::Dropped,
            },
            is_sent: self.sent,
            cost,
            first_token: self.first_token,
            duration: at.saturating_duration_since(self.started),
        };
        line.exchange_ended(&end, attempt_ended);
    }

    fn sums(&self, outcome: EntryOutcome, free: bool, ended: Instant) -> Sums {
        let reserved = self.reservation.as_ref().map_or(UsdAmount::ZERO, Reservation::amount);
        let free = free || self.taken.is_unbilled();
        let is_whole = outcome == EntryOutcome::Answered;
        let is_billed = free || self.is_billed(is_whole, ended);
        let taken = self.taken.counted(self.prompt, is_whole, is_billed);
        let bill = self.taken.bill().filter(|_| is_billed);
        let bill = bill.or(free.then_some(UsdAmount::ZERO));
        let mut usage = if free { TokenUsage::default() } else { taken.usage };
        if !taken.is_reported && !free {
            self.count_pictures(&mut usage, taken.is_prompt_estimated);
        }
        // A plain response that never came may have been generated whole all the same.
        let estimate = if free {
            Some(UsdAmount::ZERO)
        } else if self.runs_tools() && !self.taken.is_reported() && reserved > UsdAmount::ZERO {
            // What was shown says nothing of the tools that were run.
            Some(reserved)
        } else if self.streamed || is_whole || self.taken.is_known() {
            self.priced(&usage, ended)
        } else if reserved > UsdAmount::ZERO {
            Some(reserved)
        } else {
            self.longest(ended)
        };
        let is_reported = free || (taken.is_reported && self.has_tier(&usage));
        // Tokens without a price are no amount: a bill that follows is waited for.
        let is_priced = estimate.is_some() || !self.settings.bills_follow;
        let counted = bill.is_some() || (is_reported && is_priced);
        let state = if counted {
            EntryState::Settled
        } else {
            EntryState::Estimated
        };
        // A count that is no bill is capped by the reservation, and stands for it if nothing else is known: so what the ledger says and what
        // the budgets take is one number.
        let is_reserved = reserved > UsdAmount::ZERO;
        let estimate = match estimate {
            Some(estimate) if is_reserved && !counted => Some(estimate.min(reserved)),
            None if is_reserved => Some(reserved),
            estimate => estimate,
        };
        let follows = !counted && self.settings.bills_follow && self.generation_id.is_some();
        let recorded = match bill.or(estimate) {
            // The bill takes its place later, and must never find too little left.
            estimate if follows => estimate.unwrap_or(UsdAmount::ZERO).max(reserved),
            cost => cost.unwrap_or(reserved),
        };
        Sums {
            reserved,
            bill,
            estimate,
            recorded,
            usage,
            state,
            is_reported,
        }
    }

    /// Whether the charge that was reported is the bill. One of zero is none if what was taken has a price: servers that do not know the
    /// price, or not yet, report zero.
    fn is_billed(&self, is_whole: bool, ended: Instant) -> bool {
        if self.is_free_model || self.taken.bill() != Some(UsdAmount::ZERO) {
            return true;
        }
        let taken = self.taken.counted(self.prompt, is_whole, false);
        let price = self.priced(&taken.usage, ended);
        price.is_none_or(|price| price <= UsdAmount::ZERO)
    }

    fn entry(&mut self, outcome: EntryOutcome, sums: &Sums, ended: UtcTime) -> Entry {
        let candidate = self.candidate.as_ref();
        Entry {
            id: EntryId::new(ended),
            call: self.call_id(),
            attempt: self.line.as_ref().map_or(0, AttemptHandle::number),
            began: self.began,
            ended,
            upstream: candidate.map_or("", Candidate::upstream).into(),
            provider: self.provider.take(),
            model: candidate.map_or("", Candidate::model).into(),
            served_model: self.served_model.take(),
            tags: std::mem::take(&mut self.tags),
            state: sums.state,
            outcome,
            streamed: self.streamed,
            reserved: sums.reserved,
            estimate: sums.estimate,
            bill: sums.bill,
            recorded: sums.recorded,
            usage: sums.usage,
            generation_id: self.generation_id.take(),
            first_token: self.first_token,
            clamped_to: self.clamped_to(),
            affordable_tokens: self.affordable_tokens,
        }
    }

    /// Whether the upstream may run a loop of tools.
    fn runs_tools(&self) -> bool {
        self.needs.as_ref().is_some_and(|needs| needs.tool_loop.is_some())
    }

    /// Whether the prices of the tier that served it are known.
    fn has_tier(&self, usage: &TokenUsage) -> bool {
        let (Some(prices), Some(candidate)) = (&self.settings.prices, &self.candidate) else {
            return true;
        };
        prices.has_tier(candidate, usage)
    }

    /// Whether any of several providers may have served, so that the estimate is that of the most expensive one.
    fn is_estimate_the_highest(&self) -> bool {
        let (Some(prices), Some(candidate), None) = (&self.settings.prices, &self.candidate, &self.provider) else {
            return false;
        };
        prices.varies_by_provider(candidate)
    }

    /// An answer that may hold pictures, and is only estimated, is priced as if it were pictures: text is cheaper. Pictures of a prompt that is
    /// only estimated may cost something each.
    fn count_pictures(&self, usage: &mut TokenUsage, is_prompt_estimated: bool) {
        let Some(needs) = self.needs.as_deref() else { return };
        if is_prompt_estimated {
            usage.image_count = needs.images;
        }
        if needs.output.contains(crate::MediaKinds::IMAGE) && usage.answer >= LEAST_OF_A_PICTURE {
            usage.answer_images = usage.answer - usage.reasoning.min(usage.answer);
        }
    }

    fn priced(&self, usage: &TokenUsage, at: Instant) -> Option<UsdAmount> {
        let listed = || {
            let prices = self.settings.prices.as_ref()?;
            let candidate = self.candidate.as_ref()?;
            let at = UtcTime::at(at);
            let served = self.served_model.as_deref();
            let served = served.and_then(|model| prices.served_by(candidate, model));
            let cost = |candidate: &Candidate| match &self.provider {
                Some(provider) => prices.cost_of_provider(candidate, provider, usage, at),
                None => prices.cost(candidate, usage, at),
            };
            served.as_ref().and_then(cost).or_else(|| cost(candidate))
        };
        // What the budget reserved by is what the ledger estimates by.
        let assumed = || self.assumed?.cost(usage.prompt, usage.answer).ok();
        listed().or_else(assumed)
    }

    /// Warns that the answer ended where the stack had set its end.
    fn warn_if_cut(&self, outcome: EntryOutcome, sums: &Sums) {
        let Limited::ByDefault(tokens) = self.limited else {
            return;
        };
        let is_cut = outcome == EntryOutcome::Answered && (self.taken.is_cut() || sums.usage.answer >= tokens);
        if !is_cut {
            return;
        }
        tracing::warn!(
            target: "llm::budget",
            model = self.candidate.as_ref().map(Candidate::model),
            max_tokens = tokens,
            "answer cut by the default `max_tokens` of a budget: name `max_tokens` in the request, or raise `default_output_tokens`"
        );
        if let Some(line) = &self.line {
            line.note(&format!(
                "cut at {tokens} tokens, the default under a budget: the request names no `max_tokens`"
            ));
        }
    }

    /// What the longest answer asked for costs.
    fn longest(&self, at: Instant) -> Option<UsdAmount> {
        let prices = self.settings.prices.as_ref()?;
        let Quote::Known(worst_case) = prices.quote(self.candidate.as_ref()?, self.needs.as_ref()?, UtcTime::at(at))
        else {
            return None;
        };
        let answer = self.asked.or(worst_case.max_answer)?;
        worst_case.cost(self.prompt.tokens(), answer).ok()
    }

    fn warn_if_implausible(&self, sums: &Sums) {
        if self.taken.is_implausible() {
            tracing::warn!(
                target: "llm::cost",
                upstream = self.candidate.as_ref().map(Candidate::upstream),
                model = self.candidate.as_ref().map(Candidate::model),
                "the upstream reports usage or a charge that no answer can have: the answer is settled by what was shown"
            );
        }
        let (true, Some(bill), Some(estimate)) = (sums.is_reported, sums.bill, sums.estimate) else {
            return;
        };
        let differs = difference_per_mille(bill, estimate).is_some_and(|difference| difference > WORTH_A_WORD);
        if differs && !(bill < estimate && self.is_estimate_the_highest()) {
            tracing::warn!(
                target: "llm::cost",
                upstream = self.candidate.as_ref().map(Candidate::upstream),
                model = self.candidate.as_ref().map(Candidate::model),
                %bill,
                %estimate,
                "the bill differs from the price list by over 1 %: refresh the catalogue"
            );
        }
    }
}
