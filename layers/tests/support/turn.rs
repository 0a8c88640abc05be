//! A call as a chain gives it to one of its candidates.

use std::{
    future::{Ready, ready},
    sync::{Arc, Mutex},
    task::{Context, Poll},
};

use http::{Request, Response};
use tower::{Layer, Service, ServiceExt};
use tower_llm_layers::{
    Call, FailureKind,
    fallback::{Chain, FallbackLayer},
};

use super::{ScriptBody, TestError, TestRequest, candidate, fails};

/// Keeps each call, and fails it.
#[derive(Clone, Default)]
struct Keeps(Arc<Mutex<Vec<Call>>>);

impl Service<Request<TestRequest>> for Keeps {
    type Response = Response<ScriptBody>;
    type Error = TestError;
    type Future = Ready<Result<Self::Response, TestError>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), TestError>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<TestRequest>) -> Self::Future {
        self.0.lock().unwrap().push(request.into_body().call);
        ready(Err(fails(FailureKind::Overloaded)))
    }
}

/// The call of the first candidate of this chain.
pub(crate) async fn turn_of<const N: usize>(models: [&str; N]) -> Call {
    let keeps = Keeps::default();
    let chain = Chain::new(models.map(candidate)).unwrap();
    let service = FallbackLayer::new(chain).layer(keeps.clone());
    let _all_fail = service.oneshot(super::streamed()).await;
    let mut calls = keeps.0.lock().unwrap();
    calls.remove(0)
}
