//! What follows from a failure: again, after which wait, or the error.

use std::time::Duration;

use super::{Delays, RetryPolicy, budget::Withdrawn};
use crate::{DEFAULT_MIN_OUTPUT_TOKENS, Failure, LlmRequest, RetryAdvice, call::ATTEMPTS_SPENT, util::Seconds};

/// What to do after a failure.
pub(super) enum Decision {
    /// Again, after this long; `shortened` to so many tokens if the request now asks for a shorter answer than its caller did.
    Again {
        wait: Duration,
        shortened: Option<u64>,
        withdrawn: Withdrawn,
    },
    /// No retry; with a reason if the failure itself does not explain it.
    GiveUp(Option<String>),
}

/// A wait: as long as wanted if that fits, and never less than the minimum.
struct Wait {
    least: Duration,
    wish: Duration,
}

impl Wait {
    const NONE: Self = Self::exactly(Duration::ZERO);

    const fn exactly(time: Duration) -> Self {
        Self {
            least: time,
            wish: time,
        }
    }
}

/// What one call has behind it on this candidate.
pub(super) struct History<'a> {
    pub(super) policy: &'a RetryPolicy,
    pub(super) attempts: u32,
    pub(super) delays: &'a mut Delays,
}

impl History<'_> {
    /// Decides, and shortens the request to what the balance can pay for, if that is needed.
    pub(super) fn decide<E: Failure, R: LlmRequest>(&mut self, error: &E, request: &mut R) -> Decision {
        if error.marks().is_exhausted() {
            return Decision::GiveUp(None);
        }
        let Some(Wait { least, wish }) = self.wait(error, request) else {
            return Decision::GiveUp(None);
        };
        if self.attempts >= self.policy.max_attempts {
            return Decision::GiveUp(None);
        }
        if request.call().attempts_left() == 0 {
            return Decision::GiveUp(Some(ATTEMPTS_SPENT.to_owned()));
        }
        let left = request.call().remaining().unwrap_or(Duration::MAX);
        if least >= left {
            return Decision::GiveUp(Some(format!("past the {} left", Seconds(left))));
        }
        let longest = self.longest(request);
        if least > longest {
            let why = if longest < self.policy.max_retry_delay {
                " while another candidate can answer"
            } else {
                ""
            };
            return Decision::GiveUp(Some(format!("over the longest wait of {}{why}", Seconds(longest))));
        }
        let wait = if wish < left { wish } else { least }.min(longest);
        // Another key may carry the whole.
        let is_whole = error.marks().has_other_key();
        let fewer = (!is_whole).then(|| affordable(error, request)).flatten();
        if let Some(tokens) = fewer
            && !request.budgeted().is_some_and(|request| request.set_max_tokens(tokens))
        {
            return Decision::GiveUp(Some("the request cannot ask for a shorter answer".to_owned()));
        }
        match self.policy.budget.withdraw_ahead() {
            None => Decision::GiveUp(Some("the process-wide retry ratio is used up".to_owned())),
            Some(withdrawn) => Decision::Again {
                wait,
                shortened: fewer,
                withdrawn,
            },
        }
    }

    /// The longest wait for one retry.
    fn longest<R: LlmRequest>(&self, request: &R) -> Duration {
        if request.call().is_last() {
            self.policy.max_retry_delay
        } else {
            self.policy
                .max_retry_delay_with_fallback
                .min(self.policy.max_retry_delay)
        }
    }

    /// How long this failure would have to wait; `None` if it may not be repeated.
    fn wait<E: Failure, R: LlmRequest>(&mut self, error: &E, request: &R) -> Option<Wait> {
        if error.marks().has_other_key() {
            return Some(Wait::NONE);
        }
        match error.advice().retry {
            RetryAdvice::Never | RetryAdvice::OtherKey => None,
            RetryAdvice::FewerTokens => affordable(error, request).map(|_| Wait::NONE),
            RetryAdvice::Once if self.attempts > 1 => None,
            RetryAdvice::IfAlone if !(self.policy.retry_timeouts && request.call().is_alone()) => None,
            RetryAdvice::Backoff | RetryAdvice::Once | RetryAdvice::IfAlone => {
                let delay = self.delays.next()?.min(self.longest(request));
                // Never earlier than asked, and not all at once.
                let hint = error.retry_after().filter(|hint| !hint.is_zero());
                Some(hint.map_or(Wait::exactly(delay), |hint| Wait {
                    least: hint,
                    wish: hint.saturating_add(delay.min(hint / 10)),
                }))
            }
        }
    }
}

/// A smaller `max_tokens` that the balance carries, if the failure names one worth trying.
fn affordable<E: Failure, R: LlmRequest>(error: &E, request: &R) -> Option<u64> {
    // As long as another candidate may give the whole answer, none is cut short. A hedge never is: a shorter answer that comes first is no
    // better one.
    if error.advice().retry != RetryAdvice::FewerTokens || !request.call().may_shorten() {
        return None;
    }
    let tokens = error
        .affordable_tokens()
        .filter(|tokens| *tokens >= DEFAULT_MIN_OUTPUT_TOKENS)?;
    request
        .max_tokens()
        .is_none_or(|asked| asked > tokens)
        .then_some(tokens)
}
