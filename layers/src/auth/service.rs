//! The service that puts the key on each attempt.

use std::task::{Context, Poll};

use http::{Request, Response};
use tower_service::Service;

use super::{AuthFuture, KeySource, Keys, future::Used};
use crate::{
    Candidate, Failure, LayerError, LlmRequest,
    util::{Seconds, inner_accessors},
};

/// The service of [`AuthLayer`](super::AuthLayer).
#[derive(Debug, Clone)]
pub struct Auth<S> {
    pub(super) inner: S,
    pub(super) keys: Keys,
}

impl<S> Auth<S> {
    inner_accessors!();

    /// The source of the keys.
    pub const fn keys(&self) -> &Keys {
        &self.keys
    }
}

impl<S, R, B> Service<Request<R>> for Auth<S>
where
    S: Service<Request<R>, Response = Response<B>> + Clone,
    S::Error: Failure + From<LayerError>,
    R: LlmRequest,
{
    type Response = Response<B>;
    type Error = S::Error;
    type Future = AuthFuture<S, Request<R>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, mut request: Request<R>) -> Self::Future {
        if !request.body().call().is_first_sending() {
            return AuthFuture::refused(LayerError::SentTwice);
        }
        // A client's own key never reaches an upstream.
        request.headers_mut().remove(http::header::AUTHORIZATION);
        let upstream = request.body().call().candidate().map(Candidate::upstream);
        match self.keys.of(upstream) {
            Some(KeySource::Static(key)) => AuthFuture::with_key(&mut self.inner, request, Some(key), Used::Static),
            Some(KeySource::None) => AuthFuture::with_key(&mut self.inner, request, None, Used::Static),
            Some(KeySource::Pool(pool)) => {
                let quota = request.body().call().candidate().map_or(0, Candidate::quota_hash);
                match pool.take(quota) {
                    Ok((key, taken)) => {
                        let used = Used::Pooled(taken, quota);
                        AuthFuture::with_key(&mut self.inner, request, Some(&key), used)
                    }
                    Err(rest) => {
                        let reason = format!(
                            "every key of the pool is rate limited or out of quota; one is tried again in {}: wait, or add a key",
                            Seconds(rest)
                        );
                        not_sent(&request);
                        AuthFuture::refused(no_key(upstream, reason, Some(rest)))
                    }
                }
            }
            Some(KeySource::Provider(provider)) => {
                let name = upstream.unwrap_or("upstream").to_owned();
                let key = provider.key(&name);
                // The service that is ready waits for the key; its clone stays here.
                let clone = self.inner.clone();
                let ready = std::mem::replace(&mut self.inner, clone);
                AuthFuture::fetching(key, ready, request, name)
            }
            None => {
                let reason = "set one for it, e.g. `Keys::upstream(name, key)`".to_owned();
                not_sent(&request);
                AuthFuture::refused(no_key(upstream, reason, None))
            }
        }
    }
}

/// Without a key nothing is sent.
fn not_sent<R: LlmRequest>(request: &Request<R>) {
    if let Some(attempt) = request.body().call().attempt() {
        attempt.not_sent();
    }
}

pub(super) fn no_key(upstream: Option<&str>, reason: String, retry_after: Option<std::time::Duration>) -> LayerError {
    LayerError::NoKey {
        upstream: upstream.unwrap_or("the upstream").to_owned(),
        reason,
        retry_after,
    }
}
