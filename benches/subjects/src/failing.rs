//! An inner service that fails a set number of times, and reads what would be sent.

use std::future::{Ready, ready};
use std::hint::black_box;
use std::task::{Context, Poll};

use http::{Request, Response};
use tower::Service;
use tower_openrouter::transport::Dialect;
use tower_openrouter::{ApiRequest, Error, FailureKind, WireRequest};

use crate::leaf::{Leaf, ReadyBody};

/// Fails the first attempts of each call, then answers. Makes the wire's segments each time.
#[derive(Debug, Clone)]
pub struct Failing {
    leaf: Leaf,
    failures: usize,
}

impl Failing {
    /// Fails this often.
    #[must_use]
    pub fn new(failures: usize) -> Self {
        Self {
            leaf: Leaf::new(1),
            failures,
        }
    }
}

impl Service<Request<ApiRequest>> for Failing {
    type Response = Response<ReadyBody>;
    type Error = Error;
    type Future = Ready<Result<Self::Response, Error>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Error>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<ApiRequest>) -> Self::Future {
        use tower_openrouter::layers::LlmRequest as _;

        let body = request.body();
        black_box(WireRequest::segments(body, Dialect::OpenRouter));
        // The attempts of this call alone: the one in flight has its line already.
        let attempts = body.call().attempts().map_or(0, |log| log.sent());
        ready(if attempts > self.failures {
            Ok(self.leaf.answer())
        } else {
            Err(Error::new(FailureKind::Overloaded, "overloaded"))
        })
    }
}
