//! The service of retries at the same candidate.

use std::sync::Arc;

use http::{Request, Response};
use tower_service::Service;

use super::{RetryFuture, RetryLayer, RetryPolicy};
use crate::{
    Candidate, Failure, LayerError, LlmRequest,
    util::{inner_accessors, ready_as_inner},
};

/// The service of [`RetryLayer`].
#[derive(Debug, Clone)]
pub struct Retry<S> {
    pub(super) inner: S,
    pub(super) shared: Arc<RetryLayer>,
}

impl<S> Retry<S> {
    inner_accessors!();

    /// When a retry is allowed.
    pub fn policy(&self) -> &RetryPolicy {
        &self.shared.policy
    }
}

impl<S, R, B> Service<Request<R>> for Retry<S>
where
    S: Service<Request<R>, Response = Response<B>> + Clone,
    S::Error: Failure + From<LayerError>,
    R: LlmRequest,
{
    type Response = Response<B>;
    type Error = S::Error;
    type Future = RetryFuture<S, R>;

    ready_as_inner!();

    fn call(&mut self, mut request: Request<R>) -> Self::Future {
        let opened = request.body_mut().call_mut().open();
        request.body_mut().call_mut().ensure_turn();
        let policy = &self.shared.policy;
        let call = request.body().call();
        if call.counts() {
            policy.budget.deposit();
        }
        // A layer that resumes or repeats an answer repeats an attempt as well.
        let (again, first) = if call.is_repeated() && !policy.budget.withdraw() {
            let model = call.candidate().map(Candidate::model).or(request.body().model());
            let model = model.map(str::to_owned);
            (None, Err(LayerError::RetriesSpent { model }.into()))
        } else {
            let again = (policy.max_attempts > 1).then(|| Box::new(request.clone()));
            (again, Ok(self.inner.call(request)))
        };
        // The service that is ready takes this attempt; its clone, made ready in its own time, takes the next ones.
        let next = self.inner.clone(); // house-ok: the ready one was called above; this waits for its own readiness
        RetryFuture::new(first, again, next, Arc::clone(&self.shared), opened)
    }
}
