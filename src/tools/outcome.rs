//! What a run gives: the answer, the conversation, and what each step did.

use std::time::Duration;

use openrouter_wire::request::RequestError;
use tower_llm_layers::{AttemptLog, UsdAmount};

use crate::{ChatRequest, Completion, request::Message};

/// How a call of a tool ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum ToolOutcome {
    /// It gave a result.
    Done,
    /// There is no tool of that name.
    Unknown,
    /// The arguments do not parse, or do not fit.
    InvalidArguments,
    /// The tool failed.
    Failed,
    /// The tool panicked.
    Panicked,
    /// It was not run: the message had too many calls.
    NotRun,
}

impl ToolOutcome {
    /// The name used in logs.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Done => "done",
            Self::Unknown => "unknown_tool",
            Self::InvalidArguments => "invalid_arguments",
            Self::Failed => "failed",
            Self::Panicked => "panicked",
            Self::NotRun => "not_run",
        }
    }
}

/// One call of a tool.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct ToolUse {
    /// The id of the call.
    pub id: String,
    /// The name that the model gave.
    pub name: String,
    /// How it ended.
    pub outcome: ToolOutcome,
    /// How long it ran.
    pub took: Duration,
}

/// One call of the model, and the tools that it called.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct ToolStep {
    /// What was tried for the call of the model.
    pub attempts: Option<AttemptLog>,
    /// What it cost, as far as that is known: by the ledger's entries, else by the answer's usage.
    pub cost: Option<UsdAmount>,
    /// The tools that it called, in its order.
    pub tools: Vec<ToolUse>,
}

/// A run that came to its end: the model answered without calling a tool.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct ToolRun {
    /// The last answer.
    pub completion: Completion,
    /// The request with the whole conversation, the last answer included: add a message of the user's, and run it again.
    pub request: ChatRequest,
    /// What each step did.
    pub steps: Vec<ToolStep>,
}

impl ToolRun {
    /// The text of the last answer.
    #[must_use]
    pub fn text(&self) -> &str {
        self.completion.response.text().unwrap_or_default()
    }

    /// The whole conversation.
    ///
    /// # Errors
    ///
    /// If a message that the request began with cannot be read as one.
    pub fn messages(&self) -> Result<Vec<Message>, RequestError> {
        self.request.messages()
    }

    /// What the run cost, as far as that is known.
    #[must_use]
    pub fn cost(&self) -> UsdAmount {
        cost_of(&self.steps)
    }
}

pub(super) fn cost_of(steps: &[ToolStep]) -> UsdAmount {
    let costs = steps.iter().filter_map(|step| step.cost);
    costs.fold(UsdAmount::ZERO, UsdAmount::saturating_add)
}
