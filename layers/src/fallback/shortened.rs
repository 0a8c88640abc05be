//! The turn that comes after all others: the largest answer that money still carries.

use crate::{Candidate, DEFAULT_MIN_OUTPUT_TOKENS, Failure, FailureKind, LlmRequest, RetryAdvice};

/// The candidate that could give the largest answer, of those that were refused for want of money.
#[derive(Debug, Default)]
pub(super) struct Largest {
    found: Option<Box<Shortened>>,
    is_taken: bool,
}

/// A candidate that is called once more for a shorter answer.
#[derive(Debug)]
pub(super) struct Shortened {
    pub(super) candidate: Candidate,
    /// The turn in which it was refused.
    pub(super) turn: u32,
    pub(super) tokens: u64,
    /// Whether the account's balance is short; otherwise a budget of ours, and the cost layer finds out what fits.
    pub(super) by_balance: bool,
}

impl Largest {
    /// Keeps the candidate if a shorter answer of it could be paid for, and none before it could be longer.
    pub(super) fn note<E: Failure, R: LlmRequest>(
        &mut self,
        error: &E,
        (candidate, turn): (&Candidate, u32),
        original: &R,
    ) {
        let by_balance = error.kind() != FailureKind::BudgetExceeded;
        if self.is_taken || (by_balance && error.advice().retry != RetryAdvice::FewerTokens) {
            return;
        }
        let Some(tokens) = error.affordable_tokens() else {
            return;
        };
        let is_worth_it = !by_balance
            || (tokens >= DEFAULT_MIN_OUTPUT_TOKENS && original.max_tokens().is_none_or(|asked| asked > tokens));
        let is_larger = self.found.as_ref().is_none_or(|found| found.tokens < tokens);
        if is_worth_it && is_larger {
            self.found = Some(Box::new(Shortened {
                candidate: candidate.clone(),
                turn,
                tokens,
                by_balance,
            }));
        }
    }

    /// Takes it: once in a call, and only if the request can ask for a shorter answer at all.
    pub(super) fn take<R: LlmRequest>(&mut self, original: &R) -> Option<Box<Shortened>> {
        let found = self.found.take()?;
        self.is_taken = true;
        let mut request = original.clone();
        let is_able = request
            .budgeted()
            .is_some_and(|request| request.set_max_tokens(found.tokens));
        is_able.then_some(found)
    }
}
