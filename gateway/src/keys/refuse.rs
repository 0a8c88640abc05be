//! Why a caller is not let through.

use http::{HeaderValue, StatusCode, header};
use tower_openrouter::{endpoint::Refusal, layers::UtcTime};

/// Why a caller is not let through.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Refused {
    Missing,
    Unknown,
    Expired(String, UtcTime),
    Revoked(String),
    /// A page of another site, or a proxy, calls a gateway that needs no key.
    CrossSite,
}

impl Refused {
    pub(super) const fn word(&self) -> &'static str {
        match self {
            Self::Missing => "missing_api_key",
            Self::Unknown => "invalid_api_key",
            Self::Expired(..) => "api_key_expired",
            Self::Revoked(_) => "api_key_revoked",
            Self::CrossSite => "cross_site",
        }
    }

    /// The name of the client key, if it is one that was in force.
    pub(super) fn key(&self) -> Option<&str> {
        match self {
            Self::Expired(name, _) | Self::Revoked(name) => Some(name),
            Self::Missing | Self::Unknown | Self::CrossSite => None,
        }
    }

    pub(super) fn refusal(&self) -> Refusal {
        let message = match self {
            Self::Missing => {
                "this gateway needs a client key: send it as `Authorization: Bearer KEY` or as `x-api-key: KEY`"
                    .to_owned()
            }
            Self::Unknown => "the client key is not known here".to_owned(),
            Self::Expired(name, at) => format!("the client key `{name}` expired at {at}"),
            Self::Revoked(name) => format!("the client key `{name}` was revoked"),
            Self::CrossSite => {
                let message = "neither a page of another site nor a proxy may call a gateway that needs no key: make a client key with `openrouter-gateway keys new NAME`";
                return Refusal::new(StatusCode::FORBIDDEN, self.word(), message);
            }
        };
        Refusal::new(StatusCode::UNAUTHORIZED, self.word(), message)
            .header(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"))
    }
}
