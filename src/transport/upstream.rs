//! An upstream: its name, its address, and the APIs it speaks.

use std::fmt;

use reqwest::Url;
use tower_llm_layers::Apis;

use super::{ChatCompatibility, TokenLimitField, TransportError, TransportProblem, chat_compatibility::is_openai};
use crate::{Api, dialect::Dialect};

/// The name of the default upstream.
pub const OPENROUTER: &str = "openrouter";
/// Where OpenRouter is.
pub const OPENROUTER_URL: &str = "https://openrouter.ai/api/v1";
/// The name of OpenAI itself.
pub const OPENAI: &str = "openai";
/// Where OpenAI is.
pub const OPENAI_URL: &str = "https://api.openai.com/v1";
/// The name of Anthropic itself.
pub const ANTHROPIC: &str = "anthropic";
/// Where Anthropic is.
pub const ANTHROPIC_URL: &str = "https://api.anthropic.com/v1";

/// A place that answers calls: a name that chains refer to, a base URL, what it understands, and the APIs that it supports.
#[derive(Clone, PartialEq, Eq)]
pub struct Upstream {
    name: Box<str>,
    base: Url,
    dialect: Dialect,
    apis: Box<[Api]>,
    chat: ChatCompatibility,
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

    /// OpenAI itself, under the name [`OPENAI`]: chat, responses and embeddings.
    ///
    /// # Errors
    ///
    /// None in practice: the address is a constant.
    pub fn openai() -> Result<Self, TransportError> {
        let direct = Self::new(OPENAI, OPENAI_URL, Dialect::OpenAi)?;
        Ok(direct.apis([Api::Chat, Api::Responses, Api::Embeddings]))
    }

    /// Anthropic itself, under the name [`ANTHROPIC`]: messages.
    ///
    /// # Errors
    ///
    /// None in practice: the address is a constant.
    pub fn anthropic() -> Result<Self, TransportError> {
        Self::new(ANTHROPIC, ANTHROPIC_URL, Dialect::Anthropic)
    }

