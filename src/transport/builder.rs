//! Makes a transport, and says all that is wrong with its settings.

use std::{collections::HashSet, time::Duration};

use super::{
    Attribution, Transport, TransportError, TransportProblem, Upstream,
    config::Settings,
    service::{CHAT, TransportState},
};

/// More clients than any host has streams for.
const MOST_SHARDS: usize = 256;

/// Makes a [`Transport`].
#[derive(Debug, Clone, Default)]
pub struct TransportBuilder {
    upstreams: Vec<Upstream>,
    attribution: Attribution,
    settings: Settings,
}

impl TransportBuilder {
    /// Adds an upstream. The first one takes requests that name none.
    #[must_use]
    pub fn upstream(mut self, upstream: Upstream) -> Self {
        self.upstreams.push(upstream);
        self
    }

    /// How the app shows at OpenRouter.
    #[must_use]
    pub fn attribution(mut self, attribution: Attribution) -> Self {
        self.attribution = attribution;
        self
    }

    /// The longest dial, TLS included. 5 s by default.
    #[must_use]
    pub const fn connect_timeout(mut self, limit: Duration) -> Self {
        self.settings.connect_timeout = limit;
        self
    }

    /// How long an unused connection is kept. 60 s by default.
    #[must_use]
    pub const fn pool_idle_timeout(mut self, limit: Duration) -> Self {
        self.settings.pool_idle_timeout = limit;
        self
    }

    /// How many unused connections are kept for each upstream. 128 by default; over HTTP/2 one serves all.
    #[must_use]
    pub const fn pool_max_idle(mut self, count: usize) -> Self {
        self.settings.pool_max_idle = count;
        self
    }

    /// Spreads calls over this many clients, each with connections of its own. One by default.
    ///
    /// Over HTTP/2 a client keeps one connection to a host, and hosts allow about a hundred streams on it: beyond that, calls
    /// queue unseen. Give one shard for each hundred streams that are open at once.
    #[must_use]
    pub const fn shards(mut self, shards: usize) -> Self {
        self.settings.shards = shards;
        self
    }

    /// The largest event of a stream, in bytes. 64 MiB by default: pictures come within one event, as base64.
    #[must_use]
    pub const fn max_event_bytes(mut self, bytes: usize) -> Self {
        self.settings.limits.max_event_bytes = bytes;
        self
    }

    /// How long a stream is read for its usage, and for its end, behind the finish of the answer. 10 s by default. Everything of the answer was
    /// passed on by then; a stream that ends sooner is not waited for.
    #[must_use]
    pub const fn trailer_timeout(mut self, limit: Duration) -> Self {
        self.settings.limits.trailer_timeout = limit;
        self
    }

    /// The names of the upstreams, in order.
    pub(crate) fn names(&self) -> impl Iterator<Item = &str> {
        self.upstreams.iter().map(Upstream::name)
    }

    /// Makes the transport. Connections are opened at the first call.
    ///
    /// # Errors
    ///
    /// [`TransportError`] names every setting that is wrong, and what it must be.
    pub fn build(self) -> Result<Transport, TransportError> {
        let mut wrong = self.settings.problems();
        if self.upstreams.is_empty() {
            wrong.push(TransportProblem::NoUpstream);
        }
        let (mut names, mut twice) = (HashSet::new(), HashSet::new());
        for name in self.names() {
            if !names.insert(name) && twice.insert(name) {
                let upstream = name.to_owned();
                wrong.push(TransportProblem::SameName { upstream });
            }
        }
        let attribution = self.attribution.headers(&mut wrong);
        let mut upstreams = Vec::with_capacity(self.upstreams.len());
        for upstream in self.upstreams {
            match upstream.url(CHAT) {
                Ok(chat) => upstreams.push((upstream, chat)),
                Err(problem) => wrong.push(problem),
            }
        }
        if !wrong.is_empty() {
            return Err(TransportError::of(wrong));
        }
        let clients = (0..self.settings.shards)
            .map(|_| client(&self.settings))
            .collect::<Result<_, _>>()?;
        Ok(Transport::from_shared(TransportState::new(
            clients,
            upstreams,
            attribution,
            self.settings.limits,
        )))
    }
}

impl Settings {
    /// Those that are out of their range.
    fn problems(&self) -> Vec<TransportProblem> {
        let mut wrong = Vec::new();
        if !(1..=MOST_SHARDS).contains(&self.shards) {
            wrong.push(TransportProblem::Setting {
                field: "shards",
                must: "from 1 to 256",
            });
        }
        if self.limits.max_event_bytes == 0 {
            wrong.push(TransportProblem::Setting {
                field: "max_event_bytes",
                must: "at least 1",
            });
        }
        if self.connect_timeout.is_zero() {
            wrong.push(TransportProblem::Setting {
                field: "connect_timeout",
                must: "longer than zero",
            });
        }
        wrong
    }
}

fn client(settings: &Settings) -> Result<reqwest::Client, TransportProblem> {
    reqwest::Client::builder()
        .user_agent(concat!(env!("CARGO_PKG_NAME"), "/", env!("CARGO_PKG_VERSION")))
        .connect_timeout(settings.connect_timeout)
        .pool_idle_timeout(settings.pool_idle_timeout)
        .pool_max_idle_per_host(settings.pool_max_idle)
        .tcp_nodelay(true)
        // Each attempt is counted and paid for by the layers: none may happen unseen.
        .retry(reqwest::retry::never())
        // A redirect would carry the key to another place.
        .redirect(reqwest::redirect::Policy::none())
        .build()
        .map_err(|error| TransportProblem::Client {
            problem: error.to_string(),
        })
}
