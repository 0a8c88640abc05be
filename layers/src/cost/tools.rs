//! What a loop of tools that the upstream runs can cost.

use crate::{ToolLoop, UsdAmount, WorstCasePrice};

/// More than any budget has.
pub(super) const ENDLESS: UsdAmount = UsdAmount::from_pico(i128::MAX);

/// Turns of the model that come on top of a limit on the loop's cost: the limit is looked at after a step, which may then have passed it,
/// and one more turn ends the loop.
const TURNS_BEYOND_LIMIT: u64 = 2;

/// Amounts below a micro-dollar are nothing in a limit.
const MICRO: i128 = 1_000_000;

/// What the loop can cost, and the limit that holds it to that.
#[derive(Debug)]
pub(super) struct Tools {
    /// The price of what comes on top of the limit.
    pub(super) worst_case: WorstCasePrice,
    /// What comes on top of the limit, all tools of one step included.
    pub(super) base: UsdAmount,
    /// What is requested of the budgets.
    pub(super) want: UsdAmount,
    /// The limit that goes with `want`; `None` if the request holds itself to that.
    limit: Option<UsdAmount>,
}

impl Tools {
    pub(super) fn of(tool_loop: &ToolLoop, price: WorstCasePrice, prompt: u64, answer: u64) -> Self {
        let turns = |turns| of_turns(price, turns, tool_loop.steps);
        let cost = |price: WorstCasePrice| price.cost(prompt, answer).unwrap_or(ENDLESS);
        let worst_case = turns(TURNS_BEYOND_LIMIT);
        let base = cost(worst_case);
        let whole = cost(turns(tool_loop.steps.saturating_add(1)));
        // Without a limit of its own, a loop may cost as much as what comes on top of the limit anyway.
        let limit = tool_loop.max_cost.unwrap_or(base);
        let limited = base.saturating_add(limit);
        if tool_loop.is_bounded && whole <= limited {
            return Self {
                worst_case,
                base: base.min(whole),
                want: whole,
                limit: None,
            };
        }
        let holds_itself = tool_loop.is_bounded && tool_loop.max_cost.is_some();
        Self {
            worst_case,
            base,
            want: limited,
            limit: (!holds_itself).then_some(limit),
        }
    }

    /// The limit on the loop's cost that a reservation carries; `None` if the request needs none.
    pub(super) fn limit_within(&self, held: UsdAmount) -> Option<UsdAmount> {
        if held >= self.want {
            return self.limit.map(rounded_down);
        }
        Some(rounded_down(held.saturating_sub(self.base).max(UsdAmount::ZERO)))
    }
}

/// The price of so many turns: each has the whole prompt, and the answers of the turns before it.
fn of_turns(price: WorstCasePrice, turns: u64, steps: u64) -> WorstCasePrice {
    let times = |amount: UsdAmount, times: u64| amount.checked_mul(times).unwrap_or(ENDLESS);
    let answer_token = price.answer_token.saturating_add(times(price.prompt_token, steps));
    WorstCasePrice {
        prompt_token: times(price.prompt_token, turns),
        answer_token: times(answer_token, turns),
        ..price
    }
}

fn rounded_down(amount: UsdAmount) -> UsdAmount {
    UsdAmount::from_pico(amount.pico() - amount.pico() % MICRO)
}

#[cfg(test)]
mod tests {
    use super::*;

    const PRICE: WorstCasePrice = WorstCasePrice {
        fixed: UsdAmount::from_pico(7_000_000),
        prompt_token: UsdAmount::from_pico(1_000_000),
        answer_token: UsdAmount::from_pico(10_000_000),
        max_answer: None,
    };

    #[test]
    fn a_short_loop_is_reserved_whole() {
        let tools = Tools::of(&ToolLoop::of_steps(1), PRICE, 100, 10);
        // Two turns of a hundred tokens and ten, and the first answer once more.
        assert_eq!(
            tools.want,
            UsdAmount::from_pico(7_000_000 + 2 * (100_000_000 + 100_000_000 + 10_000_000))
        );
        assert_eq!(tools.limit_within(tools.want), None);
    }

    #[test]
    fn a_long_loop_is_limited_to_what_is_reserved() {
        let tools = Tools::of(&ToolLoop::of_steps(30), PRICE, 100, 10);
        assert_eq!(tools.want, tools.base.saturating_add(tools.base));
        assert_eq!(tools.limit_within(tools.want), Some(rounded_down(tools.base)));
        let less = tools.want.saturating_sub(UsdAmount::from_pico(1));
        assert!(tools.limit_within(less).unwrap() < tools.base);
        assert_eq!(tools.limit_within(tools.base), Some(UsdAmount::ZERO));
    }

    #[test]
    fn a_limit_of_the_request_is_kept() {
        let mut own = ToolLoop::of_steps(30);
        own.max_cost = Some(UsdAmount::from_pico(5_000_000));
        let tools = Tools::of(&own, PRICE, 100, 10);
        assert_eq!(tools.want, tools.base.saturating_add(UsdAmount::from_pico(5_000_000)));
        assert_eq!(tools.limit_within(tools.want), None, "the request says so itself");
        own.is_bounded = false;
        let tools = Tools::of(&own, PRICE, 100, 10);
        assert_eq!(
            tools.limit_within(tools.want),
            own.max_cost,
            "without steps it must be set again"
        );
    }
}
