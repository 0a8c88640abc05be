//! The service that puts the key on each attempt.

use std::task::{Context, Poll};

use http::{Request, Response, header::AUTHORIZATION};
use tower_service::Service;

use super::{
    AuthFuture, KeySource, Keys,
    future::{Fetching, KeyObservation, Learner, no_key, put, refused},
};
use crate::{
    Call, Candidate, Failure, LayerError, LlmRequest,
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
    type Future = AuthFuture<S, R>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, mut request: Request<R>) -> Self::Future {
        let call = request.body().call();
        if !call.is_first_sending() {
            return AuthFuture::refused(refused(LayerError::SentTwice));
        }
        let upstream = call.candidate().map(Candidate::upstream);
        let (key, used) = match self.keys.of(upstream) {
            Some(KeySource::Static(key)) => (Some(key.header().clone()), KeyObservation(Learner::Nothing)),
            Some(KeySource::None) => (None, KeyObservation(Learner::Nothing)),
            Some(KeySource::Pool(pool)) => {
                let candidate = call.candidate();
                let of = candidate.map_or([0; 2], |candidate| [candidate.own_hash(), candidate.quota_hash()]);
                match pool.take(of) {
                    Ok((key, taken)) => (
                        Some(key.header().clone()),
                        KeyObservation(Learner::Pool(taken, of, candidate.cloned())),
                    ),
                    Err(rest) => {
                        let reason = format!(
                            "every key of the pool is rate limited or out of quota; one is tried again in {}: wait, or add a key",
                            Seconds(rest)
                        );
                        return not_sent(call, no_key(upstream, reason, Some(rest)));
                    }
                }
            }
            Some(KeySource::Provider(provider)) => {
                let name = upstream.unwrap_or("upstream").to_owned();
                let fetching = Fetching::new(provider, name, request.body());
                request.headers_mut().remove(AUTHORIZATION);
                return AuthFuture::waiting(&mut self.inner, request, fetching);
            }
            None => {
                let reason = "set one for it, e.g. `Keys::upstream(name, key)`".to_owned();
                return not_sent(call, no_key(upstream, reason, None));
            }
        };
        // A client's own key never reaches an upstream.
        request.headers_mut().remove(AUTHORIZATION);
        if let Some(key) = key {
            put(&mut request, key);
        }
        AuthFuture::calling(self.inner.call(request), used)
    }
}

/// Without a key nothing is sent.
fn not_sent<S, R>(call: &Call, error: LayerError) -> AuthFuture<S, R>
where
    S: Service<Request<R>>,
    S::Error: Failure + From<LayerError>,
    R: LlmRequest,
{
    if let Some(attempt) = call.attempt() {
        attempt.not_sent();
    }
    AuthFuture::refused(refused(error))
}
