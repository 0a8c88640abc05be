//! What requests cost: the price list that budgets use.

use tower_llm_layers::{
    Candidate, MediaKinds, Needs, PriceList, PriceTier, Quote, TokenUsage, UsdAmount, UtcTime, WorstCasePrice,
};

use super::{
    Catalogue,
    names::Extras,
    rates::NoRates,
    served::{Offer, Served},
};
use openrouter_wire::request::SEARCH_TOKENS;

/// The most expensive search that OpenRouter's plugin makes for a model that has no search of its own: Exa's, of up to ten results, as its
/// documentation gives it.
pub const PLUGIN_SEARCH: UsdAmount = UsdAmount::from_pico(7_000_000_000);

/// More than any budget has.
const ENDLESS: UsdAmount = UsdAmount::from_pico(i128::MAX);

impl PriceList for Catalogue {
    /// The most expensive of the model's own row and of all endpoints that are known and may serve it. If no endpoint is known, only the row
    /// counts, and it shows the cheapest endpoint: a [refresh](super::CatalogueRefresh) then reads the endpoints in the background, and
    /// later quotes are exact ([`has_endpoints`](Catalogue::has_endpoints)).
    ///
    /// Each prompt token counts at the most expensive way in which it can be billed: plain, read from the cache or written to it, for an hour
    /// if the request asks for that, and as sound if it has some. Overrides by the time of day always count. Endpoints of a priority tier
    /// count if the request or its name may select them. Endpoints above the price ceiling of the request do not count.
    ///
    /// A [price given by hand](Catalogue::with_price) is that of no other tier, and of no picture unless it says what one costs: a request that may be
    /// served on a priority tier, by one of its fields or by a variant or a preset behind the name that has the price, or that wants pictures, has an
    /// unknown price then. A price given for the whole name, such as `a/b:nitro`, is that of the tier which the name requests.
    ///
    /// Of one turn of the model: the cost layer multiplies by the turns of a [loop of tools](tower_llm_layers::ToolLoop), and refuses what has
    /// no bound. Not reserved: more than one picture per answer, and what a preset adds to a search and a priority tier.
    fn quote(&self, candidate: &Candidate, needs: &Needs, _: UtcTime) -> Quote {
        let table = self.table();
        let Some(row) = table.row(candidate.upstream(), candidate.model()) else {
            return Quote::Unknown;
        };
        self.request_endpoints(row);
        let extras = Extras::of(candidate.model());
        let searched_by_name = extras.search && needs.searches == 0;
        let searches = needs.searches + u64::from(searched_by_name);
        let priority = extras.priority || needs.priority;
        let is_by_hand = row.model.is_none();
        let is_of_whole_name = *row.listed_as == *candidate.model();
        if is_by_hand && (needs.priority || (extras.priority && !is_of_whole_name)) {
            return Quote::Unknown;
        }
        let wants_pictures = is_by_hand && needs.output.contains(MediaKinds::IMAGE);
        let mut worst = match &row.rates {
            Ok(rates) if wants_pictures && !rates.has_picture_price() => return Quote::Unknown,
            Ok(rates) => rates.worst_case(needs, searches),
            Err(why) => return no_quote(*why),
        };
        for offer in row.served.offers.iter().filter(|offer| priority || !offer.priority) {
            match &offer.rates {
                Ok(rates) if rates.is_above(&needs.ceiling, needs) => {}
                Ok(rates) => worst = costlier(worst, rates.worst_case(needs, searches)),
                Err(why) => return no_quote(*why),
            }
        }
        if searched_by_name {
            // The prompt was counted without what is found.
            let found = worst.prompt_token.checked_mul(SEARCH_TOKENS);
            worst.fixed = worst.fixed.saturating_add(found.unwrap_or(ENDLESS));
        }
        worst.max_answer = row.longest_answer;
        Quote::Known(worst)
    }

