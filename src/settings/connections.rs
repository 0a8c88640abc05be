//! How connections are made and kept.

use std::{fmt, str::FromStr};

use reqwest::Url;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{
    Secret, Time,
    text::{InvalidValue, written_as_text},
};
use crate::transport::TransportBuilder;

/// How connections are made and kept: see [`TransportBuilder`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
#[non_exhaustive]
pub struct ConnectionsSettings {
    /// The longest dial, TLS included.
    pub connect_timeout: Time,
    /// How long an unused connection is kept.
    pub pool_idle_timeout: Time,
    /// How many unused connections are kept for each upstream.
    pub pool_max_idle: usize,
    /// The fewest clients that calls to an upstream are spread over, each with connections of its own.
    pub shards: usize,
    /// How many calls a client carries at once before another client is added.
    pub max_in_flight: usize,
    /// The HTTP proxy to connect through: its URL, `environment` for what `HTTP_PROXY`, `HTTPS_PROXY`, `ALL_PROXY` and `NO_PROXY` name, or
    /// `env:NAME` or `file:PATH` if its URL has credentials. By default connections are direct.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub proxy: Option<ProxySettings>,
    /// Speaks HTTP/2 from the first byte, without negotiation, to `http` upstreams (h2c).
    pub http2_prior_knowledge: bool,
}

impl Default for ConnectionsSettings {
    fn default() -> Self {
        Self {
            connect_timeout: Time::seconds(5),
            pool_idle_timeout: Time::seconds(60),
            pool_max_idle: 128,
            shards: 1,
            max_in_flight: 64,
            proxy: None,
            http2_prior_knowledge: false,
        }
    }
}

impl ConnectionsSettings {
    pub(super) fn apply(&self, transport: TransportBuilder) -> Result<TransportBuilder, InvalidValue> {
        let mut transport = transport
            .connect_timeout(self.connect_timeout.0)
            .pool_idle_timeout(self.pool_idle_timeout.0)
            .pool_max_idle(self.pool_max_idle)
            .shards(self.shards)
            .max_in_flight(self.max_in_flight);
        if self.http2_prior_knowledge {
            transport = transport.http2_prior_knowledge();
        }
        Ok(match &self.proxy {
            None => transport,
            Some(ProxySettings::Environment) => transport.proxy_from_environment(),
            Some(ProxySettings::Url(url)) => transport.proxy(url),
            Some(ProxySettings::Secret(secret)) => transport.proxy(&secret.read()?),
        })
    }
}

/// The proxy to connect through.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum ProxySettings {
    /// What the environment names.
    Environment,
    /// This URL, without credentials.
    Url(String),
    /// A URL with credentials.
    Secret(Secret),
}

impl FromStr for ProxySettings {
    type Err = InvalidValue;

    fn from_str(text: &str) -> Result<Self, InvalidValue> {
        let text = text.trim();
        if text == "environment" {
            return Ok(Self::Environment);
        }
        if text.starts_with("env:") || text.starts_with("file:") {
            return text.parse().map(Self::Secret);
        }
        match Url::parse(text) {
            Ok(url) if !url.username().is_empty() || url.password().is_some() => Err(InvalidValue::new(
                "the proxy's URL has credentials, which do not stand in this file: put the URL into an environment variable or a file of \
                 its own, and write \"env:NAME\" or \"file:PATH\"",
            )),
            Ok(url) if matches!(url.scheme(), "http" | "https") => Ok(Self::Url(text.to_owned())),
            _ => Err(InvalidValue::new(
                "not a proxy: write an `http` or `https` URL, e.g. \"http://proxy.example:3128\", or \"environment\", \"env:NAME\" or \
                 \"file:PATH\"",
            )),
        }
    }
}

impl fmt::Display for ProxySettings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Environment => f.write_str("environment"),
            Self::Url(url) => f.write_str(url),
            Self::Secret(secret) => secret.fmt(f),
        }
    }
}

written_as_text!(
    ProxySettings,
    "proxy",
    ["http://proxy.example:3128", "environment", "env:PROXY_URL"]
);
