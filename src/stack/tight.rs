//! A warning for budgets that carry only a few calls at once.

use std::{
    collections::BTreeSet,
    hash::{DefaultHasher, Hash, Hasher},
    sync::{Mutex, PoisonError},
};

use tower_llm_layers::{
    Candidate, Needs, PriceList, Quote, UsdAmount, UtcTime,
    budget::{Budget, Budgets},
};

/// So many calls at their worst price a budget should carry: with fewer, calls that run in parallel are refused or shortened, although what
/// they cost in the end would fit.
const FEWEST_CALLS: i128 = 10;

/// The prompt of a call of ordinary size, in tokens.
const PROMPT: u64 = 1_000;

/// Budgets that are named in one line.
const NAMED: usize = 3;

/// Budgets that are remembered as warned about.
const MOST_REMEMBERED: usize = 10_000;

/// What this process has warned about: stacks are built again with each reload, and what is new must not drown in what is not.
static WARNED: Mutex<Warned> = Mutex::new(Warned(BTreeSet::new()));

/// Hashes of budgets, their caps and the most expensive call that they were compared with.
struct Warned(BTreeSet<u64>);

impl Warned {
    /// Keeps those that were not warned about, and remembers them.
    fn retain_new<T>(&mut self, tight: &mut Vec<T>, hash_of: impl Fn(&T) -> u64) {
        let known = std::mem::take(&mut self.0);
        let now: BTreeSet<u64> = tight.iter().map(&hash_of).collect();
        tight.retain(|budget| !known.contains(&hash_of(budget)));
        self.0 = now;
        let room = MOST_REMEMBERED.saturating_sub(self.0.len());
        self.0.extend(known.into_iter().take(room));
    }
}

/// Warns of the budgets that carry fewer than ten calls of one of these candidates, with answers of so many tokens at most: in one line, and of each
/// once in the life of the process unless its cap, or the most expensive call, changes. Candidates whose price is not known yet are left out.
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
    let calls = |budget: &Budget| budget.cap().pico() / worst_case.pico();
    let hard = budgets.iter().filter(|budget| !budget.is_soft());
    let mut tight: Vec<&Budget> = hard.filter(|budget| calls(budget) < FEWEST_CALLS).collect();
    let mut warned = WARNED.lock().unwrap_or_else(PoisonError::into_inner);
    warned.retain_new(&mut tight, |budget| {
        let mut hasher = DefaultHasher::new();
        (budget.name(), budget.cap(), candidate.model(), worst_case).hash(&mut hasher);
        hasher.finish()
    });
    drop(warned);
    tight.sort_by_key(|budget| budget.cap());
    let Some((tightest, others)) = tight.split_first() else {
        return;
    };
    let also: Vec<_> = others.iter().take(NAMED - 1).map(|budget| budget.name()).collect();
    tracing::warn!(
        target: "llm::budget",
        budgets = tight.len(),
        budget = tightest.name(),
        also = (!also.is_empty()).then(|| also.join(" ")),
        cap = %tightest.cap(),
        model = candidate.model(),
        worst_case = %worst_case,
        calls = calls(tightest),
        "a budget carries few calls at their worst price, so that parallel calls wait, are refused or shortened: raise it, or lower \
         `default_output_tokens`"
    );
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_new_is_left_out_and_what_is_remembered_is_bounded() {
        let mut warned = Warned(BTreeSet::new());
        let mut news = |tight: &[u64]| {
            let mut tight = tight.to_vec();
            warned.retain_new(&mut tight, |budget| *budget);
            assert!(warned.0.len() <= MOST_REMEMBERED);
            tight
        };
        assert_eq!(news(&[1, 2]), [1, 2]);
        assert_eq!(news(&[2, 3, 1]), [3]);
        assert!(news(&[]).is_empty());
        assert_eq!(news(&[1, 4]), [4], "of another stack in this process");
        let many: Vec<u64> = (100..10_100).collect();
        assert_eq!(news(&many).len(), 10_000);
        assert!(news(&many).is_empty());
    }
}
