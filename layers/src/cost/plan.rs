//! What an attempt may cost, and how long its answer may be for that.

use super::settings::{Settings, UNBOUNDED_ANSWER};
use crate::{
    Candidate, LayerError, LlmRequest, Quote, UsdAmount, UtcTime, WorstCasePrice,
    budget::{Refusal, Reservation, ReserveRequest},
};

/// More than any budget has.
const ENDLESS: UsdAmount = UsdAmount::from_pico(i128::MAX);

/// Requests an answer of at most so many tokens; returns whether the request says so now.
pub(super) type Shorten<R> = fn(&mut R, u64) -> bool;

/// What is held for one attempt.
pub(super) struct Plan {
    tariff: WorstCasePrice,
    /// Tokens of the prompt, at most.
    prompt: u64,
    /// Tokens of the answer, at most.
    answer: u64,
    /// Whether the request must be told, though nothing is lowered.
    tell: bool,
    want: UsdAmount,
}

impl Plan {
    /// What to ask the budgets for; `None` where no hold is needed.
    pub(super) fn of<R: LlmRequest>(
        settings: &Settings,
        request: &R,
        candidate: Option<&Candidate>,
        at: UtcTime,
    ) -> Result<Option<(Self, ReserveRequest)>, LayerError> {
        let Some(budgets) = &settings.budgets else {
            return Ok(None);
        };
        let (upstream, model) = candidate.map_or(("", ""), |known| (known.upstream(), known.model()));
        let lines = budgets.lines(request.call().tags(), upstream, model);
        if lines.is_empty() {
            return Ok(None);
        }
        let quote = quote(settings, request, candidate, at);
        let unknown = |()| LayerError::UnknownPrice {
            model: model.to_owned(),
            varies: quote == Quote::Varies,
        };
        let tariff = settings.unknown_price.resolve(quote).map_err(unknown)?;
        let (plan, at_least) = match tariff {
            Some(tariff) => Self::by(tariff, settings, request),
            None => (Self::without_hold(), UsdAmount::ZERO),
        };
        let ask = ReserveRequest {
            lines,
            want: plan.want,
            at_least,
            at,
        };
        Ok(Some((plan, ask)))
    }

    fn by<R: LlmRequest>(tariff: WorstCasePrice, settings: &Settings, request: &R) -> (Self, UsdAmount) {
        let needs = request.needs();
        let prompt = needs.most_prompt_tokens.max(needs.prompt_tokens);
        let asked = request.max_tokens();
        let answer = match (asked.or(settings.default_output_tokens), tariff.max_answer) {
            // A model gives no longer answer than it can, whatever is asked for.
            (Some(asked), Some(longest)) => asked.min(longest),
            (Some(asked), None) => asked,
            (None, Some(longest)) => longest,
            (None, None) => UNBOUNDED_ANSWER,
        };
        // Each choice has an answer of its own.
        let answer_token = tariff.answer_token.checked_mul(needs.choices.max(1)).unwrap_or(ENDLESS);
        let tariff = WorstCasePrice { answer_token, ..tariff };
        let cost = |answer| tariff.cost(prompt, answer).unwrap_or(ENDLESS);
        let plan = Self {
            tariff,
            prompt,
            answer,
            tell: asked.is_none() && (settings.default_output_tokens.is_some() || tariff.max_answer.is_none()),
            want: cost(answer),
        };
        // A hedge is sent whole or not at all: a shorter answer that comes first would be no better one.
        let least = if request.call().is_hedge() {
            answer
        } else {
            settings.min_output_tokens
        };
        let at_least = cost(answer.min(least));
        (plan, at_least)
    }

    const fn without_hold() -> Self {
        let tariff = WorstCasePrice {
            fixed: UsdAmount::ZERO,
            prompt_token: UsdAmount::ZERO,
            answer_token: UsdAmount::ZERO,
            max_answer: None,
        };
        Self {
            tariff,
            prompt: 0,
            answer: u64::MAX,
            tell: false,
            want: UsdAmount::ZERO,
        }
    }

    /// Lowers `max_tokens` to what the reservation carries, if that is less than wanted. Returns to what; fails if the request cannot
    /// say so, since the reservation would not hold then.
    pub(super) fn fit<R>(
        &self,
        request: &mut R,
        held: &Reservation,
        shorten: Shorten<R>,
    ) -> Result<Option<u64>, LayerError> {
        let told = |is_told: bool, tokens| {
            if is_told {
                Ok(())
            } else {
                Err(LayerError::CannotShorten { tokens })
            }
        };
        if held.amount() >= self.want {
            if self.tell {
                told(shorten(request, self.answer), self.answer)?;
            }
            return Ok(None);
        }
        let fits = self.tariff.answer_within(held.amount(), self.prompt).unwrap_or(0);
        let fits = fits.min(self.answer);
        told(shorten(request, fits), fits)?;
        Ok(Some(fits))
    }
}

/// The most that this request can cost: where the router may try others by itself, the dearest of all.
pub(super) fn quote<R: LlmRequest>(
    settings: &Settings,
    request: &R,
    candidate: Option<&Candidate>,
    at: UtcTime,
) -> Quote {
    let (Some(prices), Some(candidate)) = (&settings.prices, candidate) else {
        return Quote::Unknown;
    };
    let needs = request.needs();
    let alternatives = request.alternatives();
    let others = alternatives
        .iter()
        .filter(|model| *model != candidate.model())
        .map(|model| {
            Candidate::new(candidate.upstream(), model).map_or(Quote::Unknown, |other| prices.quote(&other, &needs, at))
        });
    others.fold(prices.quote(candidate, &needs, at), dearer)
}

fn dearer(one: Quote, other: Quote) -> Quote {
    match (one, other) {
        (Quote::Known(one), Quote::Known(other)) => Quote::Known(WorstCasePrice {
            fixed: one.fixed.max(other.fixed),
            prompt_token: one.prompt_token.max(other.prompt_token),
            answer_token: one.answer_token.max(other.answer_token),
            max_answer: one.max_answer.zip(other.max_answer).map(|(one, other)| one.max(other)),
        }),
        (Quote::Known(_), unknown) | (unknown, _) => unknown,
    }
}

/// A refusal as the layers' error.
pub(super) fn over_budget(refusal: Box<Refusal>) -> LayerError {
    tracing::info!(
        target: "llm::budget",
        budget = refusal.budget.name(),
        account = refusal.account,
        needed = %refusal.needed,
        "over budget"
    );
    LayerError::BudgetExceeded(refusal)
}
