//! Token counts, and what they cost.

use crate::catalogue::Caching;
use crate::money::Cost;

/// Token counts and what they cost.
#[derive(Clone, Debug, Default)]
pub(crate) struct Tally {
    pub(crate) prompt: u64,
    pub(crate) caching: Caching,
    pub(crate) completion: u64,
    /// How many of the completion's tokens are reasoning, which comes first.
    pub(crate) reasoning: u64,
    pub(crate) prompt_cost: Cost,
    /// A token of the answer.
    pub(crate) token_cost: Cost,
    /// A token of reasoning.
    pub(crate) thought_cost: Cost,
    /// What further answers, server tools and plugins add.
    pub(crate) extra: Cost,
}

impl Tally {
    /// What the completion costs.
    pub(crate) fn completion_cost(&self) -> Cost {
        self.token_cost * (self.completion - self.reasoning) + self.thought_cost * self.reasoning
    }

    /// All costs together.
    pub(crate) fn cost(&self) -> Cost {
        self.prompt_cost + self.completion_cost() + self.extra
    }

    /// The same if only the first tokens were generated.
    pub(crate) fn first(&self, tokens: u64) -> Self {
        let completion = tokens.min(self.completion);
        Self {
            completion,
            reasoning: completion.min(self.reasoning),
            ..self.clone()
        }
    }

    /// The same prompt, with nothing generated and nothing to pay.
    pub(crate) fn nothing(&self) -> Self {
        Self {
            prompt: self.prompt,
            ..Self::default()
        }
    }
}
