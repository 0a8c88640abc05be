//! An attempt that waits for its key, and what the pool learns from how it ends.

use std::{
    fmt,
    sync::Arc,
    task::{Context, Poll, ready},
};

use http::{HeaderValue, Request, Response, header::AUTHORIZATION};

use super::{ApiKey, KeyFuture, KeyProvider, pool::KeyLease, slot::Use};
use crate::{
    Candidate, Failure, FailureKind, FailureScope, LayerError, LlmRequest,
    call::Preparing,
    watch::{self, Admit, Respond},
};

/// A provider fetches its key.
pub struct Fetching {
    key: KeyFuture,
    provider: Arc<dyn KeyProvider>,
    upstream: String,
}

impl Fetching {
    /// If it is dropped before the key is there, nothing was sent.
    pub(super) fn new<R: LlmRequest>(provider: &Arc<dyn KeyProvider>, upstream: String, request: &R) -> Self {
        if let Some(attempt) = request.call().attempt() {
            attempt.prepares(Preparing::Key);
        }
        Self {
            key: provider.key(&upstream),
            provider: Arc::clone(provider),
            upstream,
        }
    }
}

impl fmt::Debug for Fetching {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Fetching")
            .field("upstream", &self.upstream)
            .finish_non_exhaustive()
    }
}

impl<R, E> Admit<R, E> for Fetching
where
    R: LlmRequest,
    E: Failure + From<LayerError>,
{
    type Respond = KeyObservation;

    fn poll_admit(&mut self, request: &mut Request<R>, cx: &mut Context<'_>) -> Poll<Result<KeyObservation, E>> {
        Poll::Ready(match ready!(self.key.as_mut().poll(cx)) {
            Ok(key) => {
                put(request, key.header().clone());
                let call = request.body().call();
                if let Some(attempt) = call.attempt() {
                    attempt.sent();
                }
                let provided = Provided {
                    key,
                    provider: Arc::clone(&self.provider),
                    upstream: std::mem::take(&mut self.upstream),
                    is_second: call.has_failed_in_turn(FailureKind::Auth),
                };
                Ok(KeyObservation(Learner::Provider(Box::new(provided))))
            }
            Err(reason) => Err(refused(no_key(Some(&self.upstream), reason, None))),
        })
    }
}

pub(super) fn put<R>(request: &mut Request<R>, value: HeaderValue) {
    request.headers_mut().insert(AUTHORIZATION, value);
}

pub(super) fn no_key(upstream: Option<&str>, reason: String, retry_after: Option<std::time::Duration>) -> LayerError {
    LayerError::NoKey {
        upstream: upstream.unwrap_or("the upstream").to_owned(),
        reason,
        retry_after,
    }
}

/// The error of an attempt that is not sent.
pub(super) fn refused<E: Failure + From<LayerError>>(error: LayerError) -> E {
    tracing::warn!(%error, "no key");
    let mut error = E::from(error);
    error.marks_mut().set_local();
    error
}

/// The key that an attempt uses.
pub struct KeyObservation(pub(super) Learner);

/// What learns of a key from how the attempt ends.
pub(super) enum Learner {
    Nothing,
    /// Its pool, for this use.
    Pool(KeyLease, Use, Option<Candidate>),
    /// The provider that has returned it.
    Provider(Box<Provided>),
}

/// A key of a provider.
pub(super) struct Provided {
    key: ApiKey,
    provider: Arc<dyn KeyProvider>,
    upstream: String,
    /// An attempt before it on this candidate had its key rejected.
    is_second: bool,
}

impl fmt::Debug for KeyObservation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("KeyObservation")
            .field("is_pooled", &matches!(self.0, Learner::Pool(..)))
            .finish_non_exhaustive()
    }
}

impl watch::InSpan for KeyObservation {}

impl<B, E: Failure> Respond<Response<B>, E> for KeyObservation {
    type Response = Response<B>;

    #[inline]
    fn respond(self, mut result: Result<Response<B>, E>) -> Result<Self::Response, E> {
        match self.0 {
            Learner::Nothing => {}
            #[cfg(feature = "pause")]
            Learner::Pool(taken, [candidate, _], _) if result.is_ok() => {
                if let Ok(response) = &mut result {
                    accepted(taken, candidate, response);
                }
            }
            Learner::Pool(taken, of, candidate) => report(taken, of, candidate.as_ref(), &mut result),
            Learner::Provider(provided) => {
                if let Err(error) = &mut result {
                    provided.report(error);
                }
            }
        }
        result
    }
}

impl Provided {
    /// Tells the provider of a rejection. A fresh key is tried once.
    fn report<E: Failure>(&self, error: &mut E) {
        if error.kind() != FailureKind::Auth {
            return;
        }
        let another = self.provider.rejected(&self.upstream, &self.key) && !self.is_second;
        tracing::warn!(upstream = self.upstream, another, "key of the provider rejected");
        if another {
            error.marks_mut().set_other_key(true);
        }
    }
}

/// Tells the pool that its key was accepted. If the response says that little is left of a limit, it is the key's: the key is used more seldom
/// for this candidate, and not the candidate with every key, as long as there is another one.
#[cfg(feature = "pause")]
fn accepted<B>(taken: KeyLease, candidate: u64, response: &mut Response<B>) {
    use crate::pause::RateLimitStatus;

    let status = response.extensions().get::<RateLimitStatus>();
    let Some(gap) = status.and_then(RateLimitStatus::gap) else {
        return taken.accepted();
    };
    if taken.paced(gap, candidate) {
        response.extensions_mut().remove::<RateLimitStatus>();
    }
}

/// Tells the pool how its key fared, and the error whether another one is left.
fn report<T, E: Failure>(taken: KeyLease, of: Use, sent_to: Option<&Candidate>, result: &mut Result<T, E>) {
    let Err(error) = result else { return taken.accepted() };
    let hint = error.retry_after();
    let [candidate, quota] = of;
    // The quota of another pool, which only this candidate leads to: what is paid from its own pool keeps the key.
    let is_behind = sent_to.is_some_and(|sent_to| error.pool_behind(sent_to).is_some());
    let quota = if is_behind { candidate } else { quota };
    let another = match (error.kind(), error.scope()) {
        (FailureKind::Auth, _) => taken.rejected(),
        (FailureKind::RateLimited | FailureKind::InsufficientFunds, FailureScope::Upstream) => taken.rate_limited(hint),
        (FailureKind::QuotaExhausted, FailureScope::Upstream) => taken.exhausted(hint, None),
        // Another key may be another account's, with a quota of its own.
        (FailureKind::QuotaExhausted, FailureScope::Pool) => taken.exhausted(hint, Some(quota)),
        (FailureKind::RateLimited, scope) if error.limits_key() => {
            let of = if scope == FailureScope::Pool { quota } else { candidate };
            // If every key has met the limit, it is the candidate that is paused.
            if !taken.limited(hint, of) {
                return;
            }
            true
        }
        _ => return,
    };
    tracing::warn!(kind = error.kind().as_str(), another, "key rests");
    error.marks_mut().set_other_key(another);
}
