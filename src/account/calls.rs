//! OpenRouter's read-only calls: keys, credits, models, endpoints, generations.

use std::time::Duration;

use http::{Response, header::AUTHORIZATION};
use http_body_util::{BodyExt, LengthLimitError, Limited};
use serde::{Deserialize, de::DeserializeOwned};
use tower_llm_layers::{FailureKind, Phase, auth::ApiKey};

use super::pages;
use crate::{
    Error,
    classify::error_of_response,
    frame::unreadable,
    sent_key::SentKey,
    transport::{Transport, Upstream, read_error},
};
use openrouter_wire::{
    account::{Credits, Generation, KeyInfo},
    catalogue::{Model, ModelEndpoints},
};

/// How long one of these calls may take. None stands on the way of an answer.
const LIMIT: Duration = Duration::from_secs(30);
/// The largest answer that is read; a page of a thousand models has a few megabytes.
const LARGEST: usize = 64 * 1024 * 1024;

/// OpenRouter's read-only calls, one method each. Cheap to clone.
///
/// # Cancellation
///
/// Dropping a method's future closes its connection.
#[derive(Debug, Clone)]
pub struct Account {
    transport: Transport,
    upstream: Upstream,
    key: Option<ApiKey>,
}

/// What most calls wrap their answer in.
#[derive(Deserialize)]
struct Data<T> {
    data: T,
}

impl Account {
    /// Over this transport, which shares its connections, at this upstream.
    ///
    /// Models and their endpoints need no key; without one the endpoints' latency and throughput stay unknown.
    #[must_use]
    pub const fn new(transport: Transport, upstream: Upstream, key: Option<ApiKey>) -> Self {
        Self {
            transport,
            upstream,
            key,
        }
    }

    /// The name of the upstream whose account it is.
    pub(crate) fn upstream(&self) -> &str {
        self.upstream.name()
    }

    /// Every model, from all pages: those too that answer in something else than text.
    ///
    /// # Errors
    ///
    /// [`Error`], classified like any other; [`Malformed`](FailureKind::Malformed) if the pages never end.
    pub async fn models(&self) -> Result<Vec<Model>, Error> {
        pages::all(|offset| async move {
            self.read(&format!(
                "models?output_modalities=all&offset={offset}&limit={}",
                pages::SIZE
            ))
            .await
        })
        .await
    }

    /// The endpoints of a model: price, context, uptime and speed of each.
    ///
    /// # Errors
    ///
    /// [`NoEndpoint`](FailureKind::NoEndpoint) if the model is unknown.
    pub async fn model_endpoints(&self, model: &str) -> Result<ModelEndpoints, Error> {
        let path = format!("models/{}/endpoints", escape(model));
        Ok(self.read::<Data<_>>(&path).await?.data)
    }

    /// The key's own limits and usage.
    ///
    /// # Errors
    ///
    /// [`Auth`](FailureKind::Auth) if it is rejected.
    pub async fn key(&self) -> Result<KeyInfo, Error> {
        Ok(self.read::<Data<_>>("key").await?.data)
    }

    /// The account's balance; `None` if this key may not see it, which is no failure.
    ///
    /// # Errors
    ///
    /// [`Auth`](FailureKind::Auth) if the key is rejected.
    pub async fn credits(&self) -> Result<Option<Credits>, Error> {
        match self.read::<Data<_>>("credits").await {
            Ok(answer) => Ok(Some(answer.data)),
            Err(error) if error.status() == Some(http::StatusCode::FORBIDDEN) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// What became of a generation, and its bill; `None` while OpenRouter does not know it yet: half a second to several
    /// minutes after the call.
    ///
    /// # Errors
    ///
    /// [`Auth`](FailureKind::Auth) if the key is rejected.
    pub async fn generation(&self, id: &str) -> Result<Option<Generation>, Error> {
        match self.read::<Data<_>>(&format!("generation?id={}", escape(id))).await {
            Ok(answer) => Ok(Some(answer.data)),
            Err(error) if error.status() == Some(http::StatusCode::NOT_FOUND) => Ok(None),
            Err(error) => Err(error),
        }
    }

    async fn read<T: DeserializeOwned>(&self, path: &str) -> Result<T, Error> {
        let exchange = self.exchange(path);
        let bytes = tokio::time::timeout(LIMIT, exchange).await.map_err(|_| {
            Error::new(
                FailureKind::Timeout(Phase::Response),
                format!("no answer to `{path}` in {LIMIT:?}"),
            )
        })??;
        serde_json::from_slice(&bytes)
            .map_err(|cause| unreadable(&format!("the answer to `{path}` has an unexpected form"), &cause))
    }

    async fn exchange(&self, path: &str) -> Result<bytes::Bytes, Error> {
        let mut request = self.transport.get(&self.upstream, path)?;
        if let Some(key) = &self.key {
            request = request.header(AUTHORIZATION, key.header().clone());
        }
        let response = request.send().await.map_err(|error| self.transport.not_sent(error))?;
        let (parts, body) = Response::<reqwest::Body>::from(response).into_parts();
        if parts.status.is_success() {
            return whole(body).await;
        }
        let error = error_of_response(parts.status, &parts.headers, &read_error(body).await);
        Err(match &self.key {
            Some(key) => error.without(&SentKey::from(key.header())),
            None => error,
        })
    }
}

/// A whole answer of a size that a list can have.
async fn whole(body: reqwest::Body) -> Result<bytes::Bytes, Error> {
    let collected = Limited::new(body, LARGEST).collect().await.map_err(|cause| {
        if cause.is::<LengthLimitError>() {
            let message = format!("the answer is over {} MiB", LARGEST / (1024 * 1024));
            return Error::new(FailureKind::Malformed, message);
        }
        let what = "the connection broke before the answer was whole";
        match cause.downcast::<reqwest::Error>() {
            Ok(cause) => Error::caused(FailureKind::Reset, what, cause.without_url()),
            Err(_) => Error::new(FailureKind::Reset, what),
        }
    })?;
    Ok(collected.to_bytes())
}

/// Keeps an id inside its place in a URL: what is not part of a name is escaped.
fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for byte in text.bytes() {
        // A slash parts author and name; a dot segment would climb out.
        let plain = byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b':' | b'~' | b'/' | b'.');
        if plain {
            escaped.push(char::from(byte));
        } else {
            escaped.push_str(&format!("%{byte:02X}"));
        }
    }
    escaped.replace("..", "%2E%2E")
}

#[cfg(test)]
mod tests {
    use super::escape;

    #[test]
    fn an_id_cannot_leave_its_place() {
        assert_eq!(escape("openai/gpt-4o-mini:free"), "openai/gpt-4o-mini:free");
        assert_eq!(escape("gen-1&x=2#?"), "gen-1%26x%3D2%23%3F");
        assert_eq!(escape("../key"), "%2E%2E/key");
    }
}