    /// Of the endpoints of the usage's tier the most expensive that is known, since any of them may have served; the model's own row shows the
    /// cheapest.
    fn cost(&self, candidate: &Candidate, usage: &TokenUsage, at: UtcTime) -> Option<UsdAmount> {
        let table = self.table();
        let row = table.row(candidate.upstream(), candidate.model())?;
        let own = row.rates.as_ref().ok()?.cost(usage, at);
        let of_tier = |tier| most_expensive(&row.served, usage, at, |offer| offer.is_of(tier));
        match usage.tier {
            // If no price of the tier is known, the highest that is.
            PriceTier::Priority if !row.served.has_tier() => own.max(most_expensive(&row.served, usage, at, |_| true)),
            PriceTier::Cheaper => of_tier(PriceTier::Cheaper).or(own),
            tier => own.max(of_tier(tier)),
        }
    }

    /// Of that provider's endpoints of the usage's tier the most expensive; if none is known, the same as of any provider.
    fn cost_of_provider(
        &self,
        candidate: &Candidate,
        provider: &str,
        usage: &TokenUsage,
        at: UtcTime,
    ) -> Option<UsdAmount> {
        let table = self.table();
        let row = table.row(candidate.upstream(), candidate.model())?;
        let its = |offer: &Offer| offer.provider.eq_ignore_ascii_case(provider) && offer.is_of(usage.tier);
        most_expensive(&row.served, usage, at, its).or_else(|| self.cost(candidate, usage, at))
    }

    fn varies_by_provider(&self, candidate: &Candidate) -> bool {
        let table = self.table();
        let row = table.row(candidate.upstream(), candidate.model());
        row.is_some_and(|row| row.served.offers.len() > 1)
    }

    fn has_tier(&self, candidate: &Candidate, usage: &TokenUsage) -> bool {
        let table = self.table();
        let row = || table.row(candidate.upstream(), candidate.model());
        match usage.tier {
            PriceTier::Priority => row().is_some_and(|row| row.served.has_tier()),
            PriceTier::Cheaper => row().is_some_and(|row| row.served.has_cheaper_tier()),
            _ => true,
        }
    }

    fn listed_as(&self, candidate: &Candidate) -> Option<Box<str>> {
        let table = self.table();
        let row = table.row(candidate.upstream(), candidate.model())?;
        Some(row.listed_as.clone())
    }

    /// The model without its variant decides: an answer of `a/b:free` may name `a/b`, which costs something else.
    fn served_by(&self, candidate: &Candidate, model: &str) -> Option<Candidate> {
        let table = self.table();
        let served = table.row(candidate.upstream(), model)?;
        let plain = |name: &str| name.split(':').next().unwrap_or_default().to_owned();
        let own = table.row(candidate.upstream(), candidate.model());
        if own.is_some_and(|own| plain(&own.listed_as) == plain(&served.listed_as)) {
            return None;
        }
        Candidate::new(candidate.upstream(), &served.listed_as).ok()
    }
}

/// What the usage costs at the most expensive of these endpoints; `None` if none of them has a price.
fn most_expensive(
    served: &Served,
    usage: &TokenUsage,
    at: UtcTime,
    which: impl Fn(&Offer) -> bool,
) -> Option<UsdAmount> {
    let offers = served.offers.iter().filter(|offer| which(offer));
    offers
        .filter_map(|offer| offer.rates.as_ref().ok()?.cost(usage, at))
        .max()
}

const fn no_quote(why: NoRates) -> Quote {
    match why {
        NoRates::Varies => Quote::Varies,
        NoRates::Unknown => Quote::Unknown,
    }
}

fn costlier(one: WorstCasePrice, other: WorstCasePrice) -> WorstCasePrice {
    WorstCasePrice::new()
        .fixed(one.fixed.max(other.fixed))
        .prompt_token(one.prompt_token.max(other.prompt_token))
        .answer_token(one.answer_token.max(other.answer_token))
}
