//! A warning for budgets that carry only a few calls at once.

use tower_llm_layers::{Candidate, Needs, PriceList, Quote, UsdAmount, UtcTime, budget::Budgets};

/// So many calls at their worst price a budget should carry: with fewer, calls that run in parallel are refused or shortened, although what
/// they cost in the end would fit.
const FEWEST_CALLS: i128 = 10;

/// The prompt of a call of ordinary size, in tokens.
const PROMPT: u64 = 1_000;

/// Warns once for each budget that carries fewer than ten calls of one of these candidates, with answers of so many tokens at most. Candidates
/// whose price is not known yet are left out.
pub(super) fn warn<'a>(
    budgets: &Budgets,
    prices: Option<&dyn PriceList>,
    tokens: Option<u64>,
    candidates: impl Iterator<Item = &'a Candidate>,
) {
    let Some(prices) = prices else { return };
    let dearest = candidates
        .filter_map(|candidate| Some((worst_case(prices, candidate, tokens)?, candidate)))
        .max_by_key(|(worst_case, _)| *worst_case);
    let Some((worst_case, candidate)) = dearest.filter(|(worst_case, _)| *worst_case > UsdAmount::ZERO) else {
        return;
    };
    for budget in budgets.iter().filter(|budget| !budget.is_soft()) {
        let calls = budget.cap().pico() / worst_case.pico();
        if calls < FEWEST_CALLS {
            tracing::warn!(
                target: "llm::budget",
                budget = budget.name(),
                cap = %budget.cap(),
                model = candidate.model(),
                worst_case = %worst_case,
                calls,
                "a budget carries few calls at their worst price, so that parallel calls wait, are refused or shortened: raise it, or lower \
                 `default_output_tokens`"
            );
        }
    }
}

/// What a call of ordinary size can cost there.
fn worst_case(prices: &dyn PriceList, candidate: &Candidate, tokens: Option<u64>) -> Option<UsdAmount> {
    let needs = Needs::of_prompt(PROMPT, PROMPT);
    let Quote::Known(price) = prices.quote(candidate, &needs, UtcTime::now()) else {
        return None;
    };
    let answer = match (tokens, price.max_answer) {
        (Some(tokens), Some(longest)) => tokens.min(longest),
        (tokens, longest) => tokens.or(longest)?,
    };
    price.cost(PROMPT, answer).ok()
}
