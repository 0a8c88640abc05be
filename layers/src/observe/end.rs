//! How an operation or an attempt ended, as metrics and spans name it.

use crate::{Failure, FailureKind};

/// How an operation or an attempt ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum End {
    /// The whole answer came.
    Answered,
    /// It failed, before or after the answer began: with this kind, status and fault.
    Failed(FailureKind, Option<u16>, Fault),
    /// The caller left.
    Cancelled,
}

impl End {
    pub(super) fn failed<E: Failure>(error: &E) -> Self {
        Self::Failed(error.kind(), error.status(), Fault::of(error))
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
            Self::Failed(kind, ..) => Some(kind.as_str()),
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
            Self::Failed(_, status, _) => status,
            Self::Answered | Self::Cancelled => None,
        }
    }

    /// Of an attempt that was sent: whether it says that its model exists. A name that was only mistyped takes no label's place.
    #[cfg(feature = "metrics")]
    pub(super) const fn names_a_model(self) -> bool {
        match self {
            Self::Answered => true,
            Self::Failed(kind, ..) => implies_a_model(kind),
            Self::Cancelled => false,
        }
    }

    /// For `llm.fault`: `None` unless it failed.
    #[cfg(feature = "metrics")]
    pub(super) const fn fault(self) -> Option<&'static str> {
        match self {
            Self::Failed(_, _, Fault::Caller) => Some("caller"),
            Self::Failed(_, _, Fault::Service) => Some("service"),
            Self::Answered | Self::Cancelled => None,
        }
    }
}

/// Whether an attempt that was sent and failed so says that its model exists.
#[cfg(feature = "metrics")]
pub(super) const fn implies_a_model(kind: FailureKind) -> bool {
    !(matches!(kind, FailureKind::BadRequest | FailureKind::NoEndpoint) || kind.is_personal())
}

/// What caused a failure of an operation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fault {
    /// The caller's own request, timeout, limit or budget.
    Caller,
    /// An upstream, or this service.
    Service,
}

impl Fault {
    fn of<E: Failure>(error: &E) -> Self {
        let is_callers = match error.kind() {
            FailureKind::BadRequest | FailureKind::ContentFiltered | FailureKind::ContextLengthExceeded => true,
            // One that counts by no tag refuses all callers.
            FailureKind::BudgetExceeded => !error.marks().is_shared_budget(),
            FailureKind::Timeout(_) => error.marks().is_own_timeout(),
            // A limit or a condition of the caller's own refuses before any candidate is chosen: no layer has given up on a chain.
            FailureKind::RateLimited => error.marks().is_local() && !error.marks().is_exhausted(),
            FailureKind::NoEndpoint => error.is_personal() && !error.marks().is_exhausted(),
            _ => false,
        };
        if is_callers { Self::Caller } else { Self::Service }
    }
}
