use std::time::Duration;

use super::{Attribution, Transport, TransportError, Upstream, config::Settings, service::TransportState};

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

    /// Makes the transport. Connections are opened at the first call.
    ///
    /// # Errors
    ///
    /// [`TransportError`] names the setting and what it must be.
    pub fn build(self) -> Result<Transport, TransportError> {
        if self.upstreams.is_empty() {
            return Err(TransportError::NoUpstream);
        }
        for (index, upstream) in self.upstreams.iter().enumerate() {
            if self
                .upstreams
                .iter()
                .skip(index + 1)
                .any(|other| other.name() == upstream.name())
            {
                return Err(TransportError::SameName {
                    upstream: upstream.name().to_owned(),
                });
            }
        }
        if !(1..=MOST_SHARDS).contains(&self.settings.shards) {
            return Err(TransportError::Setting {
                field: "shards",
                must: "from 1 to 256",
            });
        }
        if self.settings.connect_timeout.is_zero() {
            return Err(TransportError::Setting {
                field: "connect_timeout",
                must: "longer than zero",
            });
        }
        let clients = (0..self.settings.shards)
            .map(|_| client(&self.settings))
            .collect::<Result<_, _>>()?;
        Ok(Transport::from_shared(TransportState::new(
            clients,
            self.upstreams,
            self.attribution.headers()?,
        )?))
    }
}

fn client(settings: &Settings) -> Result<reqwest::Client, TransportError> {
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
        .map_err(|error| TransportError::Client {
            problem: error.to_string(),
        })
}