    /// A provider that speaks OpenAI's chat completions and embeddings, to go to it directly. If it speaks more, say so with
    /// [`apis`](Self::apis).
    ///
    /// # Errors
    ///
    /// If the name is blank, or `base_url` is no `http` or `https` URL.
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
    /// If the name is blank, or `base_url` is no `http` or `https` URL.
    pub fn new(name: &str, base_url: &str, dialect: Dialect) -> Result<Self, TransportError> {
        let (name, base_url) = (name.trim(), base_url.trim());
        let mut wrong = Vec::new();
        if name.is_empty() {
            wrong.push(TransportProblem::BlankName);
        }
        let base = parse_base(base_url, |problem| {
            let upstream = name.to_owned();
            wrong.push(TransportProblem::BaseUrl { upstream, problem });
        });
        match base {
            Some(base) if wrong.is_empty() => Ok(Self {
                name: name.into(),
                chat: ChatCompatibility::of(name, &base, dialect),
                base,
                dialect,
                apis: dialect.apis().into(),
            }),
            _ => Err(TransportError::of(wrong)),
        }
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

    /// Sets which APIs it speaks. A call of another API skips its candidates, and the attempt log says why.
    ///
    /// ```
    /// use tower_openrouter::{Api, transport::Upstream};
    ///
    /// let local = Upstream::openai_compatible("local", "http://127.0.0.1:8000/v1")?.apis([Api::Chat, Api::Responses]);
    /// assert!(local.supports(Api::Responses) && !local.supports(Api::Embeddings));
    /// # Ok::<(), tower_openrouter::transport::TransportError>(())
    /// ```
    #[must_use]
    pub fn apis(mut self, apis: impl IntoIterator<Item = Api>) -> Self {
        self.apis = apis.into_iter().collect();
        self
    }

    /// Sets in which field it takes the limit of a chat completion's tokens: what the request or a budget says goes there, and into no other.
    /// By default [`MaxCompletionTokens`](TokenLimitField::MaxCompletionTokens) at OpenAI and Azure, [`MaxTokens`](TokenLimitField::MaxTokens) at
    /// Mistral, `DeepSeek` and Perplexity, and [`AsRequested`](TokenLimitField::AsRequested) elsewhere. An upstream of OpenRouter's dialect takes
    /// both, and nothing is renamed there.
    ///
    /// ```
    /// use tower_openrouter::transport::{TokenLimitField, Upstream};
    ///
    /// let proxy = Upstream::openai_compatible("proxy", "http://127.0.0.1:4000/v1")?
    ///     .token_limit_field(TokenLimitField::MaxCompletionTokens);
    /// # Ok::<(), tower_openrouter::transport::TransportError>(())
    /// ```
    #[must_use]
    pub const fn token_limit_field(mut self, field: TokenLimitField) -> Self {
        self.chat.limit = field;
        self
    }

    /// What it takes in a chat completion.
    pub(crate) const fn chat_compatibility(&self) -> ChatCompatibility {
        self.chat
    }

    /// Whether it is OpenAI itself, or has OpenAI's models at Azure.
    pub(crate) fn is_openai(&self) -> bool {
        self.dialect == Dialect::OpenAi && is_openai(&self.name, &self.base)
    }

    /// Whether it speaks this API.
    #[must_use]
    pub fn supports(&self, api: Api) -> bool {
        self.apis.contains(&api)
    }

    /// The same by name, as a capability of its candidates; `None` if it supports all.
    pub(crate) fn limited_apis(&self) -> Option<Apis> {
        let all = Api::ALL.iter().all(|api| self.supports(*api));
        (!all).then(|| Apis::of(self.apis.iter().map(|api| api.name())))
    }

    /// The URL of one of its endpoints.
    pub(crate) fn url(&self, path: &str) -> Result<Url, TransportProblem> {
        let bad = |problem| TransportProblem::BaseUrl {
            upstream: self.name.clone().into(),
            problem,
        };
        let url = self.base.join(path).map_err(|error| bad(error.to_string()))?;
        // A path that leaves the base would carry the key to another place.
        if !url.as_str().starts_with(self.base.as_str()) {
            return Err(bad(format!(
                "the path `{path}` leaves it: give one such as `chat/completions`"
            )));
        }
        Ok(url)
    }
}

/// The base URL of an OpenRouter, under the name [`OPENROUTER`].
impl TryFrom<&str> for Upstream {
    type Error = TransportError;

    fn try_from(base_url: &str) -> Result<Self, TransportError> {
        Self::new(OPENROUTER, base_url, Dialect::OpenRouter)
    }
}

/// The name and the base URL of a provider that speaks OpenAI's chat completions.
impl TryFrom<(&str, &str)> for Upstream {
    type Error = TransportError;

    fn try_from((name, base_url): (&str, &str)) -> Result<Self, TransportError> {
        Self::openai_compatible(name, base_url)
    }
}

/// A base URL with a slash at its end; `None` if it has problems, after `report` was called with each.
fn parse_base(written: &str, mut report: impl FnMut(String)) -> Option<Url> {
    let has_scheme = ["http://", "https://"].iter().any(|scheme| {
        written
            .get(..scheme.len())
            .is_some_and(|start| start.eq_ignore_ascii_case(scheme))
    });
    if !has_scheme {
        report("it has no scheme: begin it with `https://`".to_owned());
        return None;
    }
    let mut base = Url::parse(written).map_err(|error| report(error.to_string())).ok()?;
    let has_credentials = !base.username().is_empty() || base.password().is_some();
    if has_credentials {
        report("it holds credentials: give the key as a key, not in the URL".to_owned());
    }
    let has_more = base.query().is_some() || base.fragment().is_some();
    if has_more {
        report("it has a query or a fragment: give the part before `/chat/completions`".to_owned());
    }
    if !base.path().ends_with('/') {
        let path = format!("{}/", base.path());
        base.set_path(&path);
    }
    (!has_credentials && !has_more).then_some(base)
}

impl fmt::Debug for Upstream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Upstream({} at {}, {:?}", self.name, self.base, self.dialect)?;
        if self.chat.limit != TokenLimitField::AsRequested {
            write!(f, ", {:?}", self.chat.limit)?;
        }
        f.write_str(")")
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
