//! How an HTTP client connects: timeouts, HTTP/2 health, the proxy.

#[cfg(test)]
use std::sync::Arc;
use std::{fmt, time::Duration};

use reqwest::Url;

use super::{TransportProblem, config::Settings};

/// The most headers of an answer over HTTP/1: beyond them it fails, and is requested again. There is room for them while a head is read.
const MOST_HEADERS: usize = 256;
/// How often an HTTP/2 connection is pinged, also while it is idle.
const PING_INTERVAL: Duration = Duration::from_secs(15);
/// How long a ping may stay unanswered before the connection is closed.
const PING_TIMEOUT: Duration = Duration::from_secs(10);

/// Through which proxy connections are made.
#[derive(Clone, Default, PartialEq, Eq)]
pub(super) enum ProxyChoice {
    /// None, whatever the environment says.
    #[default]
    Direct,
    /// This one.
    Through(Url),
    /// What `HTTP_PROXY`, `HTTPS_PROXY`, `ALL_PROXY` and `NO_PROXY` say.
    Environment,
}

impl ProxyChoice {
    pub(super) fn parse(url: &str) -> Result<Self, TransportProblem> {
        let problem = |problem: String| TransportProblem::Proxy { problem };
        let parsed = Url::parse(url.trim()).map_err(|error| problem(error.to_string()))?;
        if !matches!(parsed.scheme(), "http" | "https") || !parsed.has_host() {
            return Err(problem(
                "give an `http` or `https` URL, e.g. `http://proxy.example:3128`".to_owned(),
            ));
        }
        Ok(Self::Through(parsed))
    }

    /// How an error names it; nothing without a proxy. Credentials are left out.
    pub(super) fn name(&self) -> Option<String> {
        match self {
            Self::Direct => None,
            Self::Environment => Some("the proxy of the environment, if one is set there".to_owned()),
            Self::Through(url) => {
                let port = url.port().map(|port| format!(":{port}")).unwrap_or_default();
                Some(format!(
                    "the proxy {}://{}{port}",
                    url.scheme(),
                    url.host_str().unwrap_or_default()
                ))
            }
        }
    }
}

impl fmt::Debug for ProxyChoice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name().as_deref().unwrap_or("no proxy"))
    }
}

/// A client; without a pool each of its calls opens a connection of its own.
pub(super) fn client(settings: &Settings, is_pooled: bool) -> Result<reqwest::Client, TransportProblem> {
    let failed = |error: &reqwest::Error| TransportProblem::Client {
        problem: error.to_string(),
    };
    let mut builder = reqwest::Client::builder()
        .user_agent(concat!(env!("CARGO_PKG_NAME"), "/", env!("CARGO_PKG_VERSION")))
        .connect_timeout(settings.connect_timeout)
        .pool_idle_timeout(settings.pool_idle_timeout)
        .pool_max_idle_per_host(if is_pooled { settings.pool_max_idle } else { 0 })
        .tcp_nodelay(true)
        // An answer is paid for: an odd head of it is no reason to throw it away, and to ask and pay again. A space before a colon is read, so that no
        // length is lost with a line that is left out; a body without a length ends with its connection.
        .http1_max_headers(MOST_HEADERS)
        .http1_allow_obsolete_multiline_headers_in_responses(true)
        .http1_allow_spaces_after_header_name_in_responses(true)
        .http1_ignore_invalid_headers_in_responses(true)
        .http2_keep_alive_interval(PING_INTERVAL)
        .http2_keep_alive_timeout(PING_TIMEOUT)
        .http2_keep_alive_while_idle(true)
        // Each attempt is counted and paid for by the layers: none may happen unseen.
        .retry(reqwest::retry::never())
        // A redirect would carry the key to another place.
        .redirect(reqwest::redirect::Policy::none());
    #[cfg(test)]
    if let Some(names) = &settings.resolver {
        builder = builder.dns_resolver(Arc::new(names.clone()));
    }
    if settings.http2_prior_knowledge {
        builder = builder.http2_prior_knowledge();
    }
    builder = match &settings.proxy {
        ProxyChoice::Environment => builder,
        ProxyChoice::Direct => builder.no_proxy(),
        ProxyChoice::Through(url) => builder.proxy(reqwest::Proxy::all(url.clone()).map_err(|error| failed(&error))?),
    };
    builder.build().map_err(|error| failed(&error))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_proxy_is_named_without_its_credentials() {
        let proxy = ProxyChoice::parse("http://user:s3cr3t@proxy.example:3128").unwrap();
        assert_eq!(proxy.name().unwrap(), "the proxy http://proxy.example:3128");
        assert!(!format!("{proxy:?}").contains("s3cr3t"));
        for bad in ["proxy.example:3128", "socks9://proxy.example", "", "http://"] {
            assert!(ProxyChoice::parse(bad).is_err(), "{bad}");
        }
    }
}
