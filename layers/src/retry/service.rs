use std::{
    sync::Arc,
    task::{Context, Poll},
};

use http::{Request, Response};
use tower_service::Service;

use super::{Exponential, RetryFuture, RetryPolicy, Schedule};
use crate::{Candidate, Failure, LayerError, LlmRequest, util::inner_accessors};

/// The service of [`RetryLayer`](super::RetryLayer).
#[derive(Debug)]
pub struct Retry<S, M = Exponential> {
    pub(super) inner: S,
    pub(super) shared: Arc<(RetryPolicy, M)>,
}

impl<S: Clone, M> Clone for Retry<S, M> {
    fn clone(&self) -> Self {
        Self {
            inner: self.inner.clone(),
            shared: Arc::clone(&self.shared),
        }
    }
}

impl<S, M> Retry<S, M> {
    inner_accessors!();

    /// When a retry is allowed.
    pub fn policy(&self) -> &RetryPolicy {
        &self.shared.0
    }
}

impl<S, M, R, B> Service<Request<R>> for Retry<S, M>
where
    S: Service<Request<R>, Response = Response<B>> + Clone,
    S::Error: Failure + From<LayerError>,
    M: Schedule,
    R: LlmRequest,
{
    type Response = Response<B>;
    type Error = S::Error;
    type Future = RetryFuture<S, R, M>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, mut request: Request<R>) -> Self::Future {
        let opened = request.body_mut().call_mut().open();
        request.body_mut().call_mut().ensure_turn();
        let policy = &self.shared.0;
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
