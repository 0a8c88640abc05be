//! Kinds of failure and HTTP statuses: the kind that an upstream's status stands for, and the status that a client gets for a kind.

use super::{FailureKind, Phase};

impl FailureKind {
    /// The kind that an HTTP status stands for, for a service of your own that has only the status; `None` for a success.
    ///
    /// ```
    /// use tower_llm_layers::FailureKind;
    ///
    /// assert_eq!(FailureKind::from_status(429), Some(FailureKind::RateLimited));
    /// ```
    #[must_use]
    pub const fn from_status(status: u16) -> Option<Self> {
        Some(match status {
            0..=399 => return None,
            401 | 403 => Self::Auth,
            402 => Self::InsufficientFunds,
            404 | 410 => Self::NoEndpoint,
            408 | 504 => Self::Timeout(Phase::Response),
            409 | 421 | 425 => Self::RejectedByProvider,
            413 => Self::ContextLengthExceeded,
            429 => Self::RateLimited,
            503 | 529 => Self::Overloaded,
            400..=499 => Self::BadRequest,
            _ => Self::Upstream,
        })
    }

    /// The HTTP status with which a service answers its own client.
    ///
    /// | status | kinds |
    /// | --- | --- |
    /// | 400 | [`BadRequest`](Self::BadRequest), [`ContextLengthExceeded`](Self::ContextLengthExceeded), [`ContentFiltered`](Self::ContentFiltered), [`RejectedByProvider`](Self::RejectedByProvider) |
    /// | 402 | [`BudgetExceeded`](Self::BudgetExceeded) |
    /// | 404 | [`NoEndpoint`](Self::NoEndpoint) |
    /// | 429 | [`RateLimited`](Self::RateLimited), [`QuotaExhausted`](Self::QuotaExhausted) |
    /// | 499 | [`Cancelled`](Self::Cancelled) |
    /// | 500 | [`Internal`](Self::Internal) |
    /// | 502 | [`Connect`](Self::Connect), [`Reset`](Self::Reset), [`Truncated`](Self::Truncated), [`Upstream`](Self::Upstream), [`EmptyResponse`](Self::EmptyResponse), [`Malformed`](Self::Malformed), [`Nonconformant`](Self::Nonconformant), [`Auth`](Self::Auth) |
    /// | 503 | [`Overloaded`](Self::Overloaded), [`CircuitOpen`](Self::CircuitOpen), [`ConcurrencyLimited`](Self::ConcurrencyLimited), [`InsufficientFunds`](Self::InsufficientFunds), [`StoreUnavailable`](Self::StoreUnavailable) |
    /// | 504 | [`Timeout`](Self::Timeout) |
    ///
    /// It is not the upstream's own status. A budget is set for the client, so its refusal is the client's 402. The service's own key and
    /// account are not the client's: an upstream's 401 or 402 for them must not look like the client's.
    ///
    /// ```
    /// use tower_llm_layers::FailureKind;
    ///
    /// assert_eq!(FailureKind::BudgetExceeded.http_status(), 402);
    /// assert_eq!(FailureKind::InsufficientFunds.http_status(), 503);
    /// ```
    #[must_use]
    pub const fn http_status(self) -> u16 {
        match self {
            Self::BadRequest | Self::ContextLengthExceeded | Self::ContentFiltered | Self::RejectedByProvider => 400,
            Self::BudgetExceeded => 402,
            Self::NoEndpoint => 404,
            Self::RateLimited | Self::QuotaExhausted => 429,
            Self::Cancelled => 499,
            Self::Internal => 500,
            Self::Connect
            | Self::Reset
            | Self::Truncated
            | Self::Upstream
            | Self::EmptyResponse
            | Self::Malformed
            | Self::Nonconformant
            | Self::Auth => 502,
            Self::Overloaded
            | Self::CircuitOpen
            | Self::ConcurrencyLimited
            | Self::InsufficientFunds
            | Self::StoreUnavailable => 503,
            Self::Timeout(_) => 504,
        }
    }
}
