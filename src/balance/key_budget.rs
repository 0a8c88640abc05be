//! Which of a key's budgets blocks its requests first.

use openrouter_wire::account::{KeyBudget, KeyInfo};

use super::state::dollars;

/// The budget with the least left: requests are checked against all of them. The router's own answer, `effective_budget`, comes first among equals, and
/// counts alone if no budget says what is left of it.
pub(super) fn first_to_block(key: &KeyInfo) -> Option<&KeyBudget> {
    let effective = key.effective_budget.as_ref();
    let all = effective.into_iter().chain(&key.budgets);
    let known = all.filter_map(|budget| Some((left_of(budget)?, budget)));
    known
        .min_by_key(|(left, _)| *left)
        .map(|(_, budget)| budget)
        .or(effective)
}

/// What is left of it, in pico-dollars: as it says, or as its limit and its spend say.
pub(super) fn left_of(budget: &KeyBudget) -> Option<i128> {
    let by_spend = || Some(dollars(budget.limit_usd.as_ref())?.saturating_sub(dollars(budget.spend_usd.as_ref())?));
    dollars(budget.remaining_usd.as_ref()).or_else(by_spend)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The id and what is left of the budget that blocks first.
    fn first(key: &str) -> Option<(String, Option<i128>)> {
        let key: KeyInfo = serde_json::from_str(key).unwrap();
        first_to_block(&key).map(|budget| (budget.budget_id.clone().unwrap_or_default(), left_of(budget)))
    }

    const DOLLAR: i128 = 1_000_000_000_000;

    #[test]
    fn without_an_effective_budget_the_one_with_the_least_left_counts() {
        let budgets = r#"[{"budget_id":"a","remaining_usd":9},{"budget_id":"b","remaining_usd":2},{"budget_id":"c"},
            {"budget_id":"d","remaining_usd":5}]"#;
        for effective in ["", r#","effective_budget":null"#] {
            let found = first(&format!(r#"{{"budgets":{budgets}{effective}}}"#));
            assert_eq!(found, Some(("b".to_owned(), Some(2 * DOLLAR))));
        }
        assert_eq!(first(r#"{"budgets":[]}"#), None);
        assert_eq!(
            first(r#"{"budgets":[{"budget_id":"a"}]}"#),
            None,
            "nothing is known of it"
        );
    }

    #[test]
    fn a_listed_budget_with_less_left_goes_before_the_effective_one() {
        let key = |left: &str| {
            format!(
                r#"{{"budgets":[{{"budget_id":"a","remaining_usd":{left}}}],"effective_budget":{{"budget_id":"e","remaining_usd":3}}}}"#
            )
        };
        assert_eq!(first(&key("-1")), Some(("a".to_owned(), Some(-DOLLAR))));
        for equal_or_more in ["3", "4", "null"] {
            assert_eq!(first(&key(equal_or_more)), Some(("e".to_owned(), Some(3 * DOLLAR))));
        }
    }

    #[test]
    fn what_is_left_follows_from_limit_and_spend() {
        let found = first(
            r#"{"budgets":[{"budget_id":"a","limit_usd":5,"spend_usd":1.5},{"budget_id":"b","remaining_usd":4}]}"#,
        );
        assert_eq!(found, Some(("a".to_owned(), Some(7 * DOLLAR / 2))));
        let unknown = first(r#"{"effective_budget":{"budget_id":"e","reset_interval":"daily"}}"#);
        assert_eq!(unknown, Some(("e".to_owned(), None)));
    }
}
