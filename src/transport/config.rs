use std::{fmt, time::Duration};

/// Why a transport could not be made.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum TransportError {
    /// An upstream's name is blank.
    BlankName,
    /// Two upstreams have the same name.
    SameName {
        /// The name.
        upstream: String,
    },
    /// There is no upstream.
    NoUpstream,
    /// A base URL cannot be used.
    BaseUrl {
        /// The upstream it belongs to.
        upstream: String,
        /// What is wrong with it, and what to do.
        problem: String,
    },
    /// A header of the app's attribution cannot be sent.
    Attribution {
        /// Which one.
        field: &'static str,
    },
    /// A setting is out of its range.
    Setting {
        /// Which one.
        field: &'static str,
        /// What it must be.
        must: &'static str,
    },
    /// The HTTP client could not be made, e.g. for want of root certificates.
    Client {
        /// What it said.
        problem: String,
    },
}

impl fmt::Display for TransportError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::BlankName => f.write_str("`name` of an upstream is blank: name it, e.g. `openai`"),
            Self::SameName { upstream } => {
                write!(f, "two upstreams are named `{upstream}`: rename one")
            }
            Self::NoUpstream => f.write_str("there is no upstream: add `Upstream::openrouter()` or one of your own"),
            Self::BaseUrl { upstream, problem } => {
                write!(f, "`base_url` of upstream `{upstream}`: {problem}")
            }
            Self::Attribution { field } => {
                write!(
                    f,
                    "`{field}` of the app's attribution has a character that no header can carry"
                )
            }
            Self::Setting { field, must } => write!(f, "`{field}` must be {must}"),
            Self::Client { problem } => write!(f, "the HTTP client could not be made: {problem}"),
        }
    }
}

impl std::error::Error for TransportError {}

/// How connections are made and kept.
#[derive(Debug, Clone, Copy)]
pub(super) struct Settings {
    pub(super) connect_timeout: Duration,
    pub(super) pool_idle_timeout: Duration,
    pub(super) pool_max_idle: usize,
    pub(super) shards: usize,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            // A dial that takes longer will not end well, and another candidate can answer meanwhile.
            connect_timeout: Duration::from_secs(5),
            // Shorter than the idle time of common edges, so that a dead connection is not picked up.
            pool_idle_timeout: Duration::from_secs(60),
            pool_max_idle: 128,
            shards: 1,
        }
    }
}
