//! OpenRouter's read-only calls: keys, credits, models, endpoints, generations.

use std::time::Duration;

use http::{Response, header::AUTHORIZATION};
use http_body_util::{BodyExt, LengthLimitError, Limited};
use serde::{Deserialize, de::DeserializeOwned};
use tower_llm_layers::{FailureKind, Phase, auth::ApiKey};

use super::{
    keys::{Access, AccountKeys},
    pages::{self, Page},
};
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
    pub(super) keys: AccountKeys,
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
    pub fn new(transport: Transport, upstream: Upstream, key: Option<ApiKey>) -> Self {
        Self {
            transport,
            upstream,
            keys: AccountKeys::new(key),
        }
    }

    /// The same with further keys of the upstream, such as those of a pool. One is tried first until it is rejected and another one is accepted, and the
    /// others follow in their order if it is refused; a generation is also looked up with each other key, since it may be another account's. Models and their endpoints are
    /// read without a key if all of them are rejected.
    #[must_use]
    pub fn further_keys(mut self, keys: impl IntoIterator<Item = ApiKey>) -> Self {
        self.keys = self.keys.with(keys);
        self
    }

    /// Where its calls go, without credentials.
    #[must_use]
    pub fn base_url(&self) -> &str {
        self.upstream.base_url()
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
            let path = format!("models?output_modalities=all&offset={offset}&limit={}", pages::SIZE);
            let answer = self.answer(&path, Access::Public).await?;
            Page::read(&String::from_utf8_lossy(&answer))
        })
        .await
    }

    /// The endpoints of a model: price, context, uptime and speed of each.
    ///
    /// # Errors
    ///
    /// [`NoEndpoint`](FailureKind::NoEndpoint) if the model is unknown; [`BadRequest`](FailureKind::BadRequest) if its name has a segment `.` or `..`.
    pub async fn model_endpoints(&self, model: &str) -> Result<ModelEndpoints, Error> {
        let path = format!("models/{}/endpoints", escape(model)?);
        Ok(self.read::<Data<_>>(&path, Access::Public).await?.data)
    }

    /// The key's own limits and usage.
    ///
    /// # Errors
    ///
    /// [`Auth`](FailureKind::Auth) if it is rejected.
    pub async fn key(&self) -> Result<KeyInfo, Error> {
        Ok(self.read::<Data<_>>("key", Access::Own).await?.data)
    }

    /// The account's balance; `None` if this key may not see it, which is no failure.
    ///
    /// # Errors
    ///
    /// [`Auth`](FailureKind::Auth) if the key is rejected.
    pub async fn credits(&self) -> Result<Option<Credits>, Error> {
        match self.read::<Data<_>>("credits", Access::Own).await {
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
        let path = format!("generation?id={}", escape(id)?);
        match self.read::<Data<_>>(&path, Access::Generation).await {
            Ok(answer) => Ok(Some(answer.data)),
            Err(error) if error.status() == Some(http::StatusCode::NOT_FOUND) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Reads an answer. A byte that is not UTF-8 costs no more than the text that it is in.
    async fn read<T: DeserializeOwned>(&self, path: &str, access: Access) -> Result<T, Error> {
        let answer = self.answer(path, access).await?;
        serde_json::from_str(&String::from_utf8_lossy(&answer))
            .map_err(|cause| unreadable(&format!("the answer to `{path}` has an unexpected form"), &cause))
    }

    async fn answer(&self, path: &str, access: Access) -> Result<bytes::Bytes, Error> {
        let exchange = self.read_with_keys(path, access);
        tokio::time::timeout(LIMIT, exchange).await.map_err(|_| {
            Error::new(
                FailureKind::Timeout(Phase::Response),
                format!("no answer to `{path}` in {LIMIT:?}"),
            )
        })?
    }

    /// One request with this key.
    pub(super) async fn exchange(&self, path: &str, key: Option<&ApiKey>) -> Result<bytes::Bytes, Error> {
        let mut request = self.transport.get(&self.upstream, path)?;
        if let Some(key) = key {
            request = request.header(AUTHORIZATION, key.header().clone());
        }
        let response = request.send().await.map_err(|error| self.transport.not_sent(error))?;
        let (parts, body) = Response::<reqwest::Body>::from(response).into_parts();
        if parts.status.is_success() {
            return whole(body).await;
        }
        let error = error_of_response(parts.status, &parts.headers, &read_error(body).await);
        Err(match key {
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

/// An id in its place in a URL: what is not part of a name is escaped.
///
/// # Errors
///
/// If a segment of it is `.` or `..`, which a URL parser removes: the request would go to another path.
fn escape(id: &str) -> Result<String, Error> {
    // A URL parser reads `%2e` as a dot as well; the percent sign of an id is escaped.
    if id.split('/').any(|segment| matches!(segment, "." | "..")) {
        let message = "an id has a segment `.` or `..`: no model and no generation has such a name";
        return Err(Error::new(FailureKind::BadRequest, message));
    }
    let mut escaped = String::with_capacity(id.len());
    for byte in id.bytes() {
        // A slash parts author and name.
        let plain = byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b':' | b'~' | b'/' | b'.');
        if plain {
            escaped.push(char::from(byte));
        } else {
            escaped.push_str(&format!("%{byte:02X}"));
        }
    }
    Ok(escaped)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_cannot_leave_its_place() {
        let fine = |id: &str| escape(id).unwrap();
        assert_eq!(fine("openai/gpt-4o-mini:free"), "openai/gpt-4o-mini:free");
        assert_eq!(fine("gen-1&x=2#?"), "gen-1%26x%3D2%23%3F");
        assert_eq!(fine("a/b..c/..."), "a/b..c/...");
        assert_eq!(fine(".%2e/key"), ".%252e/key");
        for id in ["../key", "..", ".", "a/../../credits", "a/./b", "a/.."] {
            let refused = escape(id).unwrap_err();
            assert_eq!(refused.kind(), FailureKind::BadRequest, "{id}");
        }
    }
}
