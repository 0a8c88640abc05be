//! Makes a transport, and says all that is wrong with its settings.

use std::{collections::HashSet, sync::Arc, time::Duration};

use http::{HeaderName, HeaderValue};
use tower_llm_layers::MAX_DURATION;

use super::{
    Attribution, ExchangeObserver, Transport, TransportError, TransportProblem, Upstream,
    clients::Clients,
    config::{MOST_CLIENTS, Settings},
    connect::ProxyChoice,
    observer::Observed,
    service::{Destination, TransportState, Urls},
};

/// Asks OpenRouter for what it tried by itself.
const ROUTER_METADATA: HeaderName = HeaderName::from_static("x-openrouter-metadata");

/// This time, and [`MAX_DURATION`] at most: the pool of connections adds it to an instant, as the end of a stream does.
const fn bounded(time: Duration) -> Duration {
    if time.as_secs() < MAX_DURATION.as_secs() {
        time
    } else {
        MAX_DURATION
    }
}

/// Makes a [`Transport`].
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TransportBuilder {
    upstreams: Vec<Upstream>,
    attribution: Attribution,
    router_metadata: bool,
    settings: Settings,
    observed: Observed,
    /// Problems of the settings so far.
    wrong: Vec<TransportProblem>,
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
        self.settings.connect_timeout = bounded(limit);
        self
    }

    /// How long an unused connection is kept. 60 s by default.
    #[must_use]
    pub const fn pool_idle_timeout(mut self, limit: Duration) -> Self {
        self.settings.pool_idle_timeout = bounded(limit);
        self
    }

    /// How many unused connections are kept for each upstream. 128 by default; over HTTP/2 one serves all.
    #[must_use]
    pub const fn pool_max_idle(mut self, count: usize) -> Self {
        self.settings.pool_max_idle = count;
        self
    }

    /// Spreads the calls to an upstream over this many clients at least, each with connections of its own. One by default.
    ///
    /// Over HTTP/2 a client keeps one connection to a host. More clients are added by themselves: see
    /// [`max_in_flight`](Self::max_in_flight).
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
        self.settings.limits.trailer_timeout = bounded(limit);
        self
    }

    /// How many calls a client carries at once before another client is added; 64 by default, up to 256 clients for an upstream.
    ///
    /// Over HTTP/2 all calls of a client share one connection, on which hosts allow about a hundred: beyond that, calls would queue
    /// unseen, and look like a silent model.
    #[must_use]
    pub const fn max_in_flight(mut self, calls: usize) -> Self {
        self.settings.max_in_flight = calls;
        self
    }

    /// Observes each exchange: for recordings and measurements. None by default.
    #[must_use]
    pub fn observer(mut self, observer: Arc<dyn ExchangeObserver>) -> Self {
        self.observed = Observed(Some(observer));
        self
    }

    /// Connects through this HTTP proxy, e.g. `http://user:password@proxy.example:3128`. Errors name it, without its credentials.
    ///
    /// Without this, connections are direct, and proxies of the environment are not used.
    #[must_use]
    pub fn proxy(mut self, url: &str) -> Self {
        match ProxyChoice::parse(url) {
            Ok(proxy) => self.settings.proxy = proxy,
            Err(problem) => self.wrong.push(problem),
        }
        self
    }

    /// Connects through the proxies that `HTTP_PROXY`, `HTTPS_PROXY`, `ALL_PROXY` and `NO_PROXY` name.
    #[must_use]
    pub fn proxy_from_environment(mut self) -> Self {
        self.settings.proxy = ProxyChoice::Environment;
        self
    }

    /// Speaks HTTP/2 from the first byte, without negotiation: for `http` upstreams that take it (h2c). Over TLS the protocol is
    /// negotiated without this.
    #[must_use]
    pub const fn http2_prior_knowledge(mut self) -> Self {
        self.settings.http2_prior_knowledge = true;
        self
    }

    /// Looks names up here.
    #[cfg(test)]
    pub(super) fn resolver(mut self, names: super::dns_tests::Names) -> Self {
        self.settings.resolver = Some(names);
        self
    }

    /// The names of the upstreams, in order.
    pub(crate) fn names(&self) -> impl Iterator<Item = &str> {
        self.upstreams.iter().map(Upstream::name)
    }

    /// The upstreams, in order.
    pub(crate) fn upstreams(&self) -> &[Upstream] {
        &self.upstreams
    }

    /// Whether OpenRouter is to say what it tried by itself.
    pub(crate) const fn router_metadata(mut self, on: bool) -> Self {
        self.router_metadata = on;
        self
    }

    /// Makes the transport. Connections are opened at the first call.
    ///
    /// # Errors
    ///
    /// [`TransportError`] names every setting that is wrong, and what it must be.
    pub fn build(self) -> Result<Transport, TransportError> {
        let mut wrong = self.settings.problems();
        wrong.extend(self.wrong.iter().cloned());
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
        let mut attribution = self.attribution.headers(&mut wrong);
        if self.router_metadata {
            attribution.insert(ROUTER_METADATA, HeaderValue::from_static("enabled"));
        }
        let mut found = Vec::with_capacity(self.upstreams.len());
        for upstream in self.upstreams {
            match Urls::of(&upstream) {
                Ok(urls) => found.push((upstream, urls)),
                Err(problem) => wrong.push(problem),
            }
        }
        if !wrong.is_empty() {
            return Err(TransportError::of(wrong));
        }
        let destinations = found.into_iter().map(|(upstream, urls)| {
            Ok(Destination {
                upstream,
                urls,
                clients: Clients::new(self.settings.clone())?,
            })
        });
        let destinations = destinations.collect::<Result<_, TransportProblem>>()?;
        let proxy = self.settings.proxy.name();
        Ok(Transport::from_shared(TransportState::new(
            destinations,
            attribution,
            self.settings.limits,
            proxy,
            self.observed,
        )))
    }
}

impl Settings {
    /// Those that are out of their range.
    fn problems(&self) -> Vec<TransportProblem> {
        let mut wrong = Vec::new();
        if !(1..=MOST_CLIENTS).contains(&self.shards) {
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
        if self.max_in_flight == 0 {
            wrong.push(TransportProblem::Setting {
                field: "max_in_flight",
                must: "1 or more",
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
