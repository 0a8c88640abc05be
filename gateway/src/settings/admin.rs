//! Access to the admin side, by the settings.

use std::fmt;

use super::Config;

/// Access to the page and the metrics. Prints as that.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AdminSide {
    /// Any program of this machine.
    Open,
    /// A request with the token.
    Token,
    /// No request: other machines reach the address, and there is no token.
    Off,
}

impl Config {
    /// Access to the page and the metrics.
    #[must_use]
    pub fn admin_side(&self) -> AdminSide {
        if self.own.admin.token.is_some() {
            AdminSide::Token
        } else if self.admin.unwrap_or(self.listen).is_loopback() {
            AdminSide::Open
        } else {
            AdminSide::Off
        }
    }
}

impl fmt::Display for AdminSide {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Open => "open on this machine",
            Self::Token => "with its token",
            Self::Off => "off: set `admin.token` or `admin.listen`",
        })
    }
}
