//! The service that resumes an interrupted stream.

use std::sync::Arc;

use http::{Request, Response};
use http_body::Body;
use tower_service::Service;

use super::{ResumeBody, ResumeFuture, resumable::ResumableAnswer};
use crate::{
    Continuable, Failure, Frame, LlmRequest,
    call::InstructionOnly,
    util::{inner_accessors, ready_as_inner},
};

/// The service of [`ResumeLayer`](super::ResumeLayer).
#[derive(Debug, Clone)]
pub struct Resume<S> {
    pub(super) inner: S,
    pub(super) times: u32,
    pub(super) learned: Arc<InstructionOnly>,
}

impl<S> Resume<S> {
    inner_accessors!();
}

impl<S, R, B> Service<Request<R>> for Resume<S>
where
    S: Service<Request<R>, Response = Response<B>, Error = B::Error> + Clone,
    R: LlmRequest + Continuable,
    B: Body,
    B::Data: Frame,
    B::Error: Failure,
{
    type Response = Response<ResumeBody<S, R, B>>;
    type Error = S::Error;
    type Future = ResumeFuture<S, R, B>;

    ready_as_inner!();

    fn call(&mut self, mut request: Request<R>) -> Self::Future {
        if self.times == 0 || !request.body().is_streaming() {
            return ResumeFuture::new(self.inner.call(request), None, None);
        }
        let opened = request.body_mut().call_mut().open();
        let resumable = request.body().continue_after("").is_some().then(|| {
            // The ready one takes this call; its clone is made ready before it takes another.
            let service = self.inner.clone(); // house-ok: made ready before it is called
            Box::new(ResumableAnswer::new(
                service,
                request.clone(),
                self.times,
                Arc::clone(&self.learned),
            ))
        });
        ResumeFuture::new(self.inner.call(request), resumable, opened)
    }
}
