//! Addresses: the gateway's own, and those of its database and its store.

use std::{fmt, net::SocketAddr, str::FromStr};

use schemars::JsonSchema;
use secrecy::SecretString;
use serde::Deserialize;
use tower_openrouter::settings::{InvalidValue, Secret};

/// An address to listen on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Address(pub SocketAddr);

impl Address {
    /// Whether only programs of this machine reach it.
    #[must_use]
    pub fn is_loopback(self) -> bool {
        self.0.ip().to_canonical().is_loopback()
    }
}

impl FromStr for Address {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let text = text.trim();
        let text = text
            .strip_prefix("localhost:")
            .map_or_else(|| text.to_owned(), |port| format!("127.0.0.1:{port}"));
        let wrong = "not an address: write an IP address and a port, e.g. \"127.0.0.1:8080\", or \"0.0.0.0:8080\" for all interfaces";
        text.parse().map(Self).map_err(|_| wrong.to_owned())
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// The URL of a server that may hold a password: the URL itself if it has none, else the place of it, `env:NAME` or `file:PATH`.
#[derive(Clone, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(transparent)]
pub struct Place(String);

impl Place {
    /// This text.
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// The URL.
    ///
    /// # Errors
    ///
    /// If the text is no URL, has a password, or names a place at which there is none. It never repeats a secret.
    pub fn load(&self) -> Result<SecretString, String> {
        let said = |error: InvalidValue| error.to_string();
        if self.0.starts_with("env:") || self.0.starts_with("file:") {
            return self.0.parse::<Secret>().and_then(|secret| secret.load()).map_err(said);
        }
        if !self.0.contains("://") {
            return Err("not a URL: write one, or its place, \"env:NAME\" or \"file:PATH\"".to_owned());
        }
        // A password may also stand in the query.
        if self.0.contains('@') || self.0.contains("password") {
            return Err(
                "a URL with a user or a password does not stand in this file: put it into an environment variable or a file of its own, and write \
                 \"env:NAME\" or \"file:PATH\""
                    .to_owned(),
            );
        }
        Ok(self.0.clone().into())
    }
}

impl fmt::Debug for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Place")
    }
}

#[cfg(test)]
mod tests {
    use secrecy::ExposeSecret;

    use super::*;

    #[test]
    fn an_address_is_an_ip_and_a_port() {
        for (text, is_loopback) in [
            ("127.0.0.1:80", true),
            ("localhost:80", true),
            ("[::1]:80", true),
            ("[::ffff:127.0.0.1]:80", true),
            ("0.0.0.0:80", false),
            ("10.0.0.1:80", false),
            ("[::]:80", false),
        ] {
            assert_eq!(text.parse::<Address>().unwrap().is_loopback(), is_loopback, "{text}");
        }
        for text in ["", "80", ":80", "example.org:80", "127.0.0.1"] {
            assert!(text.parse::<Address>().is_err(), "{text}");
        }
    }

    #[test]
    fn a_url_with_a_password_does_not_stand_in_the_file() {
        assert_eq!(Place::new("redis://h:1").load().unwrap().expose_secret(), "redis://h:1");
        for text in [
            "redis://:s3cr3t@h",
            "postgres://h/d?password=s3cr3t",
            "s3cr3t",
            "env:s3cr3t-s3cr3t",
        ] {
            let error = Place::new(text).load().unwrap_err();
            assert!(!error.contains("s3cr3t"), "{error}");
        }
        assert!(!format!("{:?}", Place::new("redis://:s3cr3t@h")).contains("s3cr3t"));
    }
}
