//! What requests cost: the price list that budgets stand on.

use tower_llm_layers::{Candidate, Needs, PriceList, Quote, Tariff, TokenUsage, UsdAmount, UtcTime};

use super::{
    Catalogue,
    rates::{NoRates, Rates},
};

/// More than any budget has.
const ENDLESS: UsdAmount = UsdAmount::from_pico(i128::MAX);

impl PriceList for Catalogue {
    /// The dearest of the model's own row and of all endpoints that are known. The row alone shows its cheapest endpoint: see
    /// [`learn_endpoints`](Catalogue::learn_endpoints). Each token of prompt is taken at the dearest way it can be billed, a write
    /// to the cache included, and overrides by time of day as if they held.
    fn quote(&self, candidate: &Candidate, needs: &Needs, _: UtcTime) -> Quote {
        let table = self.table();
        let Some(row) = table.row(candidate.upstream(), candidate.model()) else {
            return Quote::Unknown;
        };
        let rates = match &row.rates {
            Ok(rates) => rates,
            Err(NoRates::Varies) => return Quote::Varies,
            Err(NoRates::Unknown) => return Quote::Unknown,
        };
        let prompt = needs.most_prompt_tokens.max(needs.prompt_tokens);
        let first = tariff(rates, prompt, needs);
        let all = row.served.rates.iter().map(|rates| tariff(rates, prompt, needs));
        let dearest = all.fold(first, dearer);
        let searches_by_name = candidate.model().contains(":online") && needs.searches == 0;
        let fixed = if searches_by_name {
            dearest.fixed.saturating_add(rates.search)
        } else {
            dearest.fixed
        };
        Quote::Known(Tariff {
            fixed,
            max_answer: row.longest_answer,
            ..dearest
        })
    }

    fn cost(&self, candidate: &Candidate, usage: &TokenUsage, at: UtcTime) -> Option<UsdAmount> {
        let table = self.table();
        let row = table.row(candidate.upstream(), candidate.model())?;
        row.rates.as_ref().ok()?.cost(usage, at)
    }
}

fn tariff(rates: &Rates, prompt: u64, needs: &Needs) -> Tariff {
    let (prompt_token, answer_token) = rates.dearest(prompt);
    let times = |price: UsdAmount, count: u64| price.checked_mul(count).unwrap_or(ENDLESS);
    let fixed = rates
        .request
        .saturating_add(times(rates.image, needs.images))
        .saturating_add(times(rates.search, needs.searches));
    Tariff {
        fixed,
        prompt_token,
        answer_token,
        max_answer: None,
    }
}

fn dearer(one: Tariff, other: Tariff) -> Tariff {
    Tariff {
        fixed: one.fixed.max(other.fixed),
        prompt_token: one.prompt_token.max(other.prompt_token),
        answer_token: one.answer_token.max(other.answer_token),
        max_answer: None,
    }
}
