use std::time::Duration;

use http::HeaderName;
use tower_layer::Layer;

use super::Deadline;

/// The header in which a caller may say how much time is left.
pub const DEADLINE_HEADER: HeaderName = HeaderName::from_static("x-request-timeout-ms");

/// Gives a call one deadline. See the [module](super).
#[derive(Debug, Clone)]
pub struct DeadlineLayer {
    pub(super) total: Option<Duration>,
    pub(super) header: Option<HeaderName>,
}

impl DeadlineLayer {
    /// At most `total` from the start of the call, and no longer than the caller's header says.
    #[must_use]
    pub const fn new(total: Duration) -> Self {
        Self {
            total: Some(total),
            header: Some(DEADLINE_HEADER),
        }
    }

    /// No limit of its own: only the caller's header, and what is set on the request.
    #[must_use]
    pub const fn from_caller() -> Self {
        Self {
            total: None,
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
            total: self.total,
            header: self.header.clone(),
        }
    }
}
