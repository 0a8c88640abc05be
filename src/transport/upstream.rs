use std::fmt;

use reqwest::Url;

use super::TransportError;

/// The name of the default upstream.
pub const OPENROUTER: &str = "openrouter";
/// Where OpenRouter is.
pub const OPENROUTER_URL: &str = "https://openrouter.ai/api/v1";

/// What an upstream understands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Dialect {
    /// All of OpenRouter's fields.
    OpenRouter,
    /// OpenAI's chat completions only: fields that only OpenRouter knows are left out of the body, and usage is asked for
    /// on streams.
    OpenAi,
}

/// A place that answers calls: a name that chains refer to, a base URL, and what it understands.
#[derive(Clone, PartialEq, Eq)]
pub struct Upstream {
    name: Box<str>,
    base: Url,
    dialect: Dialect,
}

impl Upstream {
    /// OpenRouter itself, under the name [`OPENROUTER`].
    ///
    /// # Errors
    ///
    /// None in practice: the address is a constant.
    pub fn openrouter() -> Result<Self, TransportError> {
        Self::new(OPENROUTER, OPENROUTER_URL, Dialect::OpenRouter)
    }

    /// A provider that speaks OpenAI's chat completions, to go to it directly.
    ///
    /// # Errors
    ///
    /// Where the name is blank, or `base_url` is no `http` or `https` URL.
    ///
    /// ```
    /// use tower_openrouter::transport::Upstream;
    ///
    /// let direct = Upstream::openai_compatible("openai", "https://api.openai.com/v1")?;
    /// assert_eq!(direct.name(), "openai");
    /// let error = Upstream::openai_compatible("openai", "api.openai.com/v1").unwrap_err();
    /// assert!(error.to_string().contains("scheme"));
    /// # Ok::<(), tower_openrouter::transport::TransportError>(())
    /// ```
    pub fn openai_compatible(name: &str, base_url: &str) -> Result<Self, TransportError> {
        Self::new(name, base_url, Dialect::OpenAi)
    }

    /// Any upstream: `base_url` is everything before `/chat/completions`.
    ///
    /// # Errors
    ///
    /// Where the name is blank, or `base_url` is no `http` or `https` URL.
    pub fn new(name: &str, base_url: &str, dialect: Dialect) -> Result<Self, TransportError> {
        let name = name.trim();
        if name.is_empty() {
            return Err(TransportError::BlankName);
        }
        let base_url = base_url.trim();
        let bad = |problem| TransportError::BaseUrl {
            upstream: name.to_owned(),
            problem,
        };
        let has_scheme = ["http://", "https://"].iter().any(|scheme| {
            base_url
                .get(..scheme.len())
                .is_some_and(|start| start.eq_ignore_ascii_case(scheme))
        });
        if !has_scheme {
            return Err(bad("it has no scheme: begin it with `https://`".to_owned()));
        }
        let mut base = Url::parse(base_url).map_err(|error| bad(error.to_string()))?;
        if !base.username().is_empty() || base.password().is_some() {
            return Err(bad(
                "it holds credentials: give the key as a key, not in the URL".to_owned()
            ));
        }
        if base.query().is_some() || base.fragment().is_some() {
            return Err(bad(
                "it has a query or a fragment: give the part before `/chat/completions`".to_owned(),
            ));
        }
        if !base.path().ends_with('/') {
            let path = format!("{}/", base.path());
            base.set_path(&path);
        }
        Ok(Self {
            name: name.into(),
            base,
            dialect,
        })
    }

    /// The name that chains refer to.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The base URL, with a slash at its end.
    #[must_use]
    pub fn base_url(&self) -> &str {
        self.base.as_str()
    }

    /// What it understands.
    #[must_use]
    pub const fn dialect(&self) -> Dialect {
        self.dialect
    }

    /// The URL of one of its endpoints.
    pub(crate) fn url(&self, path: &str) -> Result<Url, TransportError> {
        let bad = |problem| TransportError::BaseUrl {
            upstream: self.name.clone().into(),
            problem,
        };
        let url = self.base.join(path).map_err(|error| bad(error.to_string()))?;
        // A path that leaves the base would carry the key to another place.
        if !url.as_str().starts_with(self.base.as_str()) {
            return Err(bad(format!(
                "the path `{path}` leads out of it: give one such as `chat/completions`"
            )));
        }
        Ok(url)
    }
}

impl fmt::Debug for Upstream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Upstream({} at {}, {:?})", self.name, self.base, self.dialect)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_path_leads_out_of_the_base() {
        let upstream = Upstream::openai_compatible("direct", "https://host.example/v1").unwrap();
        assert_eq!(
            upstream.url("embeddings").unwrap().as_str(),
            "https://host.example/v1/embeddings"
        );
        for path in ["https://other.example/x", "//other.example/x", "/x", "../x"] {
            assert!(upstream.url(path).is_err(), "{path}");
        }
    }
}
