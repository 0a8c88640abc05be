//! The layer of the deadline over a whole call.

use std::time::Duration;

use http::HeaderName;
use tower_layer::Layer;

use super::{Deadline, limits::Own};

/// The header in which a caller may say how much time is left.
pub const DEADLINE_HEADER: HeaderName = HeaderName::from_static("x-request-timeout-ms");

/// How long an answer whose beginning alone was limited may show nothing, by default: twice the idle timeout's default.
pub const DEFAULT_MAX_PAUSE: Duration = Duration::from_secs(60);

/// Gives a call one deadline. See the [module](super).
#[derive(Debug, Clone)]
pub struct DeadlineLayer {
    pub(super) own: Own,
    pub(super) header: Option<HeaderName>,
    pub(super) max_pause: Option<Duration>,
}

impl DeadlineLayer {
    /// At most `total` from the start of the call, and no longer than the caller's header says.
    #[must_use]
    pub const fn new(total: Duration) -> Self {
        Self {
            own: Own::Whole(total),
            header: Some(DEADLINE_HEADER),
            max_pause: Some(DEFAULT_MAX_PAUSE),
        }
    }

    /// At most `limit` until the answer begins, and as long on top as the request has the model
    /// [reason](crate::LlmRequest::reasoning_time). An answer that has begun has one more second for each 10 tokens of
    /// [its limit](crate::LlmRequest::max_tokens), an hour at most, and an hour without a limit: a stream that flows is not cut, and one that
    /// does not has an end: once that time is over, it ends if it shows nothing for the [maximum pause](Self::max_pause). No longer
    /// than the caller's header says.
    #[must_use]
    pub const fn until_first_token(limit: Duration) -> Self {
        Self {
            own: Own::Beginning(limit),
            header: Some(DEADLINE_HEADER),
            max_pause: Some(DEFAULT_MAX_PAUSE),
        }
    }

    /// No limit of its own: only the caller's header, and what is set on the request.
    #[must_use]
    pub const fn from_caller() -> Self {
        Self {
            own: Own::None,
            header: Some(DEADLINE_HEADER),
            max_pause: Some(DEFAULT_MAX_PAUSE),
        }
    }

    /// The longest pause in an answer whose beginning alone was limited, once the time for its beginning is over: 60 s by default, `None` for no
    /// limit. Signs of life do not count, only what the answer shows. Give at least the idle timeout of the layers inside, or it ends what they
    /// would wait for; a longer one of the [request](crate::Call::set_timeouts) counts by itself.
    #[must_use]
    pub fn max_pause(mut self, pause: impl Into<Option<Duration>>) -> Self {
        self.max_pause = pause.into();
        self
    }

    /// Reads the time left from another header, or from none.
    #[must_use]
    pub fn header(mut self, header: Option<HeaderName>) -> Self {
        self.header = header;
        self
    }
}

impl<S> Layer<S> for DeadlineLayer {
    type Service = Deadline<S>;

    fn layer(&self, inner: S) -> Self::Service {
        Deadline {
            inner,
            own: self.own,
            header: self.header.clone(),
            max_pause: self.max_pause,
        }
    }
}
