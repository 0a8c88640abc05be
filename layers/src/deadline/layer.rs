use std::time::Duration;

use http::HeaderName;
use tower_layer::Layer;

use super::{Deadline, limits::Own};

/// The header in which a caller may say how much time is left.
pub const DEADLINE_HEADER: HeaderName = HeaderName::from_static("x-request-timeout-ms");

/// Gives a call one deadline. See the [module](super).
#[derive(Debug, Clone)]
pub struct DeadlineLayer {
    pub(super) own: Own,
    pub(super) header: Option<HeaderName>,
}

impl DeadlineLayer {
    /// At most `total` from the start of the call, and no longer than the caller's header says.
    #[must_use]
    pub const fn new(total: Duration) -> Self {
        Self {
            own: Own::Whole(total),
            header: Some(DEADLINE_HEADER),
        }
    }

    /// At most `limit` until the answer begins, and as long on top as the request has the model
    /// [reason](crate::LlmRequest::reasoning_time). An answer that has begun has one more second for each 10 tokens of
    /// [its limit](crate::LlmRequest::max_tokens), an hour at most, and an hour without a limit: a stream that flows is not cut, and one that
    /// does not has an end. No longer than the caller's header says.
    #[must_use]
    pub const fn until_begun(limit: Duration) -> Self {
        Self {
            own: Own::Beginning(limit),
            header: Some(DEADLINE_HEADER),
        }
    }

    /// No limit of its own: only the caller's header, and what is set on the request.
    #[must_use]
    pub const fn from_caller() -> Self {
        Self {
            own: Own::None,
            header: Some(DEADLINE_HEADER),
        }
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
        }
    }
}
