//! The slot of finish reasons that count as failures.

use tower_llm_layers::{FailureKind, first_token::FirstTokenLayer};

use super::{BuildProblem, StackBuilder};
use crate::response::FinishReason;

/// Finish reasons that count as failures, and as which kind; none by default.
#[derive(Debug, Clone, Default)]
pub(super) struct FailingFinish(Vec<(FinishReason, FailureKind)>);

impl<R, F, E> StackBuilder<R, F, E> {
    /// Counts answers that end for this reason as failures of this kind. May be called for several reasons; for one that is named twice the
    /// last kind counts. None by default: an answer that reached its limit of tokens is an answer.
    ///
    /// The words of other servers count as OpenRouter's (`MAX_TOKENS` as `length`: see [`FinishReason::normalized`]). What follows is the
    /// [advice](FailureKind::advice) for the kind. If nothing was shown before, as of a plain call, another candidate may answer, or the same
    /// one again; a stream of which something was shown ends with the failure. Either way what it cost is recorded and settled.
    ///
    /// ```
    /// use tower_openrouter::{ApiKey, FailureKind, Stack};
    ///
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let stack = Stack::openrouter(ApiKey::new("sk-or-v1-0")?)
    ///     .chain(["openai/gpt-5-nano", "openai/gpt-5"])
    ///     // Half a document is of no use: a model with more room may write the whole.
    ///     .fail_on_finish_reason("length", FailureKind::ContextLengthExceeded)
    ///     .build()?;
    /// assert!(stack.describe().contains("`length` fails as context_length_exceeded"));
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn fail_on_finish_reason(mut self, reason: impl Into<FinishReason>, kind: FailureKind) -> Self {
        self.settings.failing.set(reason.into(), kind);
        self
    }
}

/// What a reason counts as: one word for all servers', unless it is no end of an answer.
pub(crate) fn known_as(reason: FinishReason) -> FinishReason {
    reason.normalized().unwrap_or(reason)
}

/// As problems name what a reason counts as.
pub(crate) fn named(reason: &FinishReason) -> String {
    reason.as_str().chars().take(80).collect()
}

impl FailingFinish {
    fn set(&mut self, reason: FinishReason, kind: FailureKind) {
        let reason = known_as(reason);
        self.0.retain(|(known, _)| *known != reason);
        self.0.push((reason, kind));
    }

    /// Adds those that would do nothing, or refuse every answer.
    pub(super) fn check(&self, wrong: &mut Vec<BuildProblem>) {
        let problems = self.0.iter().filter_map(|(reason, _)| {
            let problem = match reason.normalized() {
                None => "is no end of an answer, and never counts: name another one, e.g. `length`",
                Some(FinishReason::Stop) => {
                    "is the end of every whole answer, and would refuse them all: name another one, e.g. `length`"
                }
                Some(FinishReason::Error) => "is a failure by itself: leave it out",
                Some(_) => return None,
            };
            let reason = named(reason);
            Some(BuildProblem::FinishReason { reason, problem })
        });
        wrong.extend(problems);
    }

    /// The layer that an answer begins and ends by.
    pub(super) fn layer(&self) -> FirstTokenLayer {
        let layer = FirstTokenLayer::new();
        if self.0.is_empty() {
            return layer;
        }
        let failing = self.0.clone();
        layer.fail_on_finish_reason(move |word| {
            let reason = FinishReason::from(word).normalized()?;
            let mut known = failing.iter();
            known.find(|(known, _)| *known == reason).map(|(_, kind)| *kind)
        })
    }

    /// What `describe` says of them.
    pub(super) fn describe(&self) -> String {
        let reasons = self.0.iter();
        let told = reasons.map(|(reason, kind)| format!("; `{}` fails as {kind}", reason.as_str()));
        told.collect()
    }
}
