//! The settings of a transport, and what can be wrong with them.

use std::{convert::Infallible, fmt, time::Duration};

use super::connect::ProxyChoice;
use crate::{body::ReadLimits, problems::write_lines};

/// Why an upstream or a transport could not be made: everything that is wrong, one [`TransportProblem`] or more.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TransportError {
    /// Never empty.
    problems: Vec<TransportProblem>,
}

impl TransportError {
    /// All that is wrong; never empty.
    #[must_use]
    pub fn problems(&self) -> &[TransportProblem] {
        &self.problems
    }

    /// Of these problems, of which there is one at least.
    pub(super) const fn of(problems: Vec<TransportProblem>) -> Self {
        Self { problems }
    }

    pub(crate) fn into_problems(self) -> Vec<TransportProblem> {
        self.problems
    }
}

impl From<TransportProblem> for TransportError {
    fn from(problem: TransportProblem) -> Self {
        Self {
            problems: vec![problem],
        }
    }
}

/// What is an upstream already has nothing wrong with it.
impl From<Infallible> for TransportError {
    fn from(never: Infallible) -> Self {
        match never {}
    }
}

impl fmt::Display for TransportError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_lines(f, &self.problems)
    }
}

impl std::error::Error for TransportError {}

/// One setting of a transport that is wrong, and the fix.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum TransportProblem {
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
    /// The proxy cannot be used.
    Proxy {
        /// What is wrong with its URL.
        problem: String,
    },
    /// The HTTP client could not be made, e.g. because root certificates are missing.
    Client {
        /// What it said.
        problem: String,
    },
}

impl fmt::Display for TransportProblem {
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
            Self::Proxy { problem } => write!(f, "`proxy`: {problem}"),
            Self::Client { problem } => write!(f, "the HTTP client could not be made: {problem}"),
        }
    }
}

impl std::error::Error for TransportProblem {}

/// More clients than any host has streams for.
pub(super) const MOST_CLIENTS: usize = 256;

/// How connections are made and kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Settings {
    pub(super) connect_timeout: Duration,
    pub(super) pool_idle_timeout: Duration,
    pub(super) pool_max_idle: usize,
    pub(super) shards: usize,
    pub(super) limits: ReadLimits,
    pub(super) max_in_flight: usize,
    pub(super) most_clients: usize,
    pub(super) proxy: ProxyChoice,
    pub(super) http2_prior_knowledge: bool,
    #[cfg(test)]
    pub(super) resolver: Option<super::dns_tests::Names>,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            // A dial that takes longer will not end well, and another candidate can answer meanwhile.
            connect_timeout: Duration::from_secs(5),
            // Shorter than the idle time of common edges, so that a closed connection is not used.
            pool_idle_timeout: Duration::from_secs(60),
            pool_max_idle: 128,
            shards: 1,
            limits: ReadLimits::default(),
            // Hosts allow a hundred streams on a connection, and some fewer.
            max_in_flight: 64,
            most_clients: MOST_CLIENTS,
            proxy: ProxyChoice::Direct,
            http2_prior_knowledge: false,
            #[cfg(test)]
            resolver: None,
        }
    }
}
