//! How an operation or an attempt ended, as metrics and spans name it.

use crate::{Failure, FailureKind};

/// How an operation or an attempt ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum End {
    /// The whole answer came.
    Answered,
    /// It failed, before or after the answer began.
    Failed(FailureKind, Option<u16>),
    /// The caller left.
    Cancelled,
}

impl End {
    pub(super) fn failed<E: Failure>(error: &E) -> Self {
        Self::Failed(error.kind(), error.status())
    }

    pub(super) const fn outcome(self) -> &'static str {
        match self {
            Self::Answered => "answered",
            Self::Failed(..) => "failed",
            Self::Cancelled => "cancelled",
        }
    }

    /// For `error.type`: `None` on success.
    pub(super) const fn error_type(self) -> Option<&'static str> {
        match self {
            Self::Answered => None,
            Self::Failed(kind, _) => Some(kind.as_str()),
            Self::Cancelled => Some(FailureKind::Cancelled.as_str()),
        }
    }

    /// For `otel.status_code`: a caller that leaves is no error, and no success.
    pub(super) const fn status_code(self) -> Option<&'static str> {
        match self {
            Self::Answered => Some("OK"),
            Self::Failed(..) => Some("ERROR"),
            Self::Cancelled => None,
        }
    }

    pub(super) const fn http_status(self) -> Option<u16> {
        match self {
            Self::Failed(_, status) => status,
            Self::Answered | Self::Cancelled => None,
        }
    }

    /// Whether the model is likely one: a name that was only mistyped takes no label's place.
    #[cfg(feature = "metrics")]
    pub(super) const fn names_a_model(self) -> bool {
        !matches!(self, Self::Failed(FailureKind::BadRequest | FailureKind::NoEndpoint, _))
    }
}
