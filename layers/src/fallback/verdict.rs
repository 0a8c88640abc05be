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

/// Marks the error as given up on, so that no layer outside walks the same chain again.
pub(super) fn given_up<E: Failure>(mut error: E) -> E {
    tracing::info!(kind = error.kind().as_str(), "no next candidate");
    error.marks_mut().set_exhausted();
    error
}
