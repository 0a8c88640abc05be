//! The timeouts of an attempt, and the slowest stream that is waited for.

use std::time::Duration;

use crate::{Phase, TimeoutOverrides};

/// The slowest stream that is still worth waiting for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct MinThroughput {
    /// Tokens that must come within each window.
    pub tokens: u32,
    /// The window: time spent waiting for the upstream, not the reader's own.
    pub window: Duration,
}

impl MinThroughput {
    /// At least so many tokens within each window.
    #[must_use]
    pub const fn new(tokens: u32, window: Duration) -> Self {
        Self { tokens, window }
    }
}

/// The limits of one attempt; `None` is no limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Timeouts {
    /// From the start of a streamed attempt to its first token.
    pub first_token: Option<Duration>,
    /// From the start of a plain attempt to its whole answer. A plain answer that has begun to arrive may not be silent for longer than `idle`.
    pub response: Option<Duration>,
    /// Added to both for the last candidate of a chain.
    pub last_candidate_grace: Duration,
    /// The longest silence once the answer has begun.
    pub idle: Option<Duration>,
    /// The slowest stream; off by default.
    pub min_throughput: Option<MinThroughput>,
}

impl Default for Timeouts {
    /// First token 20 s: reasoning models take that long, and a silent one is found in time for another. A plain answer
    /// 90 s, since nothing shows until it is whole. Grace 20 s. Idle 30 s: keep-alive comments come every few seconds.
    fn default() -> Self {
        Self {
            first_token: Some(Duration::from_secs(20)),
            response: Some(Duration::from_secs(90)),
            last_candidate_grace: Duration::from_secs(20),
            idle: Some(Duration::from_secs(30)),
            min_throughput: None,
        }
    }
}

/// A limit, and whether the call itself has set it, shorter than its candidate's and the layer's: then it says nothing of the upstream.
#[derive(Debug, Clone, Copy)]
pub(super) struct Limit {
    pub(super) time: Duration,
    pub(super) is_own: bool,
}

/// The limits of one attempt, its call's and its candidate's included.
#[derive(Debug, Clone, Copy)]
pub(super) struct AttemptLimits {
    first_token: Option<Limit>,
    response: Option<Limit>,
    last_candidate_grace: Duration,
    answer: AnswerLimits,
}

/// The limits of an answer that has begun.
#[derive(Debug, Clone, Copy)]
pub(super) struct AnswerLimits {
    pub(super) idle: Option<Limit>,
    pub(super) min_throughput: Option<MinThroughput>,
}

/// Added to the time for reasoning, for the answer itself of a plain attempt.
const ANSWER_AFTER_REASONING: Duration = Duration::from_secs(60);

impl Limit {
    /// The call's own limit if there is one, or that of all its callers.
    fn of(own: Option<Duration>, shared: Option<Duration>) -> Option<Self> {
        let Some(time) = own else {
            return shared.map(|time| Self { time, is_own: false });
        };
        let is_own = shared.is_none_or(|shared| time < shared);
        Some(Self { time, is_own })
    }

    fn later(self, by: Duration) -> Self {
        let time = self.time.saturating_add(by);
        Self { time, ..self }
    }
}

impl Timeouts {
    /// These for an attempt that may reason for so long, and with what its call and its candidate say.
    pub(super) fn adapted(
        &self,
        reasoning: Option<Duration>,
        own: TimeoutOverrides,
        candidate: TimeoutOverrides,
    ) -> AttemptLimits {
        let (mut first_token, mut response) = (self.first_token, self.response);
        if let Some(time) = reasoning {
            first_token = first_token.map(|limit| limit.max(time));
            let whole = time.saturating_add(ANSWER_AFTER_REASONING);
            response = response.map(|limit| limit.max(whole));
        }
        AttemptLimits {
            first_token: Limit::of(own.first_token, candidate.first_token.or(first_token)),
            response: Limit::of(own.response, candidate.response.or(response)),
            last_candidate_grace: self.last_candidate_grace,
            answer: AnswerLimits {
                idle: Limit::of(own.idle, candidate.idle.or(self.idle)),
                // A floor of nothing, or of an instant, is no floor.
                min_throughput: self
                    .min_throughput
                    .filter(|min_throughput| min_throughput.tokens > 0 && !min_throughput.window.is_zero()),
            },
        }
    }
}

impl AttemptLimits {
    /// The limits once the answer has begun.
    pub(super) const fn of_answer(&self) -> AnswerLimits {
        self.answer
    }

    /// Which timeout an attempt starts with, and its duration.
    pub(super) fn start(&self, streaming: bool, last: bool) -> (Phase, Option<Limit>) {
        let (phase, limit) = if streaming {
            (Phase::FirstToken, self.first_token)
        } else {
            (Phase::Response, self.response)
        };
        let grace = if last {
            self.last_candidate_grace
        } else {
            Duration::ZERO
        };
        (phase, limit.map(|limit| limit.later(grace)))
    }
}
