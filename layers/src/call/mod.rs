//! What one call carries from layer to layer: the caller's options, the turn it was given, and the log of its attempts.

mod attempting;
mod cache_mode;
mod candidate;
mod candidate_map;
mod continuation;
mod first_token_timer;
mod handle;
#[cfg(feature = "cost")]
mod id;
mod line;
mod log;
mod media_kinds;
mod needs;
mod options;
mod overrides;
mod priority;
mod route;
mod router_attempt;
mod state;
mod tags;
mod turn;

use std::{fmt, sync::Arc};

pub(crate) use attempting::CapSpent;
pub use cache_mode::CacheMode;
pub use candidate::{Candidate, CandidateError};
pub(crate) use candidate_map::CandidateMap;
pub use continuation::ContinueBy;
pub(crate) use continuation::{Continuation, InstructionOnly};
pub(crate) use first_token_timer::FirstTokenTimer;
pub use handle::AttemptHandle;
#[cfg(feature = "cost")]
pub(crate) use handle::ExchangeEnd;
pub(crate) use handle::Preparing;
#[cfg(feature = "cost")]
pub use id::{CallId, EntryId};
pub use line::{Attempt, Outcome};
pub use log::AttemptLog;
pub use media_kinds::MediaKinds;
pub use needs::{Needs, ToolLoop};
pub use overrides::TimeoutOverrides;
pub use priority::Priority;
pub use route::Route;
pub use router_attempt::RouterAttempt;
pub use tags::{MAX_TAG_NAME_BYTES, MAX_TAG_VALUE_BYTES, MAX_TAGS, TagError, Tags};
pub(crate) use turn::Role;
#[cfg(feature = "rate-limit")]
pub(crate) use turn::TurnHandle;

use options::Options;
use state::CallState;
use turn::Turn;

/// Why a call makes no further attempt.
pub(crate) const ATTEMPTS_SPENT: &str = "the attempts of this call are used up";

/// What one call carries from layer to layer.
///
/// Three parts: the options of the caller ([deadline](Self::limit_deadline), [cap on attempts](Self::limit_attempts),
/// [tags](Self::set_tags), [priority](Self::set_priority), [use of the cache](Self::set_cache_mode)), the turn that the layers above gave to
/// this copy, and the log that all copies share.
///
/// Kept inside the request's body (see [`LlmRequest`](crate::LlmRequest)), so that it costs no allocation when the request
/// is cloned for another attempt. `Call::default()` is a call that no layer has seen yet.
#[derive(Clone, Default)]
pub struct Call {
    options: Options,
    turn: Turn,
    log: Option<Arc<CallState>>,
    /// The line of the log that this copy's attempt writes.
    line: Option<Line>,
}

#[derive(Debug, Clone, Copy)]
struct Line {
    index: u32,
    number: u32,
    is_repeat: bool,
}

impl Line {
    fn new(index: usize, number: u32, is_repeat: bool) -> Self {
        // A call makes at most `u32::MAX` attempts; candidates that were passed over are fewer than that.
        let index = u32::try_from(index).unwrap_or(u32::MAX);
        Self {
            index,
            number,
            is_repeat,
        }
    }
}

impl fmt::Debug for Call {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Call")
            .field("candidate", &self.turn.candidate)
            .field("deadline", &self.options.deadline)
            .field("attempts", &self.attempts())
            .finish_non_exhaustive()
    }
}
