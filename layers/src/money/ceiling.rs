//! The highest prices at which a request may be served.

use super::UsdAmount;

/// The most that an upstream may ask for one unit to serve a request; what is `None` may cost anything.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct PriceCeiling {
    /// For a token of prompt.
    pub prompt_token: Option<UsdAmount>,
    /// For a token of answer.
    pub answer_token: Option<UsdAmount>,
    /// For the request itself.
    pub request: Option<UsdAmount>,
    /// For a picture sent.
    pub image: Option<UsdAmount>,
}
