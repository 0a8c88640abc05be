//! Which failures may be charged for although nothing was shown.

use super::FailureKind;

/// Statuses of a server that waited for the one behind it in vain: that one may have done the work. 522 is none of them: there was no
/// connection.
const GAVE_UP_WAITING: [u16; 4] = [408, 504, 524, 598];

impl FailureKind {
    /// Whether an attempt that failed so before its answer began may have been charged: it was interrupted, and the usage until then is not
    /// known. Otherwise it never reached a model, or the upstream said that it failed.
    #[must_use]
    pub const fn may_be_billed(self) -> bool {
        match self {
            Self::Connect
            | Self::RateLimited
            | Self::QuotaExhausted
            | Self::Overloaded
            | Self::CircuitOpen
            | Self::ConcurrencyLimited
            | Self::Upstream
            | Self::EmptyResponse
            | Self::NoEndpoint
            | Self::ContextLengthExceeded
            | Self::ContentFiltered
            | Self::InsufficientFunds
            | Self::BudgetExceeded
            | Self::RejectedByProvider
            | Self::StoreUnavailable
            | Self::Auth
            | Self::BadRequest => false,
            Self::Reset
            | Self::Timeout(_)
            | Self::Truncated
            | Self::Malformed
            | Self::Nonconformant
            | Self::Cancelled
            | Self::Internal => true,
        }
    }

    /// The same with the status that came: a timeout behind the upstream is like one of ours.
    #[must_use]
    pub fn may_be_billed_with(self, status: Option<u16>) -> bool {
        let is_timeout = self == Self::Upstream && status.is_some_and(|status| GAVE_UP_WAITING.contains(&status));
        is_timeout || self.may_be_billed()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_timeout_of_the_server_behind_may_be_billed_and_no_other_status_of_a_failure() {
        for status in 400..600 {
            let may = FailureKind::Upstream.may_be_billed_with(Some(status));
            assert_eq!(may, GAVE_UP_WAITING.contains(&status), "{status}");
            assert!(!FailureKind::Overloaded.may_be_billed_with(Some(status)));
        }
        assert!(!FailureKind::Upstream.may_be_billed_with(None));
    }
}
