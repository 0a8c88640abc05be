//! What a request needs of a model.

use super::MediaKinds;
use crate::{PriceCeiling, UsdAmount};

/// A loop in which an upstream calls the model, runs the tools that it names, and calls it again with their results.
///
/// Each step is a turn of the model, with the whole prompt and the answers before it; one more turn ends the loop.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct ToolLoop {
    /// The most steps.
    pub steps: u64,
    /// Whether the request itself holds the loop to these steps; otherwise the cost layer sets a limit.
    pub is_bounded: bool,
    /// The cost after which the request itself stops the loop.
    pub max_cost: Option<UsdAmount>,
}

impl ToolLoop {
    /// A loop that the request holds to so many steps.
    #[must_use]
    pub const fn of_steps(steps: u64) -> Self {
        Self {
            steps,
            is_bounded: true,
            max_cost: None,
        }
    }
}

/// What a request needs of the model that takes it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct Needs {
    /// Tokens of the prompt, roughly (about four bytes each).
    pub prompt_tokens: u64,
    /// The most tokens the prompt can have with any tokenizer: for reserving money. 0 if that is unknown.
    pub most_prompt_tokens: u64,
    /// The largest requested answer, in tokens; 0 if the request does not say.
    pub max_tokens: u64,
    /// Pictures it sends.
    pub images: u64,
    /// Searches of the web that it may run.
    pub searches: u64,
    /// How many answers it requests at once; 0 is one.
    pub choices: u64,
    /// The loop in which the upstream runs tools by itself; `None` if it runs none.
    pub tool_loop: Option<ToolLoop>,
    /// It wants its prompt cached for longer than usual, which costs more to write.
    pub long_cache: bool,
    /// It may be served on a faster and more expensive tier.
    pub priority: bool,
    /// The highest price at which it may be served: the upstream skips endpoints above it.
    pub ceiling: PriceCeiling,
    /// It offers tools.
    pub tools: bool,
    /// It forces a tool.
    pub tool_choice: bool,
    /// It requests an answer by JSON schema.
    pub structured_outputs: bool,
    /// It requests JSON.
    pub json_mode: bool,
    /// It begins the model's own message, to be continued.
    pub prefill: bool,
    /// What it puts in, beside text.
    pub input: MediaKinds,
    /// What it wants out, beside text.
    pub output: MediaKinds,
    /// The API that it is for, by a name that the request and the [`Capability`](crate::Capability) agree on; `None` excludes no candidate.
    pub api: Option<&'static str>,
}

impl Needs {
    /// Needs of a prompt of about so many tokens, and of at most so many.
    #[must_use]
    pub fn of_prompt(tokens: u64, at_most: u64) -> Self {
        Self {
            prompt_tokens: tokens,
            most_prompt_tokens: at_most,
            ..Self::default()
        }
    }
}
