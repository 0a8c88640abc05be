//! Why a run did not come to its end.

use std::fmt;

use tower_llm_layers::{AttemptLog, UsdAmount};

use super::{ToolOutcome, ToolStep, outcome::cost_of};
use crate::{ChatRequest, Error, FailureKind};

/// Why a run of tools did not come to its end, with the conversation so far: it was paid for, and can be continued.
pub struct ToolRunError(Box<Inner>);

struct Inner {
    problem: ToolRunProblem,
    request: ChatRequest,
    steps: Vec<ToolStep>,
}

/// What ended a run.
#[derive(Debug)]
#[non_exhaustive]
pub enum ToolRunProblem {
    /// The call of the model failed, or the run's deadline passed during it.
    Call(Error),
    /// The run's deadline passed while tools ran: they were dropped.
    Deadline,
    /// The model called tools in each of so many steps.
    StepsSpent {
        /// The limit.
        limit: u32,
    },
    /// The steps so far cost as much as the run may, or more.
    CostSpent {
        /// The limit.
        limit: UsdAmount,
    },
    /// A tool failed, and [`OnToolFailure::Stop`](super::OnToolFailure::Stop) is set.
    Tool {
        /// Its name, as the model gave it.
        name: String,
        /// How it failed.
        outcome: ToolOutcome,
        /// The reason.
        message: String,
    },
}

impl ToolRunError {
    pub(super) fn new(problem: ToolRunProblem, request: ChatRequest, steps: Vec<ToolStep>) -> Self {
        Self(Box::new(Inner {
            problem,
            request,
            steps,
        }))
    }

    /// What ended the run.
    #[must_use]
    pub const fn problem(&self) -> &ToolRunProblem {
        &self.0.problem
    }

    /// The request with the conversation so far. After [`StepsSpent`](ToolRunProblem::StepsSpent) and
    /// [`CostSpent`](ToolRunProblem::CostSpent) it ends with the results of tools, and can be run again; after
    /// [`Deadline`](ToolRunProblem::Deadline) it ends with calls that have no results.
    #[must_use]
    pub const fn request(&self) -> &ChatRequest {
        &self.0.request
    }

    /// What each step did.
    #[must_use]
    pub fn steps(&self) -> &[ToolStep] {
        &self.0.steps
    }

    /// What the run cost, as far as that is known.
    #[must_use]
    pub fn cost(&self) -> UsdAmount {
        let failed = match &self.0.problem {
            ToolRunProblem::Call(error) => error.attempts().and_then(AttemptLog::cost),
            _ => None,
        };
        cost_of(&self.0.steps).saturating_add(failed.unwrap_or(UsdAmount::ZERO))
    }
}

impl fmt::Display for ToolRunError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let steps = self.0.steps.len();
        match &self.0.problem {
            ToolRunProblem::Call(error) => write!(f, "{error}")?,
            ToolRunProblem::Deadline => f.write_str("the deadline of the run passed while its tools ran")?,
            ToolRunProblem::StepsSpent { limit } => {
                write!(
                    f,
                    "the model called tools in each of {limit} steps: raise `max_steps`, or say in the prompt when to stop"
                )?;
            }
            ToolRunProblem::CostSpent { limit } => {
                write!(f, "the run has cost {}, and its limit is {limit}", self.cost())?;
            }
            ToolRunProblem::Tool { name, outcome, message } => {
                write!(f, "the tool `{name}` ended the run ({}): {message}", outcome.as_str())?;
            }
        }
        write!(f, " (after {steps} whole steps)")
    }
}

impl fmt::Debug for ToolRunError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0.problem {
            ToolRunProblem::Call(error) => fmt::Debug::fmt(error, f),
            _ => fmt::Display::fmt(self, f),
        }
    }
}

impl std::error::Error for ToolRunError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match &self.0.problem {
            ToolRunProblem::Call(error) => Some(error),
            _ => None,
        }
    }
}

/// The failed call as it is; what else ended the run by its kind.
impl From<ToolRunError> for Error {
    fn from(error: ToolRunError) -> Self {
        let message = error.to_string();
        let kind = match error.0.problem {
            ToolRunProblem::Call(error) => return error,
            ToolRunProblem::Deadline => FailureKind::Timeout(crate::Phase::Deadline),
            ToolRunProblem::CostSpent { .. } => FailureKind::BudgetExceeded,
            ToolRunProblem::StepsSpent { .. } | ToolRunProblem::Tool { .. } => FailureKind::Cancelled,
        };
        Self::new(kind, message)
    }
}
