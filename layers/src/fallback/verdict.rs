//! What a failure says of the chain.

use crate::{Failure, FailureKind};

/// Whether a limit, a circuit or a budget of ours refused the attempt, as far as the error tells.
pub(super) fn is_local<E: Failure>(error: &E) -> bool {
    let ours = matches!(
        error.kind(),
        FailureKind::CircuitOpen
            | FailureKind::ConcurrencyLimited
            | FailureKind::RateLimited
            | FailureKind::BudgetExceeded
            | FailureKind::NoEndpoint
    );
    ours && error.status().is_none()
}

/// Whether a failure says more to the caller than a later one: that a candidate was not called is reported only if there is nothing else to
/// tell, and of two that were not called, the one that is called again first.
pub(super) fn is_more_informative<E: Failure>(before: &E, later: &E) -> bool {
    let not_called = |error: &E| {
        matches!(error.kind(), FailureKind::CircuitOpen | FailureKind::ConcurrencyLimited) || error.marks().is_paused()
    };
    match (not_called(before), not_called(later)) {
        (_, false) => false,
        (false, true) => true,
        (true, true) => before
            .retry_after()
            .is_some_and(|wait| later.retry_after().is_none_or(|later| wait <= later)),
    }
}

/// Marks the error as given up on, so that no layer outside walks the same chain again.
pub(super) fn given_up<E: Failure>(mut error: E) -> E {
    tracing::info!(kind = error.kind().as_str(), "no next candidate");
    error.marks_mut().set_exhausted();
    error
}
