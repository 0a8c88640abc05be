//! The tools of a run, and what bounds it.

use std::{fmt, sync::Arc, time::Duration};

use tower_llm_layers::UsdAmount;

use super::Tool;

/// The most model calls of a run by default.
const STEPS: u32 = 10;

/// The most calls in one message that are run by default.
const CALLS_A_MESSAGE: usize = 32;

/// The time for all of a run by default: that of a stack for one call.
const DEADLINE: Duration = Duration::from_secs(180);

/// What a failed call of a tool leads to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum OnToolFailure {
    /// The model gets the reason as the tool's result.
    #[default]
    Report,
    /// The run ends with [`ToolRunProblem::Tool`](super::ToolRunProblem::Tool).
    Stop,
}

/// Gets each piece of text as it comes.
pub(super) type OnText = Arc<dyn Fn(&str) + Send + Sync>;

/// The tools of a run, and what bounds it. Clones share the functions.
#[derive(Clone)]
pub struct Tools {
    pub(super) tools: Vec<Tool>,
    pub(super) max_steps: u32,
    pub(super) max_cost: Option<UsdAmount>,
    pub(super) max_calls: usize,
    pub(super) deadline: Duration,
    pub(super) on_failure: OnToolFailure,
    pub(super) on_text: Option<OnText>,
}

impl Tools {
    /// These tools, with the default bounds.
    pub fn new(tools: impl IntoIterator<Item = Tool>) -> Self {
        Self {
            tools: tools.into_iter().collect(),
            max_steps: STEPS,
            max_cost: None,
            max_calls: CALLS_A_MESSAGE,
            deadline: DEADLINE,
            on_failure: OnToolFailure::default(),
            on_text: None,
        }
    }

    /// The most calls of the model in one run, the last one included; 10 by default, and at least one.
    #[must_use]
    pub fn max_steps(mut self, steps: u32) -> Self {
        self.max_steps = steps.max(1);
        self
    }

    /// Starts no further step once the run has cost this much. Without a limit by default. The last step may pass it: for a hard bound, put a budget
    /// on a tag of the request.
    #[must_use]
    pub const fn max_cost(mut self, most: UsdAmount) -> Self {
        self.max_cost = Some(most);
        self
    }

    /// The most calls of one message that are run; 32 by default, and at least one. The model gets a reason as the result of the others.
    #[must_use]
    pub fn max_calls_per_message(mut self, calls: usize) -> Self {
        self.max_calls = calls.max(1);
        self
    }

    /// The time for all of a run: every call of the model, and every tool. 180 s by default; a deadline of the request's own can only shorten it.
    #[must_use]
    pub const fn deadline(mut self, time: Duration) -> Self {
        self.deadline = time;
        self
    }

    /// What a failed call of a tool leads to; by default the model gets the reason.
    #[must_use]
    pub const fn on_failure(mut self, on_failure: OnToolFailure) -> Self {
        self.on_failure = on_failure;
        self
    }

    /// Streams the model's answers, and passes each piece of text on as it comes, that of every step.
    #[must_use]
    pub fn on_text(mut self, show: impl Fn(&str) + Send + Sync + 'static) -> Self {
        self.on_text = Some(Arc::new(show));
        self
    }

    pub(super) fn find(&self, name: &str) -> Option<&Tool> {
        self.tools.iter().find(|tool| tool.name() == name)
    }
}

impl fmt::Debug for Tools {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tools")
            .field("tools", &self.tools)
            .field("max_steps", &self.max_steps)
            .field("max_cost", &self.max_cost)
            .field("max_calls", &self.max_calls)
            .field("deadline", &self.deadline)
            .field("on_failure", &self.on_failure)
            .field("streams", &self.on_text.is_some())
            .finish()
    }
}
