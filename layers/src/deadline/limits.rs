//! How long one call may take: to the beginning of its answer, and to its last byte.

use std::time::Duration;

use http::{HeaderName, Request};
use tokio::time::Instant;

use super::header;
use crate::{Call, LayerError, LlmRequest};

/// A begun answer has one second for each so many tokens: the slowest models in use are faster.
const SLOWEST_PER_SECOND: u64 = 10;

/// A begun answer has so long at most, and if the request does not limit its length.
const LONGEST_ANSWER: Duration = Duration::from_secs(60 * 60);

/// The layer's own limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Own {
    None,
    /// Of the whole call.
    Whole(Duration),
    /// Of the time to the beginning of an answer.
    Beginning(Duration),
}

/// The limits of one call.
pub(super) struct Limits {
    pub(super) whole: Option<Duration>,
    /// To the beginning of the answer, if that is limited apart.
    pub(super) beginning: Option<Duration>,
}

impl Limits {
    /// Those of this request. The caller's header limits the whole.
    pub(super) fn of<R: LlmRequest>(
        own: Own,
        name: Option<&HeaderName>,
        request: &Request<R>,
    ) -> Result<Self, LayerError> {
        let beginning = match own {
            Own::None | Own::Whole(_) => None,
            Own::Beginning(limit) => {
                let reasoning = request.body().reasoning_time().unwrap_or_default();
                Some(limit.saturating_add(reasoning))
            }
        };
        let total = match own {
            Own::None => None,
            Own::Whole(limit) => Some(limit),
            Own::Beginning(limit) => Some(beginning.unwrap_or(limit).saturating_add(length(request.body()))),
        };
        let whole = header::limit(total, name, request)?;
        Ok(Self { whole, beginning })
    }

    /// Notes them on a call that begins now.
    pub(super) fn set(&self, call: &mut Call, now: Instant) {
        let at = |limit: Option<Duration>| limit.and_then(|limit| now.checked_add(limit));
        if let Some(beginning) = at(self.beginning) {
            call.limit_first_token(beginning);
        }
        if let Some(whole) = at(self.whole) {
            call.limit_deadline(whole);
        }
    }
}

/// The longest time for an answer that has begun. A plain one begins when it is whole.
fn length<R: LlmRequest>(request: &R) -> Duration {
    if !request.is_streaming() {
        return Duration::ZERO;
    }
    let tokens = request.max_tokens();
    tokens.map_or(LONGEST_ANSWER, |tokens| {
        Duration::from_secs(tokens.div_ceil(SLOWEST_PER_SECOND)).min(LONGEST_ANSWER)
    })
}
